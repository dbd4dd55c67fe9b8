"""`sidecar`: the agent keeps an env file up to date and signals the app in another container of the pod."""

import errno
import json

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

    modes = {entry.name: oct(entry.stat().st_mode & 0o7777) for entry in (tmp_path / "env").iterdir()}
    assert modes == {"app.env": "0o440", ".app.env.akv-agent-state": "0o600"}

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


def status(agent):
    return json.loads(agent.exec("akv-agent", "status", "--json").stdout)


def target(agent):
    """Whom the agent would signal, and whether that would work."""
    return status(agent)["target"]


def wait_for_target(agent, state):
    eventually(f"a target that is {state}", lambda: target(agent)["state"] == state)
    return target(agent)


@pytest.mark.parametrize(
    ("share_pids", "user", "state", "parts"),
    [
        (True, NON_ROOT + 1, "unreachable", [f"runs as user {NON_ROOT + 1}", f"as user {NON_ROOT} ", "`runAsUser`"]),
        (False, NON_ROOT, "unreachable", ["`shareProcessNamespace: true`"]),
    ],
    ids=["other-user", "other-namespace"],
)
def test_a_signal_that_could_not_arrive_is_explained_before_there_is_one(
    pods, mount, shared, share_pids, user, state, parts
):
    pod = pods.create(share_pids=share_pids)
    settings = SETTINGS | {"AKV_AGENT_ENV_FILE_MODE": "0444"}
    volumes = [shared("env", "/run/akv-agent")]
    agent = pod.start("agent", AGENT, "sidecar", env=settings, volumes=[*volumes, mount.volume])
    wait_until_ready(agent)
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes, user=user)
    wait_for(app, 1, "ready", SECRET=OLD)

    # Nothing has changed yet. Without a word to the agent, whose app has come only now.
    agent.wait_for_error("a signal would not arrive")
    found = wait_for_target(agent, state)
    check = agent.exec("akv-agent", "check")
    assert check.returncode != 0
    for part in parts:
        assert part in agent.errors()
        assert part in found["detail"]
        assert part in status(agent)["problems"][0]
        assert part in check.stdout

    mount.write(ExamplePassword=NEW)
    agent.wait_for_error("the app was not told of a change")
    # Whoever asks is told too, and what could be done was done: the file is new.
    for part in parts:
        assert part in agent.exec("akv-agent", "status").stdout
    app.signal("HUP")
    wait_for(app, 2, "reloaded", SECRET=NEW)


def test_with_a_shared_namespace_an_app_that_is_not_there_yet_is_no_problem(pods, mount, shared):
    pod = pods.create(share_pids=True)
    volumes = [shared("env", "/run/akv-agent")]
    agent = pod.start("agent", AGENT, "sidecar", env=SETTINGS, volumes=[*volumes, mount.volume])
    wait_until_ready(agent)
    agent.wait_for_error("no process is called 'sample-app'")
    assert target(agent)["state"] == "absent"
    assert status(agent)["problems"] == []
    assert agent.exec("akv-agent", "check").returncode == 0
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes)
    started = wait_for(app, 1, "ready", SECRET=OLD)
    agent.wait_for_error(f"the target is process {started.pid}")
    assert wait_for_target(agent, "reachable")["pids"] == [started.pid]


def test_the_capability_to_kill_reaches_an_app_of_another_user(pods, mount, shared):
    pod = pods.create(share_pids=True)
    settings = SETTINGS | {"AKV_AGENT_ENV_FILE_MODE": "0444"}
    volumes = [shared("env", "/run/akv-agent")]
    # As user 0: podman would give an added capability to any other too, Kubernetes does not.
    agent = pod.start(
        "agent", AGENT, "sidecar", env=settings, volumes=[*volumes, mount.volume], user=0, also=["--cap-add=KILL"]
    )
    wait_until_ready(agent)
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes)
    started = wait_for(app, 1, "ready", SECRET=OLD)
    assert wait_for_target(agent, "reachable")["pids"] == [started.pid]
    mount.write(ExamplePassword=NEW)
    wait_for(app, 2, "reloaded", SECRET=NEW)


