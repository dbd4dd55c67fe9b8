"""A secret changes, and so does what the app has."""

import json
import signal

from agent import TEST_APP
from canary import secret
from waiting import eventually


def test_rotation_reaches_a_running_app(scene):
    scene.write(secret("old"))
    app = scene.app()
    agent = scene.sidecar(
        {"SECRET": scene.name()},
        AKV_AGENT_TARGET=f"pidfile:{app.pid_file}",
        AKV_AGENT_ON_CHANGE="signal:HUP",
    )
    assert agent.value("SECRET") == secret("old")
    scene.write(secret("new"))
    eventually("the signal", app.signals)
    # The app was told after the file was written, so it is there.
    assert agent.value("SECRET") == secret("new")
    assert app.signals() == [signal.SIGHUP]
    assert agent.stop() == 0


def test_rotation_restarts_the_app(scene):
    scene.write(secret("old"))
    program = [TEST_APP, "--print", "SECRET"]
    agent = scene.agent("exec", {"SECRET": scene.name()}, program, AKV_AGENT_ON_CHANGE="restart")
    agent.wait_for_starts(1)
    scene.write(secret("new"))
    agent.wait_for_starts(2)
    shown = [line for line in agent.out().splitlines() if line.startswith("env ")]
    assert shown == [f"env SECRET='{secret('old')}'", f"env SECRET='{secret('new')}'"]
    assert agent.stop() == 0


def test_new_version_with_the_same_value_changes_nothing(scene):
    scene.write(secret("value"))
    app = scene.app()
    agent = scene.sidecar(
        {"SECRET": scene.name()},
        AKV_AGENT_TARGET=f"pidfile:{app.pid_file}",
        AKV_AGENT_ON_CHANGE="signal:HUP",
    )
    version = scene.write(secret("value"))
    eventually("the new version", lambda: agent.status()["variables"]["SECRET"]["version"] == version)
    assert agent.status()["reactions"] == 0
    assert app.signals() == []


def test_change_of_another_field_changes_nothing(scene):
    document = {"user": secret("user"), "password": secret("old")}
    scene.write(json.dumps(document))
    agent = scene.sidecar({"APP_USER": f"{scene.name()}#/user"})
    changed = agent.status()["variables"]["APP_USER"]["changed"]
    version = scene.write(json.dumps(document | {"password": secret("new")}))
    eventually("the new version", lambda: agent.status()["variables"]["APP_USER"]["version"] == version)
    assert agent.status()["variables"]["APP_USER"]["changed"] == changed
    assert agent.value("APP_USER") == secret("user")


def test_many_rotations_end_with_the_last_value(scene):
    scene.write(secret("0"))
    agent = scene.sidecar({"SECRET": scene.name()})
    for number in range(1, 6):
        scene.write(secret(str(number)))
        agent.refresh()
    agent.wait_for_value("SECRET", secret("5"))
