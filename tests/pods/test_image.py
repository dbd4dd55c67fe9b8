"""The image: what is in it, what it says of itself, and the ways to build it and to use it."""

import json
import os
import tarfile
import tomllib

import pytest

import host_toolchain
import podman as podman_module
from images import AGENT, ROOT, SHELL
from podman import HARDENED

IN_IMAGE = "usr/local/bin/akv-agent"
LABEL = "org.opencontainers.image."


@pytest.fixture
def source(podman, tmp_path, monkeypatch):
    """The image by the Dockerfile's own way, from source, in an image with this machine's compiler."""
    compile_it = os.environ.get("AKV_TEST_IMAGE_FROM_SOURCE") == "1"
    if compile_it:
        monkeypatch.setattr(podman_module, "COMMAND_TIMEOUT", 3600)
    host_toolchain.build(podman, tmp_path / "toolchain", None if compile_it else os.environ["AKV_AGENT_BIN"])
    options = host_toolchain.options("host" if compile_it else "none")
    podman("build", "--tag", "localhost/akv-agent:source", *options, ROOT)
    return "localhost/akv-agent:source"


def files(podman, image, directory):
    """What is in the layers, by name."""
    directory.mkdir()
    podman("save", "--format", "oci-dir", "--output", directory / "oci", image)
    blobs = directory / "oci" / "blobs" / "sha256"
    index = json.loads((directory / "oci" / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].split(":")[1]).read_text())
    found = {}
    for layer in manifest["layers"]:
        with tarfile.open(blobs / layer["digest"].split(":")[1]) as tar:
            found |= {item.name: item for item in tar.getmembers()}
    return found


def settings(podman, image):
    [inspected] = json.loads(podman("image", "inspect", image).stdout)
    return inspected


def assert_right(podman, image, directory):
    """Whichever way it was built."""
    found = files(podman, image, directory)
    assert {name for name, item in found.items() if not item.isdir()} == {IN_IMAGE}
    binary = found[IN_IMAGE]
    assert (binary.mode & 0o7777, binary.uid, binary.gid) == (0o755, 0, 0)
    config = settings(podman, image)["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == [f"/{IN_IMAGE}"]
    assert "Cmd" not in config and "ExposedPorts" not in config and "Volumes" not in config
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    labels = {key.removeprefix(LABEL): value for key, value in config["Labels"].items() if key.startswith(LABEL)}
    assert labels["version"] == package["version"] and labels["licenses"] == package["license"]
    assert {"title", "description", "source", "url", "documentation"} <= labels.keys()
    assert labels["documentation"].endswith(f"/v{package['version']}/README.md")


def test_the_image_is_the_binary_and_nothing_else(podman, tmp_path):
    assert_right(podman, AGENT, tmp_path / "image")
    size = os.path.getsize(os.environ["AKV_AGENT_BIN"])
    assert size <= settings(podman, AGENT)["Size"] <= size + 64 * 1024


def test_the_dockerfile_builds_from_source_without_a_registry(podman, source, tmp_path):
    assert_right(podman, source, tmp_path / "image")
    done = podman("run", "--rm", "--network=none", *HARDENED, source, "schema")
    assert done.stdout == (ROOT / "src" / "config" / "schema.json").read_text()


def test_the_same_binary_makes_the_same_image(podman, tmp_path):
    def built(name):
        context = tmp_path / name
        context.mkdir()
        # Another time of change, which must not matter.
        (context / "akv-agent").write_bytes(b"a program")
        os.utime(context / "akv-agent", (len(name), len(name)))
        podman(
            "build", "--tag", f"localhost/{name}:test", "--network=none", "--timestamp=0", "--no-cache",
            "--file", ROOT / "Dockerfile", "--target=prebuilt", context,
        )  # fmt: skip
        return settings(podman, f"localhost/{name}:test")["Digest"]

    assert built("one") == built("another")


def test_it_works_as_an_image_volume(podman):
    """As `volumes[].image` brings it to a container of another image: read-only, and run from there."""
    mount = f"--mount=type=image,source={AGENT},destination=/akv"
    agent = f"/akv/{IN_IMAGE}"
    run = ("run", "--rm", "--network=none", "--user=1000:1000", *HARDENED, mount, SHELL)
    assert podman(*run, agent, "schema").stdout.startswith("{")
    done = podman(*run, agent, "exec", "--no-watch", "--", "sh", "-c", "echo started", check=False)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr
    assert "Read-only" in podman(*run, "sh", "-c", "touch /akv/file", check=False).stderr
