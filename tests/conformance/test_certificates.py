"""Certificates and keys, as the vault makes them."""

import base64
import json

import pytest
from azure.keyvault.certificates import CertificatePolicy
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
    pkcs12,
)

KINDS = {"RSA": {"key_type": "RSA", "key_size": 2048}, "EC": {"key_type": "EC", "key_curve_name": "P-256"}}
FORMATS = {"PKCS#12": "application/x-pkcs12", "PEM": "application/x-pem-file"}


def create(scene, kind="RSA", content_type=FORMATS["PKCS#12"], **more):
    """A new version of a certificate that signs itself; gives it as the vault shows it to everybody."""
    policy = CertificatePolicy(
        issuer_name="Self", subject="CN=conformance.example", content_type=content_type, **KINDS[kind], **more
    )
    client = scene.backend.certificates()
    client.begin_create_certificate(scene.name(), policy).wait()
    shown = client.get_certificate(scene.name())
    return x509.load_der_x509_certificate(bytes(shown.cer)), shown.properties.version


def spki(public_key) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pem_certificates(text) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(text.encode())


@pytest.mark.parametrize("content_type", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_a_certificate(scene, kind, content_type):
    certificate, _version = create(scene, kind, content_type)
    reference = f"akv://{scene.backend.host()}/certificates/{scene.name()}"
    parts = ["leaf", "chain", "fullchain", "key", "pem"]
    agent = scene.init({"WHOLE": reference} | {part.upper(): f"{reference}#{part}" for part in parts})
    for part in ("WHOLE", "LEAF", "CHAIN", "FULLCHAIN", "PEM"):
        assert pem_certificates(agent.value(part)) == [certificate], part
    for part in ("KEY", "PEM"):
        key = load_pem_private_key(agent.value(part).encode(), password=None)
        assert spki(key.public_key()) == spki(certificate.public_key()), part


def test_original_pkcs12(scene):
    certificate, _version = create(scene)
    reference = f"akv://{scene.backend.host()}/certificates/{scene.name()}#pfx"
    original = base64.b64decode(scene.init({"PFX": reference}).value("PFX"))
    key, leaf, _others = pkcs12.load_key_and_certificates(original, password=None)
    assert leaf == certificate
    assert spki(key.public_key()) == spki(certificate.public_key())


def test_renewal(scene):
    first, version = create(scene)
    reference = f"akv://{scene.backend.host()}/certificates/{scene.name()}"
    agent = scene.sidecar({"LATEST": f"{reference}#leaf", "PINNED": f"{reference}/{version}#leaf"})
    second, _version = create(scene)
    agent.wait_for_value("LATEST", second.public_bytes(Encoding.PEM).decode())
    assert pem_certificates(agent.value("PINNED")) == [first]


def test_public_key(scene):
    created = {
        "RSA": scene.backend.keys().create_rsa_key(scene.name("rsa"), size=2048),
        "EC": scene.backend.keys().create_ec_key(scene.name("ec"), curve="P-256"),
    }
    host = scene.backend.host()
    references = {kind: f"akv://{host}/keys/{key.name}" for kind, key in created.items()}
    agent = scene.init(references | {f"{kind}_JWK": f"{one}#jwk" for kind, one in references.items()})
    for kind, key in created.items():
        numbers = load_pem_public_key(agent.value(kind).encode()).public_numbers()
        jwk = json.loads(agent.value(f"{kind}_JWK"))
        found, shown = ((numbers.n, key.key.n), ("n", "e")) if kind == "RSA" else ((numbers.x, key.key.x), ("x", "y"))
        assert found[0] == int.from_bytes(found[1], "big"), kind
        for member in shown:
            assert base64.urlsafe_b64decode(jwk[member] + "==") == getattr(key.key, member), f"{kind} {member}"
        assert not {"d", "p", "q", "k"} & set(jwk), "only the public half"
