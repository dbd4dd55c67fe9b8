"""The manifests of the seed scenario bring the secret to the app, and a new one to the running app."""

import shutil

import pytest

import built
from canaries import NEW, OLD
from demo_app import wait_until_shown
from hardening import assert_hardened


@pytest.fixture(autouse=True)
def _kubectl():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in deploy/seed")


def test_exec(pods, mount, tmp_path):
    app = pods.play(built.pod("seed/exec", mount, tmp_path))["app"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(app, OLD, NEW)
    assert app.exec("/akv-agent/akv-agent", "probe", "ready").returncode == 0
    app.signal("TERM")
    assert app.exit_code() == 0


def test_sidecar(pods, mount, tmp_path):
    document = built.pod("seed/sidecar", mount, tmp_path)
    # The vault's address is that of the real cloud, which is out of reach; the volume is not.
    built.replace_variables(
        document, "akv-agent", AKV_AGENT_VAULT=None, AKV_AGENT_ENV="SECRET=mount:ExamplePassword"
    )
    # No startup probe holds the app back here: it starts until the file is there.
    document["spec"]["restartPolicy"] = "Always"
    containers = pods.play(document)
    app, agent = containers["app"], containers["akv-agent"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
    assert_hardened(agent)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(app, OLD, NEW)
    assert agent.exec("akv-agent", "probe", "ready").returncode == 0


def test_init(pods, mount, tmp_path):
    app = pods.play(built.pod("seed/init", mount, tmp_path))["app"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
