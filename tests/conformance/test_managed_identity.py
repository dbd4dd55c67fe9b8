"""Managed identities, by every way that the vault's token endpoint offers."""

import pytest
from agent import ENDS_AT_ONCE, WAITS
from canary import secret


@pytest.mark.parametrize("identity", ["managed", "auto"])
def test_managed_identity(scene, identity):
    """It is also what is left where nothing else is announced."""
    scene.write(secret("value"))
    timeout = ENDS_AT_ONCE if scene.backend.has_documented_tokens else WAITS
    for way, variables in scene.backend.managed_identities().items():
        settings = scene.managed(variables) | {"AKV_AGENT_IDENTITY": identity, "AKV_AGENT_TIMEOUT": timeout}
        agent = scene.agent("init", {"SECRET": scene.name()}, **settings)
        code = agent.wait()
        if scene.backend.has_documented_tokens:
            assert code == 0, f"{way}: {agent.err()}"
            assert agent.value("SECRET") == secret("value"), way
        else:
            assert code == 69, way
            assert "the token endpoint's answer is not what" in agent.complaint(), way
