"""The manifests of the seed scenario bring the secret to the app, and a new one to the running app."""

import hashlib
import shutil

import pytest

import seed
from canaries import NEW, OLD
from hardening import assert_hardened
from waiting import eventually


@pytest.fixture(autouse=True)
def _kubectl():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in deploy/seed")


def shown(app):
    """What the demonstration app has shown of SECRET, without the time."""
    lines = [line.split(" ", 1)[1] for line in app.output().splitlines()]
    return [line for line in lines if line.startswith("SECRET: ")]


def fingerprint(value):
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"SECRET: {len(value)} characters, fingerprint {digest[:12]}"


def wait_until_shown(app, *values):
    expected = [fingerprint(value) for value in values]
    eventually(f"{len(expected)} values", lambda: len(shown(app)) >= len(expected))
    assert shown(app) == expected


def test_exec(pods, mount, tmp_path):
    app = pods.play(seed.pod("exec", mount, tmp_path))["app"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(app, OLD, NEW)
    assert app.exec("/akv-agent/akv-agent", "probe", "ready").returncode == 0
    app.signal("TERM")
    assert app.exit_code() == 0


def test_sidecar(pods, mount, tmp_path):
    document = seed.pod("sidecar", mount, tmp_path)
    # The vault's address is that of the real cloud, which is out of reach; the volume is not.
    seed.replace_variables(
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
    app = pods.play(seed.pod("init", mount, tmp_path))["app"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
