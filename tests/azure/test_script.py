"""deploy/azure/azure.sh against a small Azure: first run, second run, after an interruption, down.

Whatever it gives to az on the way is parsed by the real az, in `World.run`.
"""

import hashlib
import re

import pytest
from cloud import OPERATOR, TENANT
from words import words

NAME = "akv-agent-seed"
SUBJECT = f"system:serviceaccount:{NAME}:seed-app"
MINE = {"madeBy": NAME}
FIRST_VALUE = "This message is secret! Do NOT share!"


def secret_of(world):
    [vault] = world.state()["vaults"]
    [secret] = vault["secrets"]
    return secret


def roles(world):
    return sorted((a["roleDefinitionName"], a["principalType"]) for a in world.state()["assignments"])


def test_an_empty_subscription_gets_everything(world):
    world.must("up")

    state = world.state()
    assert [group["name"] for group in state["groups"]] == [NAME]
    [cluster], [vault], [identity] = state["clusters"], state["vaults"], state["identities"]
    assert all(thing["tags"] == MINE for thing in (state["groups"][0], cluster, vault, identity))
    driver = cluster["addonProfiles"]["azureKeyvaultSecretsProvider"]
    assert driver == {"enabled": True, "config": {"enableSecretRotation": "true", "rotationPollInterval": "2m"}}
    assert cluster["securityProfile"]["workloadIdentity"]["enabled"]
    assert vault["properties"] == {"tenantId": TENANT, "enableRbacAuthorization": True, "enablePurgeProtection": None}
    assert secret_of(world)["value"] == FIRST_VALUE
    assert identity["credentials"] == [
        {
            "name": NAME,
            "issuer": cluster["oidcIssuerProfile"]["issuerUrl"],
            "subject": SUBJECT,
            "audiences": "api://AzureADTokenExchange",
        }
    ]
    assert roles(world) == [("Key Vault Secrets Officer", "User"), ("Key Vault Secrets User", "ServicePrincipal")]
    assert {a["scope"] for a in state["assignments"]} == {vault["id"]}
    assert {a["principalId"] for a in state["assignments"]} == {OPERATOR, identity["principalId"]}
    assert len(state["registered"]) == 3
    assert world.azure_env() == {
        "KEY_VAULT": vault["name"],
        "TENANT_ID": TENANT,
        "CLIENT_ID": identity["clientId"],
    }


def test_a_vault_gets_a_name_that_azure_takes(made):
    [vault] = made.state()["vaults"]
    assert re.fullmatch(r"[a-z](?!.*--)[a-z0-9-]{1,22}[a-z0-9]", vault["name"])


def test_a_second_run_changes_nothing(made):
    before, env = made.state(), (made.deploy / "seed/base/azure.env").read_text()

    again = made.must("up")

    assert [line for line in again.changes if not line.startswith("az aks get-credentials")] == []
    assert made.state() == before
    assert (made.deploy / "seed/base/azure.env").read_text() == env


def test_azure_env_keeps_its_comments(world):
    file = world.deploy / "seed/base/azure.env"
    comments = [line for line in file.read_text().splitlines() if line.startswith("#")]
    world.must("up")
    assert [line for line in file.read_text().splitlines() if line.startswith("#")] == comments


# Every change that `up` makes on an empty subscription is a point at which it can be interrupted.
CHANGES_OF_UP = [
    "provider register",
    "group create",
    "aks create",
    "keyvault create",
    "role assignment create",
    "keyvault secret set",
    "identity create",
    "identity federated-credential create",
    "aks get-credentials",
]


@pytest.mark.parametrize("command", CHANGES_OF_UP)
def test_up_goes_on_where_it_was_interrupted(world, command):
    world.change(broken=command)
    assert world.run("up").status != 0
    world.change(broken=None)

    world.must("up")

    assert roles(world) == [("Key Vault Secrets Officer", "User"), ("Key Vault Secrets User", "ServicePrincipal")]
    assert len(world.state()["clusters"]) == len(world.state()["vaults"]) == len(world.state()["identities"]) == 1
    assert secret_of(world)["value"] == FIRST_VALUE


def test_every_change_of_up_is_interrupted_in_a_test(world):
    assert {words(line.split()[1:]) for line in world.must("up").changes if line.startswith("az ")} == set(CHANGES_OF_UP)


def test_it_waits_until_the_vault_knows_of_the_role(world):
    world.change(deaf_after_assignment=3)
    done = world.must("up")
    assert done.said.count("waiting until the vault knows") == 1
    assert secret_of(world)["value"] == FIRST_VALUE


def test_the_wait_for_the_role_has_a_limit(world):
    world.change(deaf_after_assignment=1000)
    done = world.run("up", WAIT_SECONDS="0")
    assert done.status == 1
    assert "ForbiddenByRbac" in done.said
    assert world.state()["vaults"][0]["secrets"] == []


def test_a_firewall_is_not_waited_for(world):
    world.change(firewall=True)
    done = world.run("up")
    assert done.status == 1
    assert "ForbiddenByFirewall" in done.said and "waiting" not in done.said


def test_without_a_login_nothing_is_tried(world):
    world.change(user=None)
    done = world.run("up")
    assert done.status == 1 and "az login" in done.said
    assert len(done.commands) == 1


def test_a_service_principal_can_run_it(world):
    world.change(user="servicePrincipal")
    world.must("up")
    assert ("Key Vault Secrets Officer", "ServicePrincipal") in roles(world)


def test_the_operator_can_be_named(world):
    done = world.must("up", OPERATOR_ID=OPERATOR)
    assert not any(call[0] == "ad" for call in done.commands)


LOOKS = re.compile(r".* (show|list|list-deleted|wait)")


