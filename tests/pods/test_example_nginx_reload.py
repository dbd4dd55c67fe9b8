"""examples/nginx-reload: a real nginx serves each new certificate, and nobody notices that it reloads."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import images
from certificates import NAME, Authority, key_lines
from hardening import assert_hardened
from images import ROOT
from kubelet import Kubelet, Workload
from sources import Mount
from waiting import eventually

EXAMPLE = ROOT / "examples" / "nginx-reload"
FILE = "web-tls"
PORT = 8443
# That of nginx in its image.
USER = 101
ROTATIONS = 10
RELOAD = re.compile(r"\[notice\] (\d+)#\d+: signal 1 \(SIGHUP\) received from \d+, (\w+)")


@pytest.fixture(autouse=True)
def _tools():
    for tool in ("kubectl", "openssl", "nsenter"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


class Scene:
    """The pod of the example, and what its volume has."""

    def __init__(self, kustomization, pods, debian, authority, directory):
        nginx = debian.image("localhost/nginx:test", ["nginx"])
        self.authority = authority
        self.directory = directory
        self.mount = Mount(directory / "secrets-store")
        self.issued = []
        self.rotate()
        workload = Workload(kustomization)
        assert workload.spec["shareProcessNamespace"]
        containers = {"nginx": nginx, "akv-agent": images.AGENT}
        pod = pods.create(share_pids=True)
        started = Kubelet(pod, workload, directory / "volumes", containers, self.mount.directory).start()
        self.nginx, self.agent = started["nginx"], started["akv-agent"]
        self.run_directory = directory / "volumes" / "nginx-run"
        eventually("nginx", lambda: "start worker process" in self.nginx.errors())

    def rotate(self):
        """A new certificate, as the driver writes it; gives its serial number."""
        serial = 1000 + len(self.issued)
        self.issued.append(self.authority.issue(serial))
        self.mount.write(**{FILE: self.issued[-1]})
        return serial

    def enter(self, *command, **options):
        """A process of this machine in the pod's network."""
        return ["nsenter", f"--net=/proc/{self.nginx.inspect('State.Pid')}/ns/net", *command]

    def served(self):
        """The serial number of the certificate that a new client sees."""
        command = self.enter("openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", "-servername", NAME)
        shown = _output(*command)
        return int(_output("openssl", "x509", "-noout", "-serial", given=shown).partition("=")[2], 16)

    def reloads(self):
        """Each SIGHUP that nginx wrote down: who got it, and what he did."""
        return RELOAD.findall(self.nginx.errors())

    def said(self):
        return "".join(one.output() + one.errors() for one in (self.nginx, self.agent))


def _output(*command, given=""):
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=30, check=True).stdout


def workers(master):
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()


def assert_nobody_noticed(scene, rotations):
    master = scene.nginx.inspect("State.Pid")
    begin = Path(f"/proc/{master}/stat").read_text().rpartition(")")[2].split()[19]
    first_workers = workers(master)
    assert len(first_workers) == 2

    command = [sys.executable, Path(__file__).with_name("https_load.py"), scene.authority.file, NAME, str(PORT)]
    seen = scene.directory / "seen"
    with seen.open("w") as output:
        load = subprocess.Popen(scene.enter(*command), stdin=subprocess.PIPE, stdout=output, text=True)
    try:
        for _ in range(rotations):
            eventually("the first clients", seen.read_text)
            serial = scene.rotate()
            eventually(f"certificate {serial}", lambda: str(serial) in seen.read_text().splitlines())
    finally:
        load.communicate(timeout=60)
    *serials, result = seen.read_text().splitlines()
    assert serials == [str(1000 + number) for number in range(rotations + 1)]
    result = json.loads(result)
    assert result["failures"] == []
    assert min(result["kept"], result["new"]) > 10 * rotations, result

    # The master, which is as it was, was told once for each; no worker was, and none was killed.
    [pid] = {pid for pid, _ in scene.reloads()}
    assert pid == (scene.run_directory / "nginx.pid").read_text().strip()
    assert [what for _, what in scene.reloads()] == ["reconfiguring"] * rotations
    assert scene.nginx.inspect("State.Pid") == master
    assert Path(f"/proc/{master}/stat").read_text().rpartition(")")[2].split()[19] == begin
    eventually("the end of earlier workers", lambda: len(workers(master)) == 2)
    assert not set(workers(master)) & set(first_workers)
    assert "exited on signal" not in scene.nginx.errors()
    status = json.loads(scene.agent.exec("akv-agent", "status", "--json").stdout)
    assert status["problems"] == []


def test_every_certificate_is_served_and_no_request_fails(pods, debian, authority, tmp_path):
    scene = Scene(EXAMPLE, pods, debian, authority, tmp_path)
    for container in (scene.nginx, scene.agent):
        assert_hardened(container, USER)
    assert_nobody_noticed(scene, ROTATIONS)
    said = scene.said()
    assert not [line for pem in scene.issued for line in key_lines(pem) if line in said]


def test_what_is_no_certificate_is_not_told(pods, debian, authority, tmp_path):
    scene = Scene(EXAMPLE, pods, debian, authority, tmp_path)
    assert scene.served() == 1000
    scene.mount.write(**{FILE: "neither key nor certificate"})
    scene.agent.wait_for_error("it is no certificate")
    assert scene.reloads() == []
    assert scene.served() == 1000
    serial = scene.rotate()
    eventually("the next certificate", lambda: scene.served() == serial)
    assert len(scene.reloads()) == 1


def test_what_nginx_refuses_leaves_it_as_it_was(pods, debian, authority, tmp_path):
    scene = Scene(EXAMPLE, pods, debian, authority, tmp_path)
    key, _, _ = authority.issue(1).partition("-----BEGIN CERTIFICATE-----")
    _, mark, certificate = authority.issue(2).partition("-----BEGIN CERTIFICATE-----")
    scene.mount.write(**{FILE: key + mark + certificate})
    scene.nginx.wait_for_error("key values mismatch")
    assert scene.served() == 1000
    serial = scene.rotate()
    eventually("the next certificate", lambda: scene.served() == serial)


def test_an_ordinary_sidecar_does_the_same(pods, debian, authority, tmp_path):
    """As the README changes the example for versions without native sidecars."""
    for name in ("deploy", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    example = tmp_path / "examples" / "nginx-reload"
    for file in (example / "deployment.yaml", example / "kustomization.yaml"):
        text = file.read_text()
        assert text.count("native-sidecar") == 1
        file.write_text(text.replace("native-sidecar", "sidecar"))
    [patch] = re.findall(r"^```yaml\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.M | re.S)
    with (example / "kustomization.yaml").open("a") as kustomization:
        kustomization.write(patch)
    scene = Scene(example, pods, debian, authority, tmp_path)
    for container in (scene.nginx, scene.agent):
        assert_hardened(container, USER)
    assert_nobody_noticed(scene, 2)
