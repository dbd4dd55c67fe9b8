"""What the tests of deploy/azure share: the real az's parser, and a small Azure to run the script against."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
AZURE_ENV = "seed/base/azure.env"
sys.path.insert(0, str(HERE / "fake"))

from cloud import Cloud, empty  # noqa: E402 - found by the line above
from parsing import Parser  # noqa: E402


@pytest.fixture(scope="session")
def azure_python():
    """The interpreter of the environment that azure-cli is installed in."""
    python = Path(os.environ.get("AZURE_CLI_PYTHON", ROOT / "target/tools/azure-cli/bin/python"))
    if not python.exists():
        pytest.skip("no Azure CLI: scripts/setup-tests installs it")
    return python


@pytest.fixture(scope="session")
def az_parser(azure_python):
    # Beside the environment, because az keeps an index of its commands there.
    parser = Parser(azure_python, azure_python.parents[1] / "config")
    yield parser
    parser.close()


@pytest.fixture(scope="session")
def azure_socket(azure_python):
    """Where the small Azure listens."""
    # A short path: that of a socket is limited.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "azure"
        azure = subprocess.Popen([azure_python, HERE / "fake/azure.py", path], stdout=subprocess.PIPE, text=True)
        assert azure.stdout.readline() == "listening\n"
        yield path
        azure.terminate()
        azure.wait(timeout=60)


class Done:
    def __init__(self, process, commands, kubectl):
        self.status = process.returncode
        self.said = process.stderr
        self.output = process.stdout
        self.commands = commands
        self.kubectl = kubectl

    @property
    def changes(self):
        """The commands that the script itself announced as changes, as it printed them."""
        return [line[2:] for line in self.said.splitlines() if line.startswith("+ ")]


class World:
    """A small Azure, a copy of deploy/, and the programs that the script finds on its PATH."""

    def __init__(self, directory, parser, socket):
        self._parser = parser
        self.deploy = Path(shutil.copytree(ROOT / "deploy", directory / "deploy"))
        self._state = directory / "state.json"
        self._state.write_text(json.dumps(empty()))
        self._calls = {program: directory / f"{program}.calls" for program in ("az", "kubectl")}
        programs = directory / "bin"
        programs.mkdir()
        for program in ("az", "kubectl"):
            # Isolated and without site packages, which take longer to find than all the rest.
            run = f"import sys; sys.path.insert(0, {str(HERE / 'fake')!r}); import {program}"
            self._stub(programs / program, f"#!{sys.executable} -IS\n{run}\n{program}.main()\n")
        # The script waits for nothing that time brings here.
        self._stub(programs / "sleep", "#!/bin/sh\n")
        self._env = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "FAKE_AZ_SOCKET": str(socket),
            "FAKE_AZ_STATE": str(self._state),
            "FAKE_AZ_CALLS": str(self._calls["az"]),
            "FAKE_KUBECTL_CALLS": str(self._calls["kubectl"]),
            "FAKE_DEMO_APP": str(self.deploy / "seed/demo-app/demo-app.sh"),
            "REAL_KUBECTL": shutil.which("kubectl") or "",
        }

    @staticmethod
    def _stub(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *args, **variables):
        """Runs the script, and has every command that it gave to az parsed by the real one."""
        if "apply" in args and not shutil.which("kubectl"):
            pytest.skip("needs kubectl to build the manifests")
        for calls in self._calls.values():
            calls.write_text("")
        process = subprocess.run(
            ["bash", self.deploy / "azure/azure.sh", *args],
            env={**self._env, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        az, kubectl = (
            [json.loads(line) for line in self._calls[program].read_text().splitlines()] for program in self._calls
        )
        assert self._parser.problems(az) == {}
        return Done(process, az, kubectl)

    def must(self, *args, **variables):
        done = self.run(*args, **variables)
        assert done.status == 0, done.said
        return done

    @property
    def azure(self):
        return Cloud(self._state)

    def change(self, **more):
        """Something that happens in Azure without the script."""
        cloud = self.azure
        cloud.state.update(more)
        cloud.save()

    def state(self):
        return self.azure.state

    def azure_env(self):
        lines = (self.deploy / AZURE_ENV).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


@pytest.fixture
def world(tmp_path, az_parser, azure_socket):
    """An empty subscription."""
    return World(tmp_path, az_parser, azure_socket)


@pytest.fixture(scope="session")
def after_up(tmp_path_factory, az_parser, azure_socket):
    """What `up` leaves on an empty subscription: Azure's state, and azure.env."""
    world = World(tmp_path_factory.mktemp("up"), az_parser, azure_socket)
    world.must("up")
    return world.state(), (world.deploy / AZURE_ENV).read_text()


@pytest.fixture
def made(world, after_up):
    """A subscription in which `up` has been run."""
    state, azure_env = after_up
    world.change(**state)
    (world.deploy / AZURE_ENV).write_text(azure_env)
    return world
