"""What is in the vault is what the app gets."""

import json
import random
import string

import pytest
from agent import ENDS_AT_ONCE, WAITS
from canary import secret


def test_first_set(scene):
    for label in ("user", "password"):
        scene.write(secret(label), label)
    agent = scene.init({"USER": scene.name("user"), "PASSWORD": scene.name("password")})
    assert agent.value("USER") == secret("user")
    assert agent.value("PASSWORD") == secret("password")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json", "application/x-pkcs12", "any thing at all"]
)
def test_content_type(scene, content_type):
    scene.write(secret("value"), content_type=content_type)
    assert scene.init({"SECRET": scene.name()}).value("SECRET") == secret("value")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(secret("it's \"quoted\" `$HOME` \\ #"), id="for a shell"),
        pytest.param(secret("first\r\nsecond\n\tthird\n"), id="lines"),
        pytest.param(secret("schl\u00fcssel \u20ac \U0001f511"), id="outside ASCII"),
        pytest.param(secret('</value>{"value": "\\u0000"}'), id="markup"),
        pytest.param(" " + secret("spaces around") + " ", id="spaces around"),
    ],
)
def test_characters(scene, value):
    scene.write(value)
    # The shell drops nothing of what stands between the quotes.
    assert scene.init({"SECRET": scene.name()}).value("SECRET") == value


def test_largest_value(scene):
    """Key Vault takes 25 KB."""
    start = secret("large-")
    letters = random.Random(7).choices(string.ascii_letters + string.digits + "+/=", k=25 * 1024 - len(start))
    value = start + "".join(letters)
    scene.write(value)
    assert scene.init({"SECRET": scene.name()}).value("SECRET") == value


def test_field(scene):
    document = {"user": secret("user"), "ports": [5432, 5433], "nested": {"a/b": secret("nested")}}
    scene.write(json.dumps(document), content_type="application/json")
    agent = scene.init(
        {
            "USER": f"{scene.name()}#/user",
            "PORT": f"{scene.name()}#/ports/1",
            "NESTED": f"{scene.name()}#/nested/a~1b",
            "PORTS": f"{scene.name()}#/ports",
        }
    )
    assert agent.value("USER") == secret("user")
    assert agent.value("PORT") == "5433"
    assert agent.value("NESTED") == secret("nested")
    assert agent.value("PORTS") == "[5432,5433]"


def test_field_that_is_not_there(scene):
    scene.write(json.dumps({"user": secret("user")}))
    agent = scene.agent("init", {"SECRET": f"{scene.name()}#/password"}, AKV_AGENT_TIMEOUT=WAITS)
    assert agent.wait() == 78
    assert "SECRET: " in agent.complaint() and "step 1 of the pointer" in agent.complaint()


def test_pinned_version(scene):
    first = scene.write(secret("first"))
    second = scene.write(secret("second"))
    agent = scene.sidecar(
        {"FIRST": f"{scene.name()}/{first}", "SECOND": f"{scene.name()}/{second.upper()}", "LATEST": scene.name()}
    )
    scene.write(secret("third"))
    agent.wait_for_value("LATEST", secret("third"))
    assert agent.value("FIRST") == secret("first")
    assert agent.value("SECOND") == secret("second")


def test_version_that_is_not_there(scene):
    scene.write(secret("value"))
    agent = scene.agent("init", {"SECRET": f"{scene.name()}/{'0' * 32}"}, AKV_AGENT_TIMEOUT=ENDS_AT_ONCE)
    assert agent.wait() == 69
    assert "SECRET: " in agent.complaint() and "no such secret" in agent.complaint()


def test_secret_that_is_not_there(scene):
    agent = scene.agent("init", {"SECRET": scene.name()}, AKV_AGENT_TIMEOUT=ENDS_AT_ONCE)
    assert agent.wait() == 69
    assert "SECRET: " in agent.complaint() and "no such secret" in agent.complaint()


def test_name_in_another_case(scene):
    scene.write(secret("value"), "Secret")
    env = {"SECRET": scene.name("SECRET")}
    if scene.backend.ignores_case:
        assert scene.init(env).value("SECRET") == secret("value")
    else:
        agent = scene.agent("init", env, AKV_AGENT_TIMEOUT=ENDS_AT_ONCE)
        assert agent.wait() == 69
        assert "no such secret" in agent.complaint()
