"""Validation against the schemas that a cluster has: its own, and custom resource definitions."""

import copy

import jsonschema
import kubernetes_validate

from .build import documents
from .pod import name_of


# From the oldest that is still looked after to the newest whose schemas there are.
OLDEST = 34
NEWEST = int(kubernetes_validate.latest_version().split(".")[1])
VERSIONS = [f"1.{minor}" for minor in range(OLDEST, NEWEST + 1)]


# What not every one of these has, in the version that the manifests name.
SINCE = {"MutatingAdmissionPolicy": 36, "MutatingAdmissionPolicyBinding": 36}


def is_served(doc, version):
    """Whether Kubernetes `version` knows this kind."""
    return int(version.split(".")[1]) >= SINCE.get(doc["kind"], OLDEST)


def is_native(doc):
    """Whether Kubernetes itself defines this kind."""
    group = doc["apiVersion"].rpartition("/")[0]
    if group == "aadpodidentity.k8s.io":
        # Took a name of Kubernetes, before these were protected.
        return False
    return "." not in group or (group.endswith(".k8s.io") and not group.endswith(".x-k8s.io"))


def native_error(doc, version):
    """What Kubernetes `version` would refuse, or None. Unknown fields are refused."""
    try:
        kubernetes_validate.validate(doc, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        path = ".".join(str(key) for key in error.absolute_path)
        return f"{name_of(doc)}: {path}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return f"{name_of(doc)}: {error.message}"
    return None


def definitions(directory):
    """The schemas in a directory of CustomResourceDefinitions, by apiVersion and kind."""
    schemas = {}
    for path in sorted(directory.glob("*.yaml")):
        for doc in documents(path.read_text()):
            if doc["kind"] != "CustomResourceDefinition":
                continue
            spec = doc["spec"]
            for version in spec["versions"]:
                if version["served"] and not version.get("deprecated"):
                    key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    schemas[key] = _closed(version["schema"]["openAPIV3Schema"])
    return schemas


def custom_errors(doc, schemas):
    """What the definition of a custom resource refuses, or would drop in silence."""
    schema = schemas.get((doc["apiVersion"], doc["kind"]))
    if schema is None:
        return [f"{name_of(doc)}: no served definition of {doc['apiVersion']} {doc['kind']}"]
    # Definitions leave metadata to Kubernetes: checked as that of an object that has nothing else.
    metadata = native_error(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": doc["metadata"]},
        VERSIONS[-1],
    )
    errors = jsonschema.Draft202012Validator(schema).iter_errors({**doc, "metadata": {}})
    return [f"{name_of(doc)}: {error.json_path}: {error.message}" for error in errors] + (
        [metadata] if metadata else []
    )


def _closed(schema):
    """A structural schema as JSON Schema in which what the API server would drop is an error."""
    schema = copy.deepcopy(schema)
    _close(schema)
    return schema


def _close(schema):
    for child in schema.get("properties", {}).values():
        _close(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _close(schema[key])
    if schema.pop("x-kubernetes-int-or-string", False):
        schema["type"] = ["integer", "string"]
    if schema.pop("nullable", False):
        schema["type"] = [schema["type"], "null"]
    kept = schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and not kept:
        schema.setdefault("additionalProperties", False)
