"""`sidecar`: the agent keeps an env file up to date and signals the app in another container of the pod."""

import pytest

from canaries import NEW, NEW_KEY, OLD, OLD_KEY
from hardening import assert_hardened
from images import AGENT, APP
from podman import NON_ROOT
from sample_app import events, wait_for
from sources import MOUNT, Mount, Vault
from waiting import eventually

SETTINGS = {
    "AKV_AGENT_MOUNT": MOUNT,
    "AKV_AGENT_ENV": "SECRET=ExamplePassword",
    "AKV_AGENT_ENV_FILE": "/run/akv-agent/app.env",
    "AKV_AGENT_ON_CHANGE": "signal:HUP",
    "AKV_AGENT_TARGET": "process:sample-app",
}
APP_COMMAND = ("/sample-app", "--env-file=/run/akv-agent/app.env", "SECRET")


def probe(agent, which):
    """As the kubelet runs a probe in an image that has nothing but the agent."""
    return agent.exec("akv-agent", "probe", which).returncode


def wait_until_ready(agent):
    """Holds the app back as a native sidecar's startup probe does."""
    eventually(f"readiness of {agent.name}", lambda: probe(agent, "ready") == 0)


def test_a_rotation_signals_the_app_to_read_the_new_file(pods, mount, shared, tmp_path):
    pod = pods.create(share_pids=True)
    vault = Vault(pod, APP, tmp_path / "vault", {"api-key": OLD_KEY})
    volumes = [shared("env", "/run/akv-agent"), mount.volume, vault.volume]
    settings = SETTINGS | vault.settings() | {"AKV_AGENT_ENV": "SECRET=ExamplePassword,API_KEY=api-key"}
    agent = pod.start("agent", AGENT, "sidecar", env=settings, volumes=volumes)
    wait_until_ready(agent)
    # Neither the mount nor the identity is in the app's container.
    app = pod.start("app", APP, *APP_COMMAND, "API_KEY", volumes=[shared("env", "/run/akv-agent", ":ro")])
    first = wait_for(app, 1, "ready", SECRET=OLD, API_KEY=OLD_KEY)
    assert_hardened(agent)
    assert_hardened(app)

    mount.write(ExamplePassword=NEW)
    second = wait_for(app, 2, "reloaded", SECRET=NEW, API_KEY=OLD_KEY)
    vault.set("api-key", NEW_KEY)
    third = wait_for(app, 3, "reloaded", SECRET=NEW, API_KEY=NEW_KEY)
    assert first.pid == second.pid == third.pid

    [env_file] = [entry for entry in (tmp_path / "env").iterdir() if not entry.is_dir()]
    assert (env_file.name, oct(env_file.stat().st_mode & 0o7777)) == ("app.env", "0o440")

    agent.signal("TERM")
    assert agent.exit_code() == 0
    # The app goes on without it.
    assert app.inspect("State.Status") == "running"
    assert len(events(app)) == 3


def test_probes_tell_alive_from_ready(pods, shared, tmp_path):
    mount = Mount(tmp_path / "secrets-store")
    pod = pods.create()
    agent = pod.start(
        "agent", AGENT, "sidecar", env=SETTINGS, volumes=[mount.volume, shared("env", "/run/akv-agent")]
    )
    eventually("life", lambda: probe(agent, "live") == 0)
    assert probe(agent, "ready") == 1
    mount.write(ExamplePassword=OLD)
    wait_until_ready(agent)


@pytest.mark.parametrize(
    ("share_pids", "user", "remedy"),
    [(True, NON_ROOT + 1, "runAsUser"), (False, NON_ROOT, "shareProcessNamespace")],
    ids=["other-user", "other-namespace"],
)
def test_a_signal_that_cannot_arrive_is_explained(pods, mount, shared, share_pids, user, remedy):
    pod = pods.create(share_pids=share_pids)
    settings = SETTINGS | {"AKV_AGENT_ENV_FILE_MODE": "0444"}
    volumes = [shared("env", "/run/akv-agent")]
    agent = pod.start("agent", AGENT, "sidecar", env=settings, volumes=[*volumes, mount.volume])
    wait_until_ready(agent)
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes, user=user)
    wait_for(app, 1, "ready", SECRET=OLD)

    mount.write(ExamplePassword=NEW)
    agent.wait_for_error(remedy)
    # Whoever asks is told too, and what could be done was done: the file is new.
    assert remedy in agent.exec("akv-agent", "status").stdout
    app.signal("HUP")
    wait_for(app, 2, "reloaded", SECRET=NEW)
