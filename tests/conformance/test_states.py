"""A secret that is disabled, deleted, expired or not yet valid."""

import datetime

from agent import ENDS_AT_ONCE
from canary import secret

DAY = datetime.timedelta(days=1)


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def test_disabled_secret_keeps_the_last_good_value(scene):
    version = scene.write(secret("good"))
    client = scene.backend.client()
    agent = scene.sidecar({"SECRET": scene.name()})
    client.update_secret_properties(scene.name(), version, enabled=False)
    agent.wait_for_problem(scene.name())
    assert agent.value("SECRET") == secret("good")
    assert agent.status()["ready"]
    client.update_secret_properties(scene.name(), version, enabled=True)
    agent.wait_until_well()
    scene.write(secret("new"))
    agent.wait_for_value("SECRET", secret("new"))


def test_disabled_secret_at_the_start(scene):
    version = scene.write(secret("value"))
    scene.backend.client().update_secret_properties(scene.name(), version, enabled=False)
    agent = scene.agent("init", {"SECRET": scene.name()}, AKV_AGENT_TIMEOUT=ENDS_AT_ONCE)
    assert agent.wait() == 69
    told = "the secret is disabled" if scene.backend.tells_disabled else "no such secret"
    assert "SECRET: " in agent.complaint() and told in agent.complaint()
    assert not agent.env_file.exists()


def test_deleted_secret_keeps_the_last_good_value(scene):
    scene.write(secret("good"))
    client = scene.backend.client()
    agent = scene.sidecar({"SECRET": scene.name()})
    client.begin_delete_secret(scene.name()).wait()
    agent.wait_for_problem(scene.name())
    assert agent.value("SECRET") == secret("good")
    client.begin_recover_deleted_secret(scene.name()).wait()
    agent.wait_until_well()
    assert agent.value("SECRET") == secret("good")


def test_expired_secret_is_passed_on_and_reported(scene):
    expired = now() - DAY
    scene.write(secret("value"), expires_on=expired)
    agent = scene.sidecar({"SECRET": scene.name()})
    assert agent.value("SECRET") == secret("value")
    told = agent.status()["variables"]["SECRET"]["expires"]
    assert datetime.datetime.fromisoformat(told) == expired


def test_secret_that_is_not_yet_valid_is_passed_on(scene):
    scene.write(secret("value"), not_before=now() + DAY)
    assert scene.init({"SECRET": scene.name()}).value("SECRET") == secret("value")
