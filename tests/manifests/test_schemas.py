"""deploy/ against the schemas of Kubernetes and of the Secrets Store CSI driver, unknown fields refused."""

import pytest

from lint.build import objects
from lint.pod import find
from lint.schema import VERSIONS, custom_errors, is_native, is_served, native_error

NAMESPACE = "akv-agent-seed"

versions = pytest.mark.parametrize("version", VERSIONS)


def deployment(docs):
    return find(docs, "Deployment", "seed-sidecar", NAMESPACE)


def provider_class(docs):
    return find(docs, "SecretProviderClass", "seed-secrets", NAMESPACE)


@versions
def test_files_meet_the_kubernetes_schemas(version):
    native = [doc for _, doc in objects() if is_native(doc) and is_served(doc, version)]
    assert native
    assert [error for doc in native if (error := native_error(doc, version))] == []


@versions
def test_builds_meet_the_kubernetes_schemas(built, version):
    native = [doc for doc in built if is_native(doc)]
    assert native
    assert [error for doc in native if (error := native_error(doc, version))] == []


def test_builds_meet_the_custom_resource_definitions(built, custom_schemas):
    custom = [doc for doc in built if not is_native(doc)]
    assert custom
    assert [error for doc in custom for error in custom_errors(doc, custom_schemas)] == []


@versions
@pytest.mark.parametrize(
    "change",
    [
        lambda doc: doc["spec"].update(replica=1),
        lambda doc: doc["spec"]["template"]["spec"]["containers"][0]["securityContext"].update(readOnlyRootFs=True),
        lambda doc: doc["spec"]["template"]["spec"].update(shareProcessNamespace="yes"),
        lambda doc: doc["spec"]["template"]["spec"]["volumes"][0].update(secretProviderClass="seed-secrets"),
        lambda doc: doc["spec"].pop("selector"),
        lambda doc: doc.update(kind="Deploymnet"),
    ],
    ids=["unknown field", "unknown nested field", "wrong type", "unknown volume", "missing field", "unknown kind"],
)
def test_the_kubernetes_schemas_refuse(seed, version, change):
    doc = deployment(seed)
    change(doc)
    assert native_error(doc, version)


@pytest.mark.parametrize(
    "change",
    [
        lambda doc: doc["spec"].update(parameter={}),
        lambda doc: doc["spec"].update(secretObjects=[{"secretname": "x"}]),
        lambda doc: doc["spec"]["parameters"].update(useVMManagedIdentity=True),
        lambda doc: doc["metadata"].update(label={}),
        lambda doc: doc.update(data={}),
        lambda doc: doc.update(apiVersion="secrets-store.csi.x-k8s.io/v2"),
        lambda doc: doc.update(apiVersion="secrets-store.csi.x-k8s.io/v1alpha1"),
    ],
    ids=["spec", "nested", "type", "metadata", "top level", "unknown version", "deprecated version"],
)
def test_the_custom_resource_definitions_refuse(seed, custom_schemas, change):
    doc = provider_class(seed)
    change(doc)
    assert custom_errors(doc, custom_schemas)
