"""`init`: the agent writes the env file before the app starts, and ends."""

from canaries import NEW, OLD
from images import AGENT, APP
from sample_app import events, wait_for
from sources import MOUNT, Mount

SETTINGS = {
    "AKV_AGENT_MOUNT": MOUNT,
    "AKV_AGENT_ENV": "SECRET=ExamplePassword",
    "AKV_AGENT_ENV_FILE": "/run/akv-agent/app.env",
}


def start_app(pods, mount, shared, directory):
    """A pod with an init container and the app; gives the app."""
    pod = pods.create()
    init, code = pod.run(
        "init", AGENT, "init", env=SETTINGS, volumes=[mount.volume, shared(directory, "/run/akv-agent")]
    )
    assert code == 0, init.errors()
    volume = shared(directory, "/run/akv-agent", ":ro")
    return pod.start("app", APP, "/sample-app", "--env-file=/run/akv-agent/app.env", "SECRET", volumes=[volume])


def test_a_new_pod_gets_the_new_value(pods, mount, shared):
    old = start_app(pods, mount, shared, "old")
    wait_for(old, 1, "ready", SECRET=OLD)

    mount.write(ExamplePassword=NEW)
    new = start_app(pods, mount, shared, "new")
    wait_for(new, 1, "ready", SECRET=NEW)

    # What an init container wrote does not follow a rotation, even for an app that reads it again.
    old.signal("HUP")
    wait_for(old, 2, "reloaded", SECRET=OLD)
    assert len(events(new)) == 1


def test_a_secret_that_never_comes_is_named_in_the_termination_message(pods, shared, tmp_path):
    mount = Mount(tmp_path / "secrets-store")
    message = tmp_path / "termination-log"
    message.touch()
    message.chmod(0o666)
    pod = pods.create()
    init, code = pod.run(
        "init", AGENT, "init", env=SETTINGS | {"AKV_AGENT_TIMEOUT": "1s"},
        volumes=[mount.volume, shared("env", "/run/akv-agent"), f"{message}:/dev/termination-log"],
    )  # fmt: skip
    assert code == 69, init.errors()
    assert f"SECRET: the mount {MOUNT}" in message.read_text()
    assert message.read_text().strip() in init.errors()
    assert not list((tmp_path / "env").iterdir())
