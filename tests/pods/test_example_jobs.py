"""examples/jobs: tasks that end, what a rotation in the middle does to them, and their exit codes."""

import re
import shutil

import pytest

from canaries import NEW, OLD
from hardening import assert_hardened
from images import AGENT, ROOT, SHELL
from kubelet import Kubelet, Workload
from waiting import eventually

STEPS = 10
IMAGES = {"install-akv-agent": AGENT, "akv-agent": AGENT, "app": SHELL}


@pytest.fixture
def start(pods, mount, tmp_path):
    """Starts the pod of one of the Jobs, whose task may be another script; gives its containers."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in examples/")

    def start(name, script=None):
        workload = Workload(ROOT / "examples" / "jobs", name)
        [app] = workload.spec["containers"]
        app["args"] = [script] if script else app["args"]
        return Kubelet(pods.create(), workload, tmp_path / name, IMAGES, csi=mount.directory).start()

    return start


def lengths(app):
    """Of the secret that each step had, in the order of the steps, of which none may be missing or done twice."""
    shown = re.findall(r"^step (\d+) with a secret of (\d+) characters$", app.output(), re.M)
    assert [int(step) for step, _ in shown] == list(range(1, len(shown) + 1))
    return [int(length) for _, length in shown]


def test_a_task_under_exec_ends_with_the_secret_that_it_began_with(start, mount):
    app = start("jobs-exec")["app"]
    eventually("the first step", lambda: lengths(app))
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    app.wait_for_error("snapshot applied changed=SECRET")
    assert app.exit_code() == 0
    # Seen while the task ran, and without a second start.
    assert app.errors().count("child started") == 1
    assert app.errors().index("changed=SECRET") < app.errors().index("child ended")
    assert lengths(app) == [len(OLD)] * STEPS


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -KILL $$", 137), ("exec /no-such-program", 127)])
def test_exec_ends_as_the_task_did(start, script, code):
    assert start("jobs-exec", script)["app"].exit_code() == code


def test_a_task_that_is_told_to_end_ends_by_itself(start):
    app = start("jobs-exec", "trap 'echo stopped; exit 3' TERM; echo ready; while :; do sleep 1; done")["app"]
    eventually("the task", lambda: app.output() == "ready\n")
    app.signal("TERM")
    assert app.exit_code() == 3
    assert app.output() == "ready\nstopped\n"


def test_a_task_with_a_sidecar_goes_on_with_the_new_secret_and_the_sidecar_ends_when_told(start, mount):
    containers = start("jobs-sidecar")
    app, agent = containers["app"], containers["akv-agent"]
    eventually("the first step", lambda: lengths(app))
    assert_hardened(app)
    assert_hardened(agent)
    mount.write(ExamplePassword=NEW)
    assert app.exit_code() == 0
    seen = lengths(app)
    assert len(seen) == STEPS
    # Once new, it stays new.
    assert seen == sorted(seen, reverse=len(NEW) < len(OLD)) and set(seen) == {len(OLD), len(NEW)}
    # As the kubelet does once the last container of the task has ended.
    assert agent.inspect("State.Status") == "running"
    agent.signal("TERM")
    assert agent.exit_code() == 0


def test_a_task_that_fails_beside_a_sidecar_is_not_hidden_by_it(start):
    containers = start("jobs-sidecar", ". /run/akv-agent/app.env; exit 7")
    assert containers["app"].exit_code() == 7
    containers["akv-agent"].signal("TERM")
    assert containers["akv-agent"].exit_code() == 0
