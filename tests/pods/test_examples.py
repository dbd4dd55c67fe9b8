"""What the examples of deploy/ promise, as far as it can be seen without a kubelet, whose part the tests take."""

import shutil

import pytest

import built
from canaries import NEW, OLD
from demo_app import wait_until_shown
from hardening import assert_hardened
from waiting import eventually

EXAMPLES = "kustomize/examples"
ENDS = "the agent ends because of a change"


@pytest.fixture(autouse=True)
def _kubectl():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in deploy/kustomize")


def play(pods, mount, directory, name, restart_policy, **settings):
    """Without startup probes the app may be started too early, and has to be started again. `settings` are the agent's."""
    document = built.pod(f"{EXAMPLES}/{name}", mount, directory)
    document["spec"]["restartPolicy"] = restart_policy
    if settings:
        [agent] = [container for container in document["spec"]["containers"] if container["name"] == "akv-agent"]
        agent["env"] = [{"name": f"AKV_AGENT_{setting}", "value": value} for setting, value in settings.items()]
    return pods.play(document)


def test_one_agent_tells_every_container_that_shares_it(pods, mount, tmp_path):
    containers = play(pods, mount, tmp_path, "shared-agent", "Always")
    told = [containers["web"], containers["worker"]]
    for app in told:
        wait_until_shown(app, OLD)
    for container in containers.values():
        assert_hardened(container)
    mount.write(ExamplePassword=NEW)
    for app in told:
        wait_until_shown(app, OLD, NEW)
    assert containers["stranger"].exec("ls", "/run/akv-agent").returncode != 0


def test_what_an_init_container_wrote_outlives_a_rotation_and_a_restart(pods, mount, tmp_path):
    app = play(pods, mount, tmp_path, "file-key-ref-init", "Never")["app"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    app.restart()
    wait_until_shown(app, OLD, OLD)


def test_an_app_that_is_told_to_end_is_started_with_the_new_value(pods, mount, tmp_path):
    containers = play(pods, mount, tmp_path, "file-key-ref-sidecar", "Always")
    app, agent = containers["app"], containers["akv-agent"]
    wait_until_shown(app, OLD)
    for container in containers.values():
        assert_hardened(container)
    mount.write(ExamplePassword=NEW)
    # The app ends of the signal, and whoever plays the kubelet starts its container anew.
    wait_until_shown(app, OLD, NEW)
    assert agent.inspect("RestartCount") == "0"


def test_a_replica_is_told_within_its_splay(pods, mount, tmp_path):
    # A minute, as the example has it, is long for a test.
    containers = play(pods, mount, tmp_path, "stateful-set", "Always", SPLAY="2s")
    wait_until_shown(containers["app"], OLD)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(containers["app"], OLD, NEW)
    assert_hardened(containers["app"])


def test_an_agent_that_ends_on_a_change_ends_once(pods, mount, tmp_path):
    containers = play(pods, mount, tmp_path, "restart-all-containers", "Always")
    app, agent = containers["app"], containers["akv-agent"]
    wait_until_shown(app, OLD)
    mount.write(ExamplePassword=NEW)
    agent.wait_for_error(f"{ENDS} code=42")
    eventually("the next agent", lambda: agent.exec("akv-agent", "probe", "ready").returncode == 0)
    # As the kubelet does with every container of the pod.
    app.podman("restart", "--time=5", app.name)
    wait_until_shown(app, OLD, NEW)
    assert agent.errors().count(ENDS) == 1
    assert_hardened(agent)


def test_a_wrapper_that_ends_on_a_change_starts_over_with_the_new_value(pods, mount, tmp_path):
    app = play(pods, mount, tmp_path, "restart-rules", "Never")["app"]
    eventually("the first step", lambda: f"step 1, a secret of {len(OLD)} characters" in app.output())
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    assert app.exit_code() == 42
    app.podman("start", app.name)
    eventually("the first step again", lambda: f"step 1, a secret of {len(NEW)} characters" in app.output())