@pytest.mark.parametrize("command", [["up"], ["apply"], ["rotate"], ["down"], ["down", "--purge"]])
def test_a_dry_run_only_looks(made, command):
    before = made.state()

    done = made.must("--dry-run", *command)

    assert done.changes
    assert made.state() == before
    assert [call for call in done.commands if not LOOKS.fullmatch(words(call))] == []
    assert {call[0] for call in done.kubectl} <= {"kustomize", "config"}
    assert not any(call[1].startswith("delete-") for call in done.kubectl)


def test_a_dry_run_on_an_empty_subscription_shows_what_a_run_does(world):
    shown = world.must("--dry-run", "up").changes
    assert world.state()["groups"] == []
    # The ids and the scratch directory can only be known when the things are there.
    unknown = re.compile(r"(\\<.*?\\>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|/\S*/|https://\S+|\S+seed-app)")
    made = world.must("up").changes
    assert [unknown.sub("X", line).split(" --")[0] for line in shown] == [
        unknown.sub("X", line).split(" --")[0] for line in made
    ]


def test_a_value_of_ones_own_stands_in_no_command_line(world, tmp_path):
    file = tmp_path / "value"
    file.write_text("a value of my own")
    done = world.must("up", SECRET_FILE=str(file))
    assert secret_of(world)["value"] == "a value of my own"
    assert "a value of my own" not in done.said + str(done.commands)


@pytest.mark.parametrize("command", ["up", "rotate"])
def test_a_value_arrives_to_the_byte(made, tmp_path, command):
    if command == "up":
        made.change(vaults=[{**made.state()["vaults"][0], "secrets": []}])
    file = tmp_path / "value"
    file.write_bytes("first line\n\tgrün\n\n".encode())
    made.must(command, SECRET_FILE=str(file))
    assert secret_of(made)["value"].encode() == file.read_bytes()


@pytest.mark.parametrize("command", ["up", "rotate"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [(b"one\r\ntwo\r\n", "carriage return"), (b"\xff\rone", "carriage return"), (None, "no file that can be read")],
    ids=["lines", "bytes", "missing"],
)
def test_a_value_that_would_not_arrive_to_the_byte_is_refused_first(made, tmp_path, command, text, problem):
    before, file = made.state(), tmp_path / "value"
    if text is not None:
        file.write_bytes(text)
    done = made.run(command, SECRET_FILE=str(file))
    assert done.status == 1 and problem in done.said
    assert done.changes == [] and made.state() == before


@pytest.mark.parametrize("protection", ["true", "false"])
def test_purge_protection_is_a_choice(world, protection):
    world.must("up", PURGE_PROTECTION=protection)
    [vault] = world.state()["vaults"]
    assert bool(vault["properties"]["enablePurgeProtection"]) == (protection == "true")


def test_apply_sends_the_seed_with_the_ids_and_waits_for_it(made):
    done = made.must("apply")
    applied = made.state()["kube"]["applied"]
    assert all(value in applied for value in made.azure_env().values())
    assert "image: ghcr.io/akv-agent/akv-agent:" in applied
    waited = [call for call in done.kubectl if "rollout" in call]
    assert [call[-3] for call in waited] == [f"deployment/seed-{use}" for use in ("init", "sidecar", "exec")]
    assert all(call[:4] == ["--context", NAME, "--namespace", NAME] for call in waited)


def rename_images(world, old, new):
    for file in (world.deploy / "seed").rglob("*.yaml"):
        file.write_text(file.read_text().replace(f"image: {old}", f"image: {new}"))


IMAGE = "ghcr.io/akv-agent/akv-agent:0.1.0"
IMAGES = [IMAGE, "example.azurecr.io/akv-agent:0.1.0", "localhost:5000/akv-agent@sha256:0123", "akv-agent:dev"]


@pytest.mark.parametrize("named", IMAGES)
def test_apply_takes_another_image(made, named):
    rename_images(made, IMAGE, named)
    rename_images(made, "busybox:", "akv-agent/busybox:")
    made.must("apply", AGENT_IMAGE="registry.example/agent:1")
    images = re.findall(r"image: (.*)", made.state()["kube"]["applied"])
    agents = [image for image in images if not image.startswith("akv-agent/busybox:")]
    assert agents == ["registry.example/agent:1"] * 3 and len(images) == 6


def test_apply_says_that_there_is_nothing_to_take_another_image_for(made):
    rename_images(made, IMAGE, "registry.example/of-my-own:2")
    done = made.run("apply", AGENT_IMAGE="registry.example/akv-agent:1")
    assert done.status == 1 and "AGENT_IMAGE" in done.said
    assert made.state()["kube"]["applied"] is None


def test_apply_says_which_app_does_not_run(made):
    made.change(stuck="deployment/seed-sidecar")
    done = made.run("apply")
    assert done.status == 1 and "seed-sidecar does not run" in done.said


def test_rotate_waits_until_the_apps_show_the_new_value(made):
    made.change(lag=3)

    done = made.must("rotate")

    value = secret_of(made)["value"]
    assert value != FIRST_VALUE
    fingerprint = hashlib.sha256(value.encode()).hexdigest()[:12]
    assert done.output.count(f"fingerprint {fingerprint}") == 2
    assert value not in done.said + done.output
    assert "seed-sidecar has the new value" in done.said and "seed-exec has the new value" in done.said


def test_rotate_fails_where_the_value_does_not_arrive(made):
    made.change(lag=1000)
    done = made.run("rotate", WAIT_SECONDS="0")
    assert done.status == 1 and "seed-sidecar has not got the new value" in done.said


def test_up_after_rotate_keeps_the_new_value(made):
    made.must("rotate")
    value = secret_of(made)["value"]
    made.must("up")
    assert secret_of(made)["value"] == value
