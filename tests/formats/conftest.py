"""The agent that writes files, and those who read them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "pods"), str(HERE.parent / "conformance")]

import readers
from canary import assert_clean
from waiting import PATIENCE

BINARY = Path(os.environ.get("AKV_AGENT_BIN", ""))


class Writer:
    """Runs `init` on a directory that has each value in a file of its own."""

    def __init__(self, directory):
        self._mount, self.file = directory / "mount", directory / "out" / "app"
        self._mount.mkdir()
        self.file.parent.mkdir()

    def __call__(self, file_format, values):
        """Writes the variables; gives the exit code and what the agent had to say."""
        # Numbered, because a variable may have a longer name than a file.
        for number, value in enumerate(values.values()):
            (self._mount / str(number)).write_bytes(value.encode(errors="surrogateescape"))
        settings = {
            "AKV_AGENT_MOUNT": str(self._mount),
            "AKV_AGENT_ENV": "\n".join(f"{name}=mount:{number}" for number, name in enumerate(values)),
            "AKV_AGENT_ENV_FILE": str(self.file),
            "AKV_AGENT_ENV_FILE_FORMAT": file_format,
            "AKV_AGENT_LOG_LEVEL": "trace",
        }
        done = subprocess.run(
            [BINARY, "init"],
            env={"PATH": os.environ["PATH"]} | settings,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert_clean("the agent's output", done.stdout + done.stderr)
        return done.returncode, done.stderr


@pytest.fixture
def write(tmp_path):
    if not BINARY.is_file():
        _unavailable("AKV_AGENT_BIN must name the agent")
    return Writer(tmp_path)


@pytest.fixture
def read_back(write):
    """Writes variables and gives those that a reader finds."""

    def read_back(file_format, reader, values):
        code, complaint = write(file_format, values)
        assert code == 0, complaint
        try:
            found = getattr(readers, reader)(write.file, list(values))
        except readers.Optional as reason:
            pytest.skip(str(reason))
        except readers.Unavailable as reason:
            _unavailable(str(reason))
        return {name: found[name] for name in values if name in found}

    return read_back


def _unavailable(reason):
    """Skips, but not in CI, where a machine that cannot run these tests is the wrong one."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
