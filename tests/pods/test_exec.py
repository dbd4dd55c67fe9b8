"""`exec`: the agent starts the app with its secrets, and starts it anew when they were rotated."""

from canaries import NEW, NEW_KEY, OLD, OLD_KEY
from hardening import assert_hardened
from images import AGENT, APP, SHELL
from sample_app import wait_for
from sources import MOUNT, Vault
from waiting import eventually


def install(pod, shared):
    """Brings the agent's binary to the app's own image; gives the volume that has it."""
    _, code = pod.run("install", AGENT, "install", "/akv", volumes=[shared("akv", "/akv")])
    assert code == 0
    return shared("akv", "/akv", ":ro")


def test_a_rotation_restarts_the_app_with_the_new_values(pods, mount, shared, tmp_path):
    pod = pods.create()
    vault = Vault(pod, APP, tmp_path / "vault", {"api-key": OLD_KEY})
    binary = install(pod, shared)
    app = pod.start(
        "app", APP, "/akv/akv-agent", "exec", "--", "/sample-app", "SECRET", "API_KEY", "AZURE_CLIENT_ID",
        "AKV_AGENT_VAULT", volumes=[binary, mount.volume, vault.volume],
        env={
            **vault.settings(),
            "AKV_AGENT_MOUNT": MOUNT,
            "AKV_AGENT_ENV": "SECRET=ExamplePassword,API_KEY=api-key",
        },
    )  # fmt: skip
    # Its own environment reaches the app, the agent's settings do not.
    rest = {"AZURE_CLIENT_ID": vault.settings()["AZURE_CLIENT_ID"], "AKV_AGENT_VAULT": None}

    first = wait_for(app, 1, "ready", SECRET=OLD, API_KEY=OLD_KEY, **rest)
    [agent] = [process for process in app.processes() if process.pid == 1]
    assert agent.command == "akv-agent"
    assert first.pid != 1
    assert_hardened(app)

    mount.write(ExamplePassword=NEW)
    wait_for(app, 2, "stopping")
    second = wait_for(app, 3, "ready", SECRET=NEW, API_KEY=OLD_KEY, **rest)

    vault.set("api-key", NEW_KEY)
    wait_for(app, 4, "stopping")
    third = wait_for(app, 5, "ready", SECRET=NEW, API_KEY=NEW_KEY, **rest)

    assert len({first.pid, second.pid, third.pid}) == 3
    # The agent has stayed, and what it started before is gone to the last process.
    assert sorted(process.pid for process in app.processes()) == [1, third.pid]

    app.signal("TERM")
    assert app.exit_code() == 0
    wait_for(app, 6, "stopping")


def test_the_agent_is_a_correct_first_process(pods, mount, shared):
    pod = pods.create()
    script = """
        trap 'exit 7' TERM
        (sleep 2 &)
        echo ready
        while :; do sleep 600 & wait $!; done
    """
    app = pod.start(
        "app", SHELL, "/akv/akv-agent", "exec", "--", "/bin/sh", "-c", script,
        volumes=[install(pod, shared), mount.volume],
        env={"AKV_AGENT_MOUNT": MOUNT, "AKV_AGENT_ENV": "SECRET=ExamplePassword"},
    )  # fmt: skip
    eventually("the shell", lambda: app.output() == "ready\n")

    def orphans():
        return [process for process in app.processes() if process.ppid == 1 and process.command == "sleep"]

    eventually("an orphan", orphans)
    # A zombie keeps its name, so this also waits until it was reaped.
    eventually("the end of the orphan", lambda: not orphans())
    assert not [process for process in app.processes() if process.state == "Z"]

    app.signal("TERM")
    assert app.exit_code() == 7


def test_a_program_that_is_not_there(pods, mount, shared):
    pod = pods.create()
    app, code = pod.run(
        "app", APP, "/akv/akv-agent", "exec", "--", "/no-such-program",
        volumes=[install(pod, shared), mount.volume],
        env={"AKV_AGENT_MOUNT": MOUNT, "AKV_AGENT_ENV": "SECRET=ExamplePassword"},
    )  # fmt: skip
    assert code == 127
    assert "/no-such-program" in app.errors()
