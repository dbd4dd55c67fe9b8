"""Managed identities, by every way that the vault's token endpoint offers."""

import pytest
from agent import ENDS_AT_ONCE
from canary import secret


@pytest.mark.parametrize("identity", ["managed", "auto"])
def test_managed_identity(scene, identity):
    """It is also what is left where nothing else is announced."""
    scene.write(secret("value"))
    for way, variables in scene.backend.managed_identities().items():
        settings = scene.managed(variables) | {"AKV_AGENT_IDENTITY": identity, "AKV_AGENT_TIMEOUT": ENDS_AT_ONCE}
        agent = scene.agent("init", {"SECRET": scene.name()}, **settings)
        code = agent.wait()
        assert code == 0, f"{way}: {agent.err()}"
        assert agent.value("SECRET") == secret("value"), way
