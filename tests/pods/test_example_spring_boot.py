"""examples/spring-boot: a real Spring Boot app, which takes a new secret without being started anew."""

import hashlib
import hmac
import json
import re
import shutil
from pathlib import Path

import pytest

import canaries
from canaries import AWKWARD, NEW, OLD
from hardening import assert_hardened
from images import AGENT, ROOT, SHELL
from kubelet import Kubelet, Workload
from waiting import eventually

EXAMPLE = ROOT / "examples" / "spring-boot"
JAVA = "localhost/java:test"
APP = "localhost/spring-boot-example:test"
# The scripts of its package, which would link it into the path, were not run.
JAVA_HOME = "/usr/lib/jvm/default-java"
MESSAGE = "a message"
# A start takes some 15 seconds of CPU, and the machine may be busy.
START = 240
# As long as the example gives a verification, and somewhat more.
VERIFIED = 60
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def app_image(podman, debian, spring_boot_app):
    """The example's own Dockerfile, with Debian's Java in place of a registry's."""
    # What these load is not there in a headless runtime.
    desktop = ["*/libawt*.so", "*/libfontmanager.so"]
    java = debian.image(JAVA, ["default-jre-headless", "openjdk-*-jre-headless"], without=desktop)
    podman(
        "build", "--tag", APP, "--network=none", f"--build-arg=JAVA_IMAGE={java}", f"--env=PATH={JAVA_HOME}/bin",
        "--file", EXAMPLE / "app" / "Dockerfile", spring_boot_app.parents[1],
    )  # fmt: skip
    return APP


@pytest.fixture
def workload():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in examples/")
    return Workload(EXAMPLE)


def limit(workload):
    """The app's memory limit in bytes."""
    [app] = workload.spec["containers"]
    [mebibytes] = re.findall(r"^(\d+)Mi$", app["resources"]["limits"]["memory"])
    return int(mebibytes) * MEBIBYTE


def get(container, url):
    """What the app answers within the pod, or None while it does not or is not well."""
    done = container.exec("wget", "-q", "-O", "-", url)
    return done.stdout if done.returncode == 0 else None


class Process:
    """A container's first process as it is now."""

    def __init__(self, container):
        self.pid = int(container.inspect("State.Pid"))
        proc = Path("/proc") / str(self.pid)
        # After the name, which ends in the last parenthesis, the start time is the 20th field.
        self.start = (proc / "stat").read_text().rpartition(")")[2].split()[19]
        [kibibytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", (proc / "status").read_text(), re.MULTILINE)
        self.most_memory = int(kibibytes) << 10


def assert_on_loopback_alone(client, port):
    """Nobody outside the pod gets at that port."""
    listening = [line.split()[3] for line in client.exec("netstat", "-ltn").stdout.splitlines() if "LISTEN" in line]
    [address] = [address for address in listening if address.endswith(f":{port}")]
    assert address.removeprefix("::ffff:") == f"127.0.0.1:{port}", listening


class Shown:
    """What the app shows of its secret."""

    def __init__(self, client):
        self._client = client

    def answer(self):
        text = get(self._client, f"http://127.0.0.1:8080/signature?message={MESSAGE.replace(' ', '%20')}")
        return json.loads(text) if text else None

    def wait_for(self, value):
        """Waits until both the settings and what was built from them have this value."""
        signature = hmac.new(value.encode(), MESSAGE.encode(), hashlib.sha256).hexdigest()
        shown = {"characters": len(value), "signature": signature}
        eventually("the value in the app", lambda: shown.items() <= (self.answer() or {}).items())


def status(agent):
    return json.loads(agent.exec("akv-agent", "status", "--json").stdout)


def wait_for_status(agent, **expected):
    eventually(f"a status with {expected}", lambda: expected.items() <= status(agent).items())


def test_a_rotation_reaches_the_running_jvm(pods, mount, workload, app_image, tmp_path):
    pod = pods.create()
    kubelet = Kubelet(pod, workload, tmp_path / "volumes", {"akv-agent": AGENT, "app": app_image}, csi=mount.directory)
    # podman sets no limits here. The JVM reckons with the manifest's all the same.
    [options] = [item["value"] for item in workload.spec["containers"][0]["env"]]
    started = kubelet.start(env={"app": {"JDK_JAVA_OPTIONS": f"{options} -XX:MaxRAM={limit(workload)}"}})
    agent, app = started["akv-agent"], started["app"]
    client = pod.start("client", SHELL, "sleep", "2147483647")
    eventually("readiness of the app", lambda: get(client, "http://127.0.0.1:8080/readyz"), START)
    shown = Shown(client)
    shown.wait_for(OLD)
    first = Process(app)
    assert_hardened(app)
    assert_hardened(agent)
    assert_on_loopback_alone(client, 8081)
    assert get(client, "http://127.0.0.1:8081/actuator/env") is None

    mount.write(ExamplePassword=NEW)
    shown.wait_for(NEW)
    wait_for_status(agent, reactions=1, verifications={"success": 1, "failure": 0}, problems=[])
    mount.write(ExamplePassword=AWKWARD)
    shown.wait_for(AWKWARD)
    wait_for_status(agent, reactions=2, failedReactions=0, problems=[])

    # The refresh succeeds, and the app cannot work with what it got.
    mount.write(ExamplePassword="")
    eventually("a failed verification", lambda: status(agent)["verifications"]["failure"] >= 1, VERIFIED)
    [problem] = status(agent)["problems"]
    assert "/actuator/health/readiness" in problem
    assert get(client, "http://127.0.0.1:8080/readyz") is None
    assert get(client, "http://127.0.0.1:8080/livez")
    mount.write(ExamplePassword=OLD)
    shown.wait_for(OLD)
    wait_for_status(agent, problems=[])
    assert get(client, "http://127.0.0.1:8080/readyz")

    last = Process(app)
    assert (last.pid, last.start) == (first.pid, first.start)
    assert last.most_memory < limit(workload)
    said = app.output() + app.errors()
    assert "Refreshed keys : [EXAMPLE_PASSWORD]" in said
    assert not [canary for canary in canaries.ALL if canary in said]
    app.signal("TERM")
    # Ended by the signal, as the JVM shows it, after Spring has closed everything.
    assert app.exit_code() == 143
