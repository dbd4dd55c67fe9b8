"""The images of these tests, all of them from scratch: no registry is asked for anything."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

AGENT = "localhost/akv-agent:test"
# The sample app and the vault.
APP = "localhost/sample-app:test"
# A shell and its tools.
SHELL = "localhost/busybox:test"

APP_FILE = """
FROM scratch
COPY sample-app dev-vault /
"""
SHELL_FILE = """
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]
CMD ["/bin/sh"]
"""


def build_shell(podman, directory):
    """Builds the one that has nothing of this repository in it."""
    _build(podman, SHELL, directory, ["BUSYBOX_BIN"], _file(directory, SHELL_FILE))


def build(podman, directory):
    """Builds the others; the agent's by the repository's own Dockerfile."""
    _build(podman, AGENT, directory, ["AKV_AGENT_BIN"], ROOT / "Dockerfile", "--target=prebuilt")
    _build(podman, APP, directory, ["SAMPLE_APP_BIN", "DEV_VAULT_BIN"], _file(directory, APP_FILE))


def _file(directory, text):
    file = directory / "Dockerfile"
    file.write_text(text)
    return file


def _build(podman, image, directory, binaries, file, *options):
    context = directory / "context"
    context.mkdir()
    for variable in binaries:
        shutil.copy(os.environ[variable], context)
    podman("build", "--tag", image, "--network=none", "--file", file, *options, context)
    shutil.rmtree(context)
