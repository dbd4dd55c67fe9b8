"""The official clients for certificates and keys, unchanged, against dev-vault."""

import base64

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import WorkloadIdentityCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.keys import JsonWebKey, KeyClient
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)

PEM, PKCS12 = "application/x-pem-file", "application/x-pkcs12"
FORMATS = {"pkcs12": PKCS12, "pkcs12-3des": PKCS12, "pkcs12-rc2": PKCS12, "pem": PEM}
SEED = "".join(
    f"      {name}-{order}: {{subject: CN={name}.example, format: {name}, leafLast: {str(order == 'last').lower()}}}\n"
    for name in FORMATS
    for order in ("first", "last")
)


@pytest.fixture
def seed():
    return f"vaults:\n  default:\n    certificates:\n{SEED}"


def client(kind, server):
    # The check that is switched off compares the vault's host with the challenge's resource.
    return kind(server.url, WorkloadIdentityCredential(), verify_challenge_resource=False)


@pytest.fixture
def certificates(server):
    with client(CertificateClient, server) as certificates:
        yield certificates


@pytest.fixture
def keys(server):
    with client(KeyClient, server) as keys:
        yield keys


@pytest.fixture
def secrets(server):
    with client(SecretClient, server) as secrets:
        yield secrets


def spki(public_key) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def taken_apart(secret):
    """The private key and the certificates of the secret behind a certificate."""
    if secret.properties.content_type == PEM:
        found = x509.load_pem_x509_certificates(secret.value.encode())
        return load_pem_private_key(secret.value.encode(), password=None), found
    key, leaf, others = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), password=None)
    return key, [leaf, *others]


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("name", FORMATS)
def test_the_secret_behind_a_certificate(certificates, secrets, name, order):
    certificate = certificates.get_certificate(f"{name}-{order}")
    secret = secrets.get_secret(f"{name}-{order}")
    assert secret.id == certificate.secret_id
    assert secret.properties.key_id == certificate.key_id
    assert secret.properties.content_type == certificate.policy.content_type == FORMATS[name]
    leaf = x509.load_der_x509_certificate(bytes(certificate.cer))
    assert certificate.properties.expires_on == leaf.not_valid_after_utc
    key, chain = taken_apart(secret)
    assert spki(key.public_key()) == spki(leaf.public_key())
    by_subject = {one.subject: one for one in chain}
    assert len(by_subject) == 3
    intermediate = by_subject[leaf.issuer]
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(by_subject[intermediate.issuer])
    if name == "pem":
        assert chain.index(leaf) == (0 if order == "first" else 2)


def test_a_certificate_is_made_and_listed(certificates, secrets):
    policy = CertificatePolicy(
        issuer_name="Self", subject="CN=made.example", key_type="RSA", key_size=2048, content_type=PKCS12, exportable=False
    )
    made = certificates.begin_create_certificate("made", policy, tags={"a": "b"}).result()
    assert made.id == certificates.get_certificate("made").id
    assert made.policy.exportable is False
    assert made.properties.tags == {"a": "b"}
    assert len(made.properties.x509_thumbprint) == 20
    archive = pkcs12.load_pkcs12(base64.b64decode(secrets.get_secret("made").value), password=None)
    assert archive.key is None
    listed = {one.name for one in certificates.list_properties_of_certificates()}
    assert listed == {"made"} | {f"{name}-{order}" for name in FORMATS for order in ("first", "last")}
    versions = list(certificates.list_properties_of_certificate_versions("made"))
    assert [one.version for one in versions] == [made.properties.version]


@pytest.mark.parametrize("password", [None, "p\u00e4ss"])
def test_an_imported_pfx_comes_back(certificates, secrets, password):
    key, chain = taken_apart(secrets.get_secret("pem-first"))
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pfx = pkcs12.serialize_key_and_certificates(b"it", key, chain[0], chain[1:], encryption)
    certificates.import_certificate("imported", pfx, password=password)
    assert bytes(certificates.get_certificate("imported").cer) == chain[0].public_bytes(Encoding.DER)
    found, _certificates = taken_apart(secrets.get_secret("imported"))
    assert spki(found.public_key()) == spki(key.public_key())


def pem(key, *chain) -> bytes:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text + b"".join(one.public_bytes(Encoding.PEM) for one in chain)


def test_an_imported_pem_comes_back(certificates, secrets):
    key, chain = taken_apart(secrets.get_secret("pkcs12-first"))
    leaf, *authorities = chain
    imported = certificates.import_certificate(
        "imported", pem(key, *authorities, leaf), policy=CertificatePolicy(content_type=PEM)
    )
    assert bytes(imported.cer) == leaf.public_bytes(Encoding.DER)
    found, certificates_found = taken_apart(secrets.get_secret("imported"))
    assert spki(found.public_key()) == spki(key.public_key())
    assert set(certificates_found) == set(chain)


def test_an_imported_key_without_its_certificate_is_refused(certificates, secrets):
    other = ec.generate_private_key(ec.SECP256R1())
    _key, chain = taken_apart(secrets.get_secret("pem-first"))
    with pytest.raises(HttpResponseError, match="no certificate belongs to the private key") as caught:
        certificates.import_certificate("wrong", pem(other, chain[0]), policy=CertificatePolicy(content_type=PEM))
    assert (caught.value.status_code, caught.value.error.code) == (400, "BadParameter")
    with pytest.raises(ResourceNotFoundError) as caught:
        certificates.get_certificate("wrong")
    assert caught.value.error.code == "CertificateNotFound"


def test_managed_secrets_are_marked_in_lists(secrets):
    secrets.set_secret("own", "x", tags={"team": "web"})
    listed = {one.name: one for one in secrets.list_properties_of_secrets()}
    assert listed["own"].tags == {"team": "web"}
    assert {name for name, one in listed.items() if one.managed} == listed.keys() - {"own"}


@pytest.mark.parametrize(("curve", "size"), [("P-256", 32), ("P-384", 48), ("P-521", 66), ("P-256K", 32)])
def test_an_ec_key_is_made_and_rotated(keys, curve, size):
    first = keys.create_ec_key("made", curve=curve, tags={"a": "b"})
    assert (first.key.crv, len(first.key.x), len(first.key.y)) == (curve, size, size)
    second = keys.create_ec_key("made", curve=curve)
    assert keys.get_key("made").id == second.id
    assert keys.get_key("made", first.properties.version).key.x == first.key.x
    versions = {one.version for one in keys.list_properties_of_key_versions("made")}
    assert versions == {first.properties.version, second.properties.version}


def test_an_imported_rsa_key_shows_its_public_half(keys):
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    members = {
        "n": numbers.public_numbers.n, "e": numbers.public_numbers.e, "d": numbers.d, "p": numbers.p, "q": numbers.q,
        "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp,
    }
    encoded = {name: one.to_bytes((one.bit_length() + 7) // 8, "big") for name, one in members.items()}
    keys.import_key("given", JsonWebKey(kty="RSA", key_ops=["sign"], **encoded))
    found = keys.get_key("given")
    assert (found.key.n, found.key.e, found.key.d) == (encoded["n"], encoded["e"], None)
    assert found.key_operations == ["sign"]
    with pytest.raises(ResourceNotFoundError) as caught:
        keys.get_key("nowhere")
    assert caught.value.error.code == "KeyNotFound"
