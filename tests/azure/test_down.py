"""What somebody else made is used and stays; what `up` made goes."""

import re

import pytest
from cloud import SUBSCRIPTION, TENANT
from commands import COMMANDS, run
from words import words

NAME = "akv-agent-seed"
ROTATING = {"azureKeyvaultSecretsProvider": {"enabled": True, "config": {"enableSecretRotation": "true"}}}


def given(world, kind, **more):
    """A thing that somebody else made."""
    common = {"name": NAME, "tags": None}
    place = {} if kind == "groups" else {"resourceGroup": NAME, "location": "westus", "id": f"/others/{kind}"}
    world.change(**{kind: [*world.state()[kind], {**common, **place, **more}]})


def given_group(world):
    given(world, "groups")


def given_cluster(world, **more):
    bare = {"addonProfiles": None, "oidcIssuerProfile": None, "securityProfile": None}
    given(world, "clusters", **{**bare, **more})


def given_vault(world, rbac=True):
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{NAME}/providers/Microsoft.KeyVault/vaults/theirs"
    properties = {"tenantId": TENANT, "enableRbacAuthorization": rbac, "enablePurgeProtection": None}
    given(world, "vaults", name="theirs", id=scope, properties=properties, secrets=[], deleted_secrets=[])


def delete_vault(world):
    """By its owner, and not by the script."""
    cloud = world.azure
    run(cloud, "keyvault delete", {"resource-group": NAME, "name": "theirs"})
    cloud.save()


def left(world):
    state = world.state()
    kinds = ("groups", "clusters", "vaults", "identities", "assignments")
    return {kind for kind in kinds if state[kind]}


def test_down_removes_everything(made):
    made.must("down")
    assert left(made) == set()
    assert made.state()["kube"] == {"context": [], "cluster": [], "user": [], "applied": None}


@pytest.mark.parametrize("before", ["nothing", "down"])
def test_down_can_be_run_when_there_is_nothing(world, before):
    if before == "down":
        world.must("up")
        world.must("down")
    done = world.must("down")
    assert done.changes == [] and "there is no group" in done.said


@pytest.mark.parametrize(
    "command", ["aks delete", "role assignment delete", "identity delete", "keyvault delete", "group delete"]
)
def test_down_goes_on_where_it_was_interrupted(made, command):
    made.change(broken=command)
    assert made.run("down").status != 0
    made.change(broken=None)
    made.must("down")
    assert left(made) == set()


def test_credentials_that_are_not_there_need_not_go(made):
    made.change(kube={"context": [], "cluster": [f"{NAME}-2"], "user": [], "applied": None})
    done = made.must("down")
    assert not any(line.startswith("kubectl") for line in done.changes)


def test_a_deleted_vault_comes_back_with_its_secret(made):
    made.must("rotate")
    value = made.state()["vaults"][0]["secrets"][0]["value"]
    made.must("down")

    made.must("up")

    [vault] = made.state()["vaults"]
    assert vault["secrets"][0]["value"] == value
    assert len(made.state()["assignments"]) == 2


def test_a_vault_that_came_back_is_still_known(made):
    made.must("down")
    made.must("up")
    made.must("down")
    assert left(made) == set()


def test_a_deleted_vault_of_somebody_else_comes_back_as_theirs(world):
    given_group(world)
    given_vault(world)
    delete_vault(world)
    world.must("up", KEY_VAULT="theirs")
    assert world.state()["vaults"][0]["tags"] is None
    world.must("down", KEY_VAULT="theirs")
    assert left(world) == {"groups", "vaults"}


def test_a_deleted_vault_of_somebody_else_is_not_purged(world):
    given_group(world)
    given_vault(world)
    delete_vault(world)
    done = world.must("down", "--purge", KEY_VAULT="theirs")
    assert "deleted vault theirs was not made here" in done.said
    assert len(world.state()["deleted_vaults"]) == 1


def test_purge_frees_the_name(made):
    made.must("down", "--purge")
    assert made.state()["deleted_vaults"] == []


def test_purge_can_come_later(made):
    made.must("down")
    made.must("down", "--purge")
    assert made.state()["deleted_vaults"] == []
    made.must("down", "--purge")


def test_a_protected_vault_is_not_purged(world):
    world.must("up", PURGE_PROTECTION="true")
    done = world.run("down", "--purge")
    assert done.status == 1 and "protected" in done.said
    assert len(world.state()["deleted_vaults"]) == 1


def test_a_name_that_a_deleted_vault_of_another_group_has_is_refused(world):
    world.must("up", RESOURCE_GROUP="another", KEY_VAULT="the-vault")
    world.must("down", RESOURCE_GROUP="another", KEY_VAULT="the-vault")
    done = world.run("up", KEY_VAULT="the-vault")
    assert done.status == 1 and "another group" in done.said
    assert world.state()["vaults"] == []


def test_a_group_of_somebody_else_stays(world):
    given_group(world)
    world.must("up")
    done = world.must("down")
    assert left(world) == {"groups"}
    assert f"the group {NAME} was not made here" in done.said


