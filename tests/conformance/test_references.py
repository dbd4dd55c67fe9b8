"""Every way to name a secret, in more than one vault."""

from canary import secret


def test_forms(scene):
    version = scene.write(secret("value"))
    scene.write(secret("newer"))
    name, host = scene.name(), scene.backend.host()
    latest = {
        "PLAIN": name,
        "AKV": f"akv://{host}/{name}",
        "AKV_PATH": f"akv://{host}/secrets/{name}",
        "URI": f"@Microsoft.KeyVault(SecretUri=https://{host}/secrets/{name}/)",
    }
    pinned = {
        "PLAIN_PINNED": f"{name}/{version}",
        "AKV_PINNED": f"akv://{host}/{name}/{version}",
        "URI_PINNED": f"@Microsoft.KeyVault(SecretUri=https://{host}/secrets/{name}/{version})",
    }
    agent = scene.init(latest | pinned)
    assert {variable: agent.value(variable) for variable in latest} == dict.fromkeys(latest, secret("newer"))
    assert {variable: agent.value(variable) for variable in pinned} == dict.fromkeys(pinned, secret("value"))


def test_two_vaults(scene):
    """Secrets of one name, followed each in its own vault."""
    for vault in ("one", "two"):
        scene.write(secret(f"in-{vault}"), vault=vault)
    agent = scene.sidecar({"ONE": scene.name(), "TWO": f"akv://{scene.backend.host('two')}/{scene.name()}"})
    assert (agent.value("ONE"), agent.value("TWO")) == (secret("in-one"), secret("in-two"))
    scene.write(secret("new-in-two"), vault="two")
    agent.wait_for_value("TWO", secret("new-in-two"))
    assert agent.value("ONE") == secret("in-one")


def test_names_of_vaults(scene):
    """Every name gets the suffix of the cloud."""
    for vault in ("one", "two"):
        scene.write(secret(f"in-{vault}"), vault=vault)
    backend, name = scene.backend, scene.name()
    config = scene.file("config.yaml", f"cloud: {backend.cloud}\n")
    agent = scene.init(
        {
            "PLAIN": name,
            "AKV": f"akv://{backend.vault_name('two')}/{name}",
            "APP_SERVICE": f"@Microsoft.KeyVault(SecretName={name}; VaultName={backend.vault_name('two')})",
        },
        AKV_AGENT_CONFIG=str(config),
        AKV_AGENT_VAULT=backend.vault_name(),
        AKV_AGENT_VAULT_SUFFIXES="",
    )
    values = [agent.value(variable) for variable in ("PLAIN", "AKV", "APP_SERVICE")]
    assert values == [secret("in-one"), secret("in-two"), secret("in-two")]


def test_variable_of_the_container(scene):
    """What App Service's manifests have works under `exec` as it is."""
    scene.write(secret("value"))
    reference = f"@Microsoft.KeyVault(SecretUri={scene.backend.url()}/secrets/{scene.name()})"
    agent = scene.agent("exec", {}, ["sh", "-c", 'printf %s "$SECRET"'], AKV_AGENT_ENV="", SECRET=reference)
    assert agent.wait() == 0, agent.err()
    assert agent.out() == secret("value")
