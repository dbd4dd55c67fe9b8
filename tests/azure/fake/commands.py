"""The commands of `az` that deploy/azure uses, by their words."""

import copy
import uuid

from cloud import OPERATOR, SUBSCRIPTION, TENANT, Refused, same, tags, within

COMMANDS = {}


def command(words):
    def register(function):
        COMMANDS[words] = function
        return function

    return register


@command("account show")
def account(cloud, _):
    if not cloud.state["user"]:
        raise Refused("Please run 'az login' to setup account.")
    return {"id": SUBSCRIPTION, "tenantId": TENANT, "user": {"name": "someone", "type": cloud.state["user"]}}


@command("ad signed-in-user show")
@command("ad sp show")
def operator(cloud, _):
    return {"id": OPERATOR}


@command("provider show")
def provider(cloud, options):
    known = options["namespace"] in cloud.state["registered"]
    return {"namespace": options["namespace"], "registrationState": "Registered" if known else "NotRegistered"}


@command("provider register")
def register(cloud, options):
    cloud.state["registered"].append(options["namespace"])


@command("group list")
def groups(cloud, _):
    return cloud.state["groups"]


@command("group create")
def create_group(cloud, options):
    # A PUT: a group that is there keeps its name and loses its tags.
    try:
        cloud.group(options["name"])["tags"] = tags(options)
    except Refused:
        cloud.state["groups"].append({"name": options["name"], "location": options["location"], "tags": tags(options)})


@command("group delete")
def delete_group(cloud, options):
    for kind in ("clusters", "vaults", "identities", "others"):
        if cloud.all(kind, options["name"]):
            raise Refused(f"the test expects the group to be empty, but it has {kind}")
    cloud.state["groups"].remove(cloud.group(options["name"]))


@command("resource list")
def resources(cloud, options):
    kinds = ("clusters", "vaults", "identities", "others")
    return [thing for kind in kinds for thing in cloud.all(kind, options["resource-group"])]


@command("aks list")
def clusters(cloud, options):
    return cloud.all("clusters", options["resource-group"])


@command("aks show")
def cluster(cloud, options):
    return cloud.one("clusters", options["name"], options["resource-group"])


@command("aks wait")
def wait_for_cluster(cloud, options):
    cluster(cloud, options)


def equip(found, options):
    if "azure-keyvault-secrets-provider" in (options.get("enable-addons"), options.get("addons")):
        found["addonProfiles"] = {"azureKeyvaultSecretsProvider": {"enabled": True, "config": {}}}
    if "enable-secret-rotation" in options:
        interval = options["rotation-poll-interval"]
        config = {"enableSecretRotation": "true", "rotationPollInterval": interval}
        found["addonProfiles"]["azureKeyvaultSecretsProvider"]["config"] = config
    if "enable-oidc-issuer" in options:
        # Each cluster has another one.
        url = f"https://northeurope.oic.prod-aks.azure.com/{TENANT}/{uuid.uuid4()}/"
        found["oidcIssuerProfile"] = {"enabled": True, "issuerUrl": url}
    if "enable-workload-identity" in options:
        found["securityProfile"] = {"workloadIdentity": {"enabled": True}}


@command("aks create")
def create_cluster(cloud, options):
    bare = {"addonProfiles": None, "oidcIssuerProfile": {"enabled": False}, "securityProfile": {}}
    equip(cloud.add("clusters", "Microsoft.ContainerService/managedClusters", options, **bare), options)


@command("aks update")
@command("aks enable-addons")
def update_cluster(cloud, options):
    equip(cluster(cloud, options), options)


@command("aks delete")
def delete_cluster(cloud, options):
    cloud.remove("clusters", options["name"], options["resource-group"])


@command("aks get-credentials")
def credentials(cloud, options):
    found = cluster(cloud, options)
    name, user = found["name"], f"clusterUser_{found['resourceGroup']}_{found['name']}"
    cloud.state["kube"] = {"context": [name], "cluster": [name], "user": [user], "applied": None}


@command("keyvault list")
def vaults(cloud, options):
    return cloud.all("vaults", options["resource-group"])


@command("keyvault show")
def vault(cloud, options):
    return cloud.one("vaults", options["name"], options["resource-group"])


@command("keyvault create")
def create_vault(cloud, options):
    if any(same(found["name"], options["name"]) for found in cloud.state["vaults"] + cloud.state["deleted_vaults"]):
        raise Refused("(VaultAlreadyExists) The vault name is already in use.")
    properties = {
        "tenantId": TENANT,
        "enableRbacAuthorization": options["enable-rbac-authorization"] == "true",
        "enablePurgeProtection": True if options.get("enable-purge-protection") == "true" else None,
    }
    kind = "Microsoft.KeyVault/vaults"
    cloud.add("vaults", kind, options, properties=properties, secrets=[], deleted_secrets=[])


@command("keyvault delete")
def delete_vault(cloud, options):
    gone = cloud.remove("vaults", options["name"], options["resource-group"])
    protected = gone["properties"]["enablePurgeProtection"]
    seen = {"vaultId": gone["id"], "purgeProtectionEnabled": protected, "tags": gone["tags"]}
    cloud.state["deleted_vaults"].append({"name": gone["name"], "properties": seen, "vault": gone})
    scoped = [a for a in cloud.state["assignments"] if same(a["scope"], gone["id"])]
    cloud.state["assignments"] = [a for a in cloud.state["assignments"] if a not in scoped]


@command("keyvault list-deleted")
def deleted_vaults(cloud, _):
    return cloud.state["deleted_vaults"]


def take_deleted(cloud, name):
    [found] = [found for found in cloud.state["deleted_vaults"] if same(found["name"], name)]
    cloud.state["deleted_vaults"].remove(found)
    return found


