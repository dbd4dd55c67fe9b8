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


def build(podman, directory):
    """Builds all of them; the agent's by the repository's own Dockerfile."""
    _build(podman, AGENT, directory / "agent", ["AKV_AGENT_BIN"], ROOT / "Dockerfile", "--target=prebuilt")
    for image, binaries, text in [
        (APP, ["SAMPLE_APP_BIN", "DEV_VAULT_BIN"], APP_FILE),
        (SHELL, ["BUSYBOX_BIN"], SHELL_FILE),
    ]:
        file = directory / "Dockerfile"
        file.write_text(text)
        _build(podman, image, directory / "context", binaries, file)


def _build(podman, image, context, binaries, file, *options):
    context.mkdir()
    for variable in binaries:
        shutil.copy(os.environ[variable], context)
    podman("build", "--tag", image, "--network=none", "--file", file, *options, context)
    shutil.rmtree(context)
