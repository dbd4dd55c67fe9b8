"""Real pods: what they need from the machine, and what the tests share."""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Before they are imported, so that their assertions too show what was compared.
pytest.register_assert_rewrite("debian", "demo_app", "hardening", "kubelet", "podman", "postgresql", "sample_app", "sources")

import canaries
import images
from debian import Debian
from podman import HARDENED, Pod, Podman
from sources import Mount


@pytest.fixture(scope="session")
def podman():
    """The command with a storage of its own, which has the images and is gone afterwards."""
    reason = what_is_missing()
    if reason:
        unavailable(reason)
    # Short, because sockets lie below it and have short names.
    directory = Path(tempfile.mkdtemp(prefix="akv-agent-pods-"))
    podman = Podman(directory)
    try:
        try:
            images.build_shell(podman, directory)
            podman("run", "--rm", "--network=none", *HARDENED, images.SHELL, "true")
        except AssertionError as error:
            unavailable(f"podman cannot run containers on this machine: {error}")
        images.build(podman, directory)
        yield podman
    finally:
        podman("pod", "rm", "--all", "--force", "--time=0", check=False)
        podman("rmi", "--all", "--force", check=False)
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def debian(podman):
    """Makes images of real programs."""
    unpacked = os.environ.get("DEBIAN_PACKAGES", "")
    if not Path(unpacked, "root").is_dir():
        unavailable("DEBIAN_PACKAGES must name what scripts/fetch-debian has unpacked")
    return Debian(podman, unpacked)


@pytest.fixture(scope="session")
def spring_boot_app(podman):
    """The app of examples/spring-boot, as Maven built it."""
    jar = Path(os.environ.get("SPRING_BOOT_APP", ""))
    if not jar.is_file():
        unavailable("SPRING_BOOT_APP must name the app, which scripts/setup-tests builds with Maven")
    return jar


def unavailable(reason):
    """Skips, but not in CI, where a machine that cannot run these tests is the wrong one."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def what_is_missing():
    """Why there can be no pods here, or None."""
    if os.geteuid() != 0:
        return "real pods need root"
    programs = [program for program in ("podman", "runc") if not shutil.which(program)]
    if programs:
        return f"real pods need {' and '.join(programs)}"
    variables = ["AKV_AGENT_BIN", "DEV_VAULT_BIN", "SAMPLE_APP_BIN", "BUSYBOX_BIN"]
    unset = [name for name in variables if not Path(os.environ.get(name, "")).is_file()]
    if unset:
        return f"{', '.join(unset)} must name the programs that go into the images"
    return None


class Pods:
    """The pods of one test."""

    # A pod's name is its host name too, which may not be long.
    _numbers = itertools.count(1)

    def __init__(self, podman, directory):
        self._podman = podman
        self._directory = directory
        self._pods = []

    def create(self, **options):
        pod = Pod.create(self._podman, f"pod-{next(self._numbers)}", **options)
        self._pods.append(pod)
        return pod

    def play(self, document):
        """Gives the containers by the names that they have in the document."""
        pod = Pod.play(self._podman, document, self._directory)
        self._pods.append(pod)
        return {container.name.removeprefix(f"{pod.name}-"): container for container in pod.containers}

    def containers(self):
        return [container for pod in self._pods for container in pod.containers]

    def remove(self):
        for pod in self._pods:
            pod.remove()


@pytest.fixture
def pods(podman, tmp_path):
    """Makes pods, removes them, and sees to it that no agent has said a secret."""
    pods = Pods(podman, tmp_path)
    try:
        yield pods
        said = {container.name: container.errors() for container in pods.containers()}
    finally:
        pods.remove()
    for container, text in said.items():
        assert not [canary for canary in canaries.ALL if canary in text], f"{container} gave a secret away"


@pytest.fixture
def mount(tmp_path):
    """A volume in which the seed scenario's secret is."""
    mount = Mount(tmp_path / "secrets-store")
    mount.write(ExamplePassword=canaries.OLD)
    return mount


@pytest.fixture
def shared(tmp_path):
    """Makes a directory that containers share, as an emptyDir is."""

    def make(name, path, options=""):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        directory.chmod(0o777)
        return f"{directory}:{path}{options}"

    return make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Puts the scene beside a failure: what every container said."""
    report = yield
    pods = item.funcargs.get("pods")
    if report.failed and pods and call.when == "call":
        for container in pods.containers():
            report.sections.append((f"standard output of {container.name}", container.output()))
            report.sections.append((f"standard error of {container.name}", container.errors()))
    return report