def test_an_app_is_found_by_its_command_line_and_again_after_its_restart(pods, mount, shared):
    pod = pods.create(share_pids=True)
    settings = SETTINGS | {"AKV_AGENT_TARGET": "cmdline:^/sample-app .* SECRET$"}
    volumes = [shared("env", "/run/akv-agent")]
    agent = pod.start("agent", AGENT, "sidecar", env=settings, volumes=[*volumes, mount.volume])
    wait_until_ready(agent)
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes)
    # The same program, in a container that is none of the agent's business.
    other = pod.start("other", APP, *APP_COMMAND, "OTHER", volumes=volumes)
    first = wait_for(app, 1, "ready", SECRET=OLD)
    wait_for(other, 1, "ready", SECRET=OLD, OTHER=None)
    assert wait_for_target(agent, "reachable")["pids"] == [first.pid]
    mount.write(ExamplePassword=NEW)
    wait_for(app, 2, "reloaded", SECRET=NEW)

    app.restart()
    eventually("another start", lambda: events(app)[-1].kind == "ready")
    count = len(events(app))
    second = events(app)[-1]
    assert second.pid != first.pid
    mount.write(ExamplePassword=OLD)
    third = wait_for(app, count + 1, "reloaded", SECRET=OLD)
    assert third.pid == second.pid
    assert wait_for_target(agent, "reachable")["pids"] == [second.pid]
    assert [event.kind for event in events(other)] == ["ready"]


def test_a_profile_that_forbids_pidfds_does_not_stop_signals(pods, mount, shared, tmp_path):
    """As on kernels that do not have them."""
    profile = tmp_path / "seccomp.json"
    forbidden = {"names": ["pidfd_open", "pidfd_send_signal"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [forbidden]}))
    pod = pods.create(share_pids=True)
    volumes = [shared("env", "/run/akv-agent")]
    app = pod.start("app", APP, *APP_COMMAND[:1], "SECRET")
    wait_for(app, 1, "ready", SECRET=None)
    agent = pod.start(
        "agent", AGENT, "sidecar", env=SETTINGS, volumes=[*volumes, mount.volume],
        also=[f"--security-opt=seccomp={profile}"],
    )  # fmt: skip
    wait_until_ready(agent)
    agent.wait_for_error("processes are signalled by their ids")
    for count, value in enumerate([NEW, OLD], start=2):
        mount.write(ExamplePassword=value)
        wait_for(app, count, "reloaded", SECRET=None)
    assert agent.errors().count("processes are signalled by their ids") == 1


def test_a_rotation_while_the_agent_is_down_is_told_when_it_is_back_and_nothing_else(pods, mount, shared):
    pod = pods.create(share_pids=True)
    volumes = [shared("env", "/run/akv-agent")]
    agent = pod.start("agent", AGENT, "sidecar", env=SETTINGS, volumes=[*volumes, mount.volume])
    wait_until_ready(agent)
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes)
    wait_for(app, 1, "ready", SECRET=OLD)
    for _ in range(2):
        agent.restart()
        wait_until_ready(agent)
    agent.signal("TERM")
    assert agent.exit_code() == 0
    assert len(events(app)) == 1

    mount.write(ExamplePassword=NEW)
    agent.restart()
    wait_for(app, 2, "reloaded", SECRET=NEW)


def test_an_app_that_was_started_after_the_file_was_written_gets_no_signal(pods, mount, shared, tmp_path):
    pod = pods.create(share_pids=True)
    volumes = [shared("env", "/run/akv-agent")]
    settings = SETTINGS | {"AKV_AGENT_SPLAY": "1h"}
    agent = pod.start("agent", AGENT, "sidecar", env=settings, volumes=[*volumes, mount.volume])
    wait_until_ready(agent)
    app = pod.start("app", APP, *APP_COMMAND, volumes=volumes)
    wait_for(app, 1, "ready", SECRET=OLD)

    mount.write(ExamplePassword=NEW)
    eventually("the new file", lambda: NEW in (tmp_path / "env" / "app.env").read_text())
    app.restart()
    wait_for(app, 2, "ready", SECRET=NEW)
    # Its splay is over now, whatever it was.
    agent.signal("TERM")
    assert agent.exit_code() == 0
    assert "needs no signal" in agent.errors()
    assert len(events(app)) == 2
