"""What a resource may contain, by the models of the Azure SDK that az itself works with.

They are generated from the same descriptions of the services as Bicep's own types are. A model belongs to one
version of its service, so a file is checked against exactly the version that it names.
"""

import datetime
import enum
import sys
import types
import typing
from dataclasses import dataclass

from azure.mgmt import authorization, containerservice, keyvault
from azure.mgmt.msi.v2024_11_30 import models as msi


@dataclass(frozen=True)
class Part:
    """One property: its type, which is a class, a list or dict of one, or a set of words."""

    type: object
    required: bool = False
    read_only: bool = False


@dataclass(frozen=True)
class Kind:
    version: str
    written: type
    read: type


def kinds():
    """The kinds of resources that can be checked, with what is written to Azure and what is read of it."""
    identity = "Microsoft.ManagedIdentity/userAssignedIdentities"
    clusters = default_version(containerservice.ContainerServiceClient)
    vaults = default_version(keyvault.KeyVaultManagementClient)
    cluster, vault, assign = containerservice.models, keyvault.models, authorization.models
    return {
        "Microsoft.ContainerService/managedClusters": Kind(clusters, cluster.ManagedCluster, cluster.ManagedCluster),
        "Microsoft.KeyVault/vaults": Kind(vaults, vault.VaultCreateOrUpdateParameters, vault.Vault),
        "Microsoft.KeyVault/vaults/secrets": Kind(vaults, vault.SecretCreateOrUpdateParameters, vault.Secret),
        identity: Kind("2024-11-30", msi.Identity, msi.Identity),
        f"{identity}/federatedIdentityCredentials": Kind(
            "2024-11-30", msi.FederatedIdentityCredential, msi.FederatedIdentityCredential
        ),
        "Microsoft.Authorization/roleAssignments": Kind(
            "2022-04-01", assign.RoleAssignmentCreateParameters, assign.RoleAssignment
        ),
    }


def default_version(client):
    """So that a newer SDK is noticed."""
    return client(credential=object(), subscription_id="x")._config.api_version


def parts(model):
    """The properties of a model by their names in Azure."""
    return parts_of_older(model) if hasattr(model, "_attribute_map") else parts_of_newer(model)


def parts_of_newer(model):
    # An instance makes the class complete.
    model({})
    models = sys.modules[model.__module__.rpartition(".")[0]]
    hints = typing.get_type_hints(model, localns={"_models": models, "datetime": datetime})
    found = {}
    for attribute, rest in model._attr_to_rest_field.items():
        kind, optional = without_none(hints[attribute])
        read_only = rest._visibility == ["read"]
        found[rest._rest_name] = Part(words_of(kind), not optional and not read_only, read_only)
    return found


def without_none(kind):
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = tuple(option for option in typing.get_args(kind) if option is not type(None))
        return (rest[0] if len(rest) == 1 else typing.Union[rest]), len(rest) < len(typing.get_args(kind))
    return kind, False


def words_of(kind):
    """A union of a string and an enumeration is a choice of words."""
    for option in typing.get_args(kind):
        if isinstance(option, type) and issubclass(option, enum.Enum):
            return frozenset(member.value for member in option)
    return kind


def parts_of_older(model):
    """These models have what lies in `properties` beside the rest."""
    scalars = {"str": str, "[str]": list[str], "{str}": dict[str, str]}
    found, inner = {}, {}
    for attribute, described in model._attribute_map.items():
        validation = model._validation.get(attribute, {})
        kind = scalars.get(described["type"], object)
        part = Part(kind, validation.get("required", False), validation.get("readonly", False))
        outer, _, name = described["key"].partition(".")
        (inner if name else found)[name or outer] = part
    if inner:
        found["properties"] = Part(inner, any(part.required for part in inner.values()))
    return found