def test_a_group_with_something_of_somebody_else_stays(made):
    given(made, "others", id="/others/database")
    done = made.must("down")
    assert left(made) == {"groups"} and made.state()["others"]
    assert "/others/database" in done.said


@pytest.mark.parametrize(
    ("has", "changes"),
    [
        ({}, ["aks enable-addons", "aks update"]),
        ({"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": True, "config": None}}}, ["aks update"] * 2),
        ({"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": True, "config": {}}}}, ["aks update"] * 2),
        ({"addonProfiles": ROTATING}, ["aks update"]),
        (
            {
                "addonProfiles": ROTATING,
                "oidcIssuerProfile": {"enabled": True, "issuerUrl": "https://issuer.example/"},
                "securityProfile": {"workloadIdentity": {"enabled": True}},
            },
            [],
        ),
    ],
    ids=["nothing", "the driver", "the driver, off", "rotation", "all"],
)
def test_a_cluster_of_somebody_else_gets_what_it_lacks_and_stays(world, has, changes):
    given_group(world)
    given_cluster(world, **has)

    done = world.must("up")

    made = [words(line.split()[1:]) for line in done.changes if line.startswith("az aks")]
    assert made == [*changes, "aks get-credentials"]
    [cluster] = world.state()["clusters"]
    driver = cluster["addonProfiles"]["azureKeyvaultSecretsProvider"]
    assert driver["enabled"] and driver["config"]["enableSecretRotation"] == "true"
    assert cluster["securityProfile"]["workloadIdentity"]["enabled"]
    assert world.state()["identities"][0]["credentials"][0]["issuer"] == cluster["oidcIssuerProfile"]["issuerUrl"]

    world.must("apply")
    world.must("down")
    assert left(world) == {"groups", "clusters"}
    assert world.state()["kube"]["applied"] is None
    assert world.state()["kube"]["context"] == [NAME]


def test_a_cluster_made_anew_is_trusted(made):
    made.change(clusters=[])
    done = made.must("up")
    assert any(line.startswith("az identity federated-credential update") for line in done.changes)
    state = made.state()
    [credential] = state["identities"][0]["credentials"]
    assert credential["issuer"] == state["clusters"][0]["oidcIssuerProfile"]["issuerUrl"]


def test_a_vault_of_somebody_else_gets_the_secret_and_loses_it(world):
    given_group(world)
    given_vault(world)
    world.must("up", KEY_VAULT="theirs")
    assert [secret["name"] for secret in world.state()["vaults"][0]["secrets"]] == ["ExamplePassword"]

    world.must("down", KEY_VAULT="theirs")

    assert left(world) == {"groups", "vaults"}
    assert world.state()["vaults"][0]["secrets"] == []
    assert world.must("down", KEY_VAULT="theirs").changes == []

    world.must("up", KEY_VAULT="theirs")
    assert [secret["name"] for secret in world.state()["vaults"][0]["secrets"]] == ["ExamplePassword"]


@pytest.mark.parametrize("name", ["ExamplePassword", "examplepassword"])
def test_a_secret_of_somebody_else_keeps_its_value_and_stays(world, name):
    given_group(world)
    given_vault(world)
    [vault] = world.state()["vaults"]
    theirs = {"name": name, "tags": None, "value": "theirs"}
    world.change(vaults=[{**vault, "secrets": [theirs]}])

    world.must("up", KEY_VAULT="theirs")
    assert world.state()["vaults"][0]["secrets"] == [theirs]
    world.must("down", KEY_VAULT="theirs")
    assert world.state()["vaults"][0]["secrets"] == [theirs]


def test_a_right_that_the_operator_has_already_stays(world):
    given_group(world)
    given_vault(world)
    world.must("up", KEY_VAULT="theirs")
    # The same, but given by somebody else and for the whole group.
    granted = [a for a in world.state()["assignments"] if a["roleDefinitionName"] == "Key Vault Secrets Officer"]
    scope = world.azure.scope(NAME)
    inherited = {**granted[0], "name": "theirs", "scope": scope, "id": f"{scope}/theirs"}
    world.change(assignments=[inherited])

    done = world.must("up", KEY_VAULT="theirs")
    assert not any("Officer" in line for line in done.changes)
    world.must("down", KEY_VAULT="theirs")
    assert world.state()["assignments"] == [inherited]


def test_a_vault_with_access_policies_is_refused(world):
    given_group(world)
    given_vault(world, rbac=False)
    done = world.run("up", KEY_VAULT="theirs")
    assert done.status == 1 and "access policies" in done.said
    assert world.state()["assignments"] == []


def in_another_case(world):
    """The names of what `up` made, otherwise written."""
    [vault] = world.state()["vaults"] or world.state()["deleted_vaults"]
    return {variable: NAME.upper() for variable in ("RESOURCE_GROUP", "CLUSTER", "IDENTITY")} | {
        "KEY_VAULT": vault["name"].upper()
    }