@command("keyvault recover")
def recover_vault(cloud, options):
    gone = take_deleted(cloud, options["name"])["vault"]
    if options.get("resource-group", gone["resourceGroup"]) != gone["resourceGroup"]:
        # By az itself, which compares to the letter.
        raise Refused("The specified resource group does not match that of the deleted vault")
    # Without tags: az does not send them along, and nobody promises that they come back.
    cloud.state["vaults"].append({**gone, "tags": None})


@command("tag update")
def tag(cloud, options):
    if options["operation"] != "Merge":
        raise Refused("the small Azure only merges tags")
    kinds = ("clusters", "vaults", "identities")
    [found] = [thing for kind in kinds for thing in cloud.all(kind) if same(thing["id"], options["resource-id"])]
    found["tags"] = {**(found["tags"] or {}), **tags(options)}


@command("keyvault purge")
def purge_vault(cloud, options):
    if take_deleted(cloud, options["name"])["properties"]["purgeProtectionEnabled"]:
        raise Refused("(MethodNotAllowed) The vault is protected.")


@command("keyvault secret list")
def secrets(cloud, options):
    return [without_value(found) for found in cloud.look_into(options["vault-name"])["secrets"]]


@command("keyvault secret list-deleted")
def deleted_secrets(cloud, options):
    return [without_value(found) for found in cloud.look_into(options["vault-name"])["deleted_secrets"]]


def without_value(found):
    return {key: value for key, value in found.items() if key != "value"}


@command("keyvault secret set")
def set_secret(cloud, options):
    found = cloud.look_into(options["vault-name"])
    if any(same(secret["name"], options["name"]) for secret in found["deleted_secrets"]):
        raise Refused("(Conflict) Secret is currently in a deleted but recoverable state.")
    # As text, which makes other line ends line feeds: so does az.
    with open(options["file"], encoding="utf-8") as file:
        value = file.read()
    known = [secret for secret in found["secrets"] if same(secret["name"], options["name"])]
    others = [secret for secret in found["secrets"] if secret not in known]
    name = known[0]["name"] if known else options["name"]
    found["secrets"] = [*others, {"name": name, "tags": tags(options), "value": value}]


def move_secret(cloud, options, origin, destination):
    found = cloud.look_into(options["vault-name"])
    [secret] = [secret for secret in found[origin] if same(secret["name"], options["name"])]
    found[origin].remove(secret)
    found[destination].append(secret)


@command("keyvault secret delete")
def delete_secret(cloud, options):
    move_secret(cloud, options, "secrets", "deleted_secrets")


@command("keyvault secret recover")
def recover_secret(cloud, options):
    move_secret(cloud, options, "deleted_secrets", "secrets")


@command("identity list")
def identities(cloud, options):
    return cloud.all("identities", options["resource-group"])


@command("identity show")
def identity(cloud, options):
    return cloud.one("identities", options["name"], options["resource-group"])


@command("identity create")
def create_identity(cloud, options):
    ids = {"clientId": str(uuid.uuid4()), "principalId": str(uuid.uuid4())}
    cloud.add("identities", "Microsoft.ManagedIdentity/userAssignedIdentities", options, **ids, credentials=[])


@command("identity delete")
def delete_identity(cloud, options):
    gone = cloud.remove("identities", options["name"], options["resource-group"])
    if any(a["principalId"] == gone["principalId"] for a in cloud.state["assignments"]):
        raise Refused("the test expects that no role assignment outlives the identity")


@command("identity federated-credential list")
def federated_credentials(cloud, options):
    return cloud.one("identities", options["identity-name"], options["resource-group"])["credentials"]


@command("identity federated-credential create")
@command("identity federated-credential update")
def put_federated_credential(cloud, options):
    found = cloud.one("identities", options["identity-name"], options["resource-group"])
    parts = {key: options[key] for key in ("name", "issuer", "subject", "audiences")}
    found["credentials"] = [c for c in found["credentials"] if c["name"] != options["name"]] + [parts]


@command("role assignment list")
def assignments(cloud, options):
    above = "include-inherited" in options
    return [
        a
        for a in cloud.state["assignments"]
        if a["principalId"] == options["assignee-object-id"]
        and options.get("role") in (None, a["roleDefinitionName"])
        and (within if above else same)(options["scope"], a["scope"])
    ]


@command("role assignment create")
def create_assignment(cloud, options):
    if not any(same(options["scope"], found["id"]) for found in cloud.state["vaults"]):
        raise Refused("(ResourceNotFound) There is no such scope.")
    uuid.UUID(options["name"])
    cloud.state["assignments"].append(
        {
            "id": f"{options['scope']}/providers/Microsoft.Authorization/roleAssignments/{options['name']}",
            "name": options["name"],
            "scope": options["scope"],
            "principalId": options["assignee-object-id"],
            "principalType": options["assignee-principal-type"],
            "roleDefinitionName": options["role"],
        }
    )
    # The vault hears of it later.
    cloud.state["deaf"] = cloud.state.get("deaf_after_assignment", 0)


@command("role assignment delete")
def delete_assignment(cloud, options):
    left = [a for a in cloud.state["assignments"] if not same(a["id"], options["ids"])]
    if len(left) == len(cloud.state["assignments"]):
        raise Refused("(RoleAssignmentNotFound)")
    cloud.state["assignments"] = left


def run(cloud, words, options):
    if words == cloud.state.get("broken"):
        raise Refused("(InternalServerError) An error that the test asked for.")
    if words not in COMMANDS:
        raise Refused(f"the small Azure of the tests has no command '{words}'")
    return copy.deepcopy(COMMANDS[words](cloud, options))
