"""examples/distroless: an image without a shell gets its token, and the next one after a rotation."""

import shutil
import subprocess
import sys
import tarfile

import pytest

import host_toolchain
from canaries import NEW_KEY, OLD_KEY
from hardening import assert_hardened
from images import AGENT, ROOT
from kubelet import Kubelet, Workload
from sources import Mount
from waiting import eventually

EXAMPLE = ROOT / "examples" / "distroless"
IMAGE = "localhost/token-service:test"
# Prints what the service answers to the token on standard input, and nothing where nobody listens.
ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
try:
    connection.request("GET", "/", headers={"Authorization": "Bearer " + sys.stdin.read()})
    print(connection.getresponse().status)
except OSError:
    pass
"""


@pytest.fixture(scope="module")
def image(podman, tmp_path_factory):
    """By the example's own Dockerfile."""
    for tool in ("kubectl", "nsenter", "rustc"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    host_toolchain.build(podman, tmp_path_factory.mktemp("image") / "toolchain")
    podman("build", "--tag", IMAGE, *host_toolchain.options("none"), EXAMPLE)
    return IMAGE


@pytest.fixture
def mount(tmp_path):
    mount = Mount(tmp_path / "secrets-store")
    mount.write(**{"api-token": OLD_KEY})
    return mount


@pytest.fixture
def app(pods, image, mount, tmp_path):
    images = {"install-akv-agent": AGENT, "app": image}
    kubelet = Kubelet(pods.create(), Workload(EXAMPLE), tmp_path / "volumes", images, mount.directory)
    return kubelet.start()["app"]


def answer(app, token):
    network = f"--net=/proc/{app.inspect('State.Pid')}/ns/net"
    command = ["nsenter", network, sys.executable, "-c", ASK]
    return subprocess.run(command, input=token, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def files(podman, image, archive):
    """What a container has that was made of this image, but for what podman puts into every one."""
    name = podman("create", "--network=none", image).stdout.strip()
    podman("export", "--output", archive, name)
    podman("rm", name)
    with tarfile.open(archive) as tar:
        return {item.name for item in tar.getmembers() if not item.isdir() and item.size}


def test_the_image_has_the_program_and_no_shell(podman, image, tmp_path):
    assert files(podman, image, tmp_path / "image.tar") == {"token-service"}


def test_a_new_token_reaches_a_program_without_a_shell(app, mount):
    eventually("an answer", lambda: answer(app, OLD_KEY) == "200")
    assert answer(app, NEW_KEY) == "401"
    assert_hardened(app)
    for shell in ("sh", "/bin/sh", "/bin/bash", "/busybox/sh"):
        assert app.exec(shell, "-c", "true").returncode == 127, shell
    # What there is instead.
    assert app.exec("/akv-agent/akv-agent", "probe", "ready").returncode == 0
    assert app.exec("/akv-agent/akv-agent", "check").returncode == 0

    container = app.inspect("State.Pid")
    [(first, _)] = programs(app)
    mount.write(**{"api-token": NEW_KEY})
    eventually("the new token", lambda: answer(app, NEW_KEY) == "200")
    assert answer(app, OLD_KEY) == "401"
    # Another process in the same container, by the same agent.
    [(second, parent)] = programs(app)
    assert (second != first, parent) == (True, 1)
    assert app.inspect("State.Pid") == container
    assert app.output() == "listening on 0.0.0.0:8080\n" * 2


def programs(app):
    return [(process.pid, process.ppid) for process in app.processes() if process.command == "token-service"]


def test_a_token_that_the_program_cannot_start_with_is_taken_back(app, mount):
    eventually("an answer", lambda: answer(app, OLD_KEY) == "200")
    mount.write(**{"api-token": ""})
    app.wait_for_error("was rejected")
    eventually("the old token again", lambda: answer(app, OLD_KEY) == "200")