def test_a_group_in_another_case_is_the_same_and_keeps_its_tags(world):
    theirs = {"name": "Shop-RG", "location": "westus", "tags": {"owner": "shop"}}
    world.change(groups=[theirs])

    world.must("up", RESOURCE_GROUP="shop-rg")
    state = world.state()
    assert state["groups"] == [theirs]
    made = [thing for kind in ("clusters", "vaults", "identities") for thing in state[kind]]
    assert [thing["resourceGroup"] for thing in made] == ["Shop-RG"] * 3

    world.must("down", RESOURCE_GROUP="SHOP-rg")
    assert left(world) == {"groups"}
    assert world.state()["groups"] == [theirs]


@pytest.mark.parametrize("vault", ["named", "not named"])
def test_up_in_another_case_changes_nothing(made, vault):
    before, env, names = made.state(), made.azure_env(), in_another_case(made)
    if vault == "not named":
        del names["KEY_VAULT"]

    done = made.must("up", **names)

    assert [words(line.split()[1:]) for line in done.changes] == ["aks get-credentials"]
    assert made.state() == before
    assert made.azure_env() == env


def test_apply_and_rotate_in_another_case_find_the_cluster(made):
    names = in_another_case(made)
    made.must("apply", **names)
    made.must("rotate", **names)
    assert made.state()["vaults"][0]["secrets"][0]["value"] != "This message is secret! Do NOT share!"


def test_down_in_another_case_removes_everything(made):
    names = in_another_case(made)
    made.must("down", **names)
    assert left(made) == set()
    assert made.state()["kube"] == {"context": [], "cluster": [], "user": [], "applied": None}
    made.must("down", "--purge", **names)
    assert made.state()["deleted_vaults"] == []


def test_a_deleted_vault_comes_back_in_another_case(made):
    before = made.state()["vaults"]
    made.must("down")
    names = in_another_case(made)
    made.must("up", **names)
    # In a group that has been made anew, and has its name from this run.
    assert made.state()["groups"][0]["name"] == names["RESOURCE_GROUP"]
    assert made.state()["vaults"] == before


def test_a_vault_of_somebody_else_in_another_case_loses_what_it_got(world):
    given_group(world)
    given_vault(world)
    world.must("up", KEY_VAULT="Theirs")
    world.must("down", KEY_VAULT="THEIRS")
    assert left(world) == {"groups", "vaults"}
    assert world.state()["vaults"][0]["secrets"] == []


def test_an_identity_of_somebody_else_is_refused(world):
    given_group(world)
    given(world, "identities", clientId="c", principalId="p", credentials=[])
    done = world.run("up")
    assert done.status == 1 and "choose another name" in done.said
    assert world.must("down").said.count(f"identity {NAME} was not made here") == 1
    assert left(world) == {"groups", "identities"}


def test_every_command_is_run(world):
    """The small Azure knows no command for nothing; so what the script gives to az is what is tested here."""
    seen = set()

    def must(*args, **variables):
        seen.update(words(call) for call in world.must(*args, **variables).commands)

    must("up")
    world.change(clusters=[])
    must("up")
    must("down")
    must("up")
    must("down", "--purge")
    world.change(user="servicePrincipal")
    given_group(world)
    given_vault(world)
    given_cluster(world)
    for command in ("up", "down", "up", "down"):
        must(command, KEY_VAULT="theirs")
    world.change(groups=[], clusters=[], vaults=[])
    must("up")
    must("down")

    assert seen == set(COMMANDS)


@pytest.mark.parametrize(
    "args", [[], ["sideways"], ["up", "down"], ["up", "--purge"], ["--force", "down"]], ids=" ".join
)
def test_wrong_usage_does_nothing(world, args):
    done = world.run(*args)
    assert done.status == 64
    assert "usage: azure.sh" in done.said
    assert done.commands == done.kubectl == []


def test_help_names_every_variable(world):
    done = world.must("--help")
    files = [world.deploy / "azure/azure.sh", *(world.deploy / "azure/steps").iterdir()]
    text = "".join(file.read_text() for file in files)
    variables = set(re.findall(r"\$\{([A-Z_]+)(?::?[-=])", text))
    assert len(variables) > 10
    assert [variable for variable in variables if variable not in done.output] == []
    assert done.commands == []


def test_what_the_template_made_is_completed_and_removed(made):
    """It has the same names and tags, assigns roles under names of its own, and gives the operator none."""
    reader = [a for a in made.state()["assignments"] if a["roleDefinitionName"] == "Key Vault Secrets User"]
    scope = reader[0]["scope"]
    theirs = {**reader[0], "name": "by-template", "id": f"{scope}/roleAssignments/by-template"}
    made.change(assignments=[theirs], kube={"context": [], "cluster": [], "user": [], "applied": None})

    done = made.must("up")

    assert [words(line.split()[1:]) for line in done.changes if line.startswith("az")] == [
        "role assignment create",
        "aks get-credentials",
    ]
    assert theirs in made.state()["assignments"]
    made.must("down")
    assert left(made) == set()
