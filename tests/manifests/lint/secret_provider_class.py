"""The parameters of a SecretProviderClass, which its CRD leaves free."""

import re
from pathlib import PurePosixPath

import yaml

from .pod import name_of
from .rule import Finding, Rule

PARAMETERS = {
    "keyvaultName",
    "objects",
    "tenantID",
    "clientID",
    "useVMManagedIdentity",
    "userAssignedIdentityID",
    "usePodIdentity",
    "useAzureTokenProxy",
    "cloudName",
    "cloudEnvFileName",
}
REQUIRED = {"keyvaultName", "tenantID", "objects"}
# What Go's ParseBool takes for true.
TRUE = {"1", "t", "T", "TRUE", "true", "True"}

GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
PARAMETER_FORM = {
    "keyvaultName": r"[-A-Za-z0-9]{3,24}",
    "tenantID": GUID,
    "clientID": GUID,
    "userAssignedIdentityID": GUID,
}

OBJECT_FIELDS = {
    "objectName",
    "objectType",
    "objectAlias",
    "objectVersion",
    "objectVersionHistory",
    "objectFormat",
    "objectEncoding",
    "filePermission",
}
OBJECT_FORM = {
    "objectName": r"[0-9a-zA-Z-]{1,127}",
    "objectType": r"secret|key|cert",
    "objectVersion": r"|[0-9a-f]{32}",
    "objectVersionHistory": r"[0-9]+",
    "objectFormat": r"pem|pfx",
    "objectEncoding": r"utf-8|hex|base64",
    "filePermission": r"0[0-7]{3}",
}


def lint(docs):
    for doc in docs:
        if doc["kind"] == "SecretProviderClass":
            yield from _class(doc)


def file_names(doc):
    """The files that a mount of this class has, as far as it can be read."""
    return {
        (item.get("objectAlias") or item["objectName"]).strip()
        for item in _objects(doc)
        if isinstance(item, dict) and "objectName" in item
    }


def ways(doc):
    """The ways to authenticate that are switched on. With none it is a service principal."""
    parameters = doc["spec"].get("parameters") or {}
    switches = ("useVMManagedIdentity", "usePodIdentity")
    found = [key for key in switches if str(parameters.get(key, "")).strip() in TRUE]
    return ["clientID", *found] if str(parameters.get("clientID", "")).strip() else found


def _class(doc):
    where = name_of(doc)
    if doc["spec"].get("provider") != "azure":
        yield Finding(Rule.SPC_PROVIDER, where)
    parameters = doc["spec"].get("parameters") or {}
    for key in sorted(parameters.keys() - PARAMETERS):
        yield Finding(Rule.SPC_PARAMETER_KNOWN, where, key)
    for key, value in parameters.items():
        if not isinstance(value, str):
            yield Finding(Rule.SPC_PARAMETER_STRING, where, key)
    for key in sorted(REQUIRED):
        if not str(parameters.get(key, "")).strip():
            yield Finding(Rule.SPC_PARAMETER_PRESENT, where, key)
    for key in PARAMETER_FORM.keys() & parameters.keys():
        if not re.fullmatch(PARAMETER_FORM[key], str(parameters[key]).strip()):
            yield Finding(Rule.SPC_PARAMETER_VALUE, where, key)
    if len(ways(doc)) > 1:
        yield Finding(Rule.SPC_ONE_MODE, where, " and ".join(ways(doc)))
    objects = _objects(doc)
    if not objects or not all(isinstance(item, dict) for item in objects):
        yield Finding(Rule.SPC_OBJECTS_FORM, where)
    for item in objects:
        if isinstance(item, dict):
            yield from _object(f"{where} object {item.get('objectName')}", item)


def _objects(doc):
    """The parsed entries of `objects`: mappings where they are right, None for each that is not."""
    text = (doc["spec"].get("parameters") or {}).get("objects")
    document = _parse(text)
    array = document.get("array") if isinstance(document, dict) else None
    if not isinstance(array, list) or set(document) != {"array"}:
        return []
    entries = [_parse(entry) for entry in array]
    return [entry if isinstance(entry, dict) else None for entry in entries]


def _parse(text):
    if not isinstance(text, str):
        return None
    try:
        # Values stay as they are written: the provider reads all of them as strings.
        return yaml.load(text, yaml.BaseLoader)
    except yaml.YAMLError:
        return None


def _object(where, item):
    for key in sorted(item.keys() - OBJECT_FIELDS):
        yield Finding(Rule.SPC_OBJECT_FIELD, where, key)
    for key in ("objectName", "objectType"):
        if not item.get(key):
            yield Finding(Rule.SPC_OBJECT_FIELD, where, key)
    for key, form in OBJECT_FORM.items():
        if item.get(key) and not re.fullmatch(form, str(item[key])):
            yield Finding(Rule.SPC_OBJECT_VALUE, where, key)
    alias = item.get("objectAlias")
    if alias and (str(PurePosixPath(alias)) != alias or alias.startswith("/") or ".." in alias):
        yield Finding(Rule.SPC_OBJECT_VALUE, where, "objectAlias")
    if item.get("objectType") != "secret" and (item.get("objectEncoding") or item.get("objectFormat") == "pfx"):
        yield Finding(Rule.SPC_OBJECT_VALUE, where, "objectFormat and objectEncoding are for secrets")
