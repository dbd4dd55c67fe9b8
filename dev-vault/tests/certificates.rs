//! Certificates, and the key and the secret behind each.

mod support;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dev_vault::{CertificateFormat, CertificateSpec, DevVault, KeyType, Reply};
use p12_keystore::Pkcs12Archive;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use support::{Api, codes};

const SELF_SIGNED: &str = r#"{"policy": {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=self.example"},
    "key_props": {"kty": "EC", "crv": "P-256"}, "secret_props": {"contentType": "application/x-pem-file"}}}"#;

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn pkcs12(reply: &Reply) -> Pkcs12Archive {
    let der = STANDARD.decode(text(&reply.json()["value"])).expect("base64");
    Pkcs12Archive::from_pkcs12(&der, "").expect("PKCS#12 with an empty password")
}

fn certificates(archive: &Pkcs12Archive) -> Vec<&[u8]> {
    archive.certs.iter().map(|bag| bag.cert.as_der()).collect()
}

fn leaf(api: &Api, name: &str) -> Vec<u8> {
    STANDARD.decode(text(&api.get(&format!("/certificates/{name}")).json()["cer"])).expect("base64")
}

#[test]
fn a_certificate_has_a_key_and_a_secret_of_its_version() {
    let api = Api::with(DevVault::builder().certificate("Web", &CertificateSpec::default()));
    let certificate = api.get("/certificates/web").json();
    let id = text(&certificate["id"]);
    let version = id.strip_prefix(&format!("{}/certificates/Web/", api.vault.url())).expect("our address");
    for (member, collection) in [("kid", "keys"), ("sid", "secrets")] {
        assert_eq!(certificate[member], format!("{}/{collection}/Web/{version}", api.vault.url()));
    }
    assert_eq!(certificate["policy"]["key_props"]["exportable"], true);
    assert_eq!(certificate["policy"]["secret_props"]["contentType"], "application/x-pkcs12");
    assert_eq!(text(&certificate["x5t"]).len(), 27);

    let secret = api.get("/secrets/web").json();
    assert_eq!((&secret["managed"], &secret["id"]), (&json!(true), &certificate["sid"]));
    assert_eq!(
        (&secret["kid"], &secret["contentType"]),
        (&certificate["kid"], &json!("application/x-pkcs12"))
    );
    assert_eq!(secret["attributes"]["exp"], certificate["attributes"]["exp"]);
    let key = api.get(&format!("/keys/web/{version}")).json();
    assert_eq!((&key["managed"], &key["key"]["kty"]), (&json!(true), &json!("EC")));
    for (path, member) in [("/secrets", "id"), ("/keys", "kid"), ("/certificates", "id")] {
        let list = api.get(path).json();
        let entry = &list["value"][0];
        assert_eq!(entry[member], format!("{}{path}/Web", api.vault.url()));
        assert_eq!(entry["managed"], if path == "/certificates" { Value::Null } else { json!(true) });
    }
}

#[test]
fn pkcs12_comes_in_every_encryption_and_order() {
    let api = Api::start();
    for format in
        [CertificateFormat::Pkcs12, CertificateFormat::Pkcs12TripleDes, CertificateFormat::Pkcs12Rc2]
    {
        for leaf_last in [false, true] {
            let spec = CertificateSpec { format, leaf_last, ..CertificateSpec::default() };
            api.vault.create_certificate("a", &spec);
            let archive = pkcs12(&api.get("/secrets/a"));
            assert_eq!(archive.keys.len(), 1);
            let certificates = certificates(&archive);
            assert_eq!(certificates.len(), 3, "{format:?}");
            let position = certificates.iter().position(|der| *der == leaf(&api, "a"));
            assert_eq!(position, Some(if leaf_last { 2 } else { 0 }), "{format:?}");
        }
    }
}

#[test]
fn pem_has_the_key_and_the_chain() {
    let spec = CertificateSpec {
        format: CertificateFormat::Pem,
        key: KeyType::Rsa2048,
        ..CertificateSpec::default()
    };
    let api = Api::with(DevVault::builder().certificate("a", &spec));
    let secret = api.get("/secrets/a").json();
    assert_eq!(secret["contentType"], "application/x-pem-file");
    let pem = text(&secret["value"]).as_bytes();
    assert!(matches!(PrivateKeyDer::from_pem_slice(pem), Ok(PrivateKeyDer::Pkcs8(_))));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).map(|one| one.expect("a certificate")).collect();
    assert_eq!((chain.len(), chain[0].as_ref()), (3, &*leaf(&api, "a")));
}

#[test]
fn a_key_that_may_not_leave_does_not() {
    for format in [CertificateFormat::Pkcs12, CertificateFormat::Pem] {
        let spec = CertificateSpec { format, exportable: false, ..CertificateSpec::default() };
        let api = Api::with(DevVault::builder().certificate("a", &spec));
        assert_eq!(api.get("/certificates/a").json()["policy"]["key_props"]["exportable"], false);
        let secret = api.get("/secrets/a");
        if format == CertificateFormat::Pem {
            assert!(!text(&secret.json()["value"]).contains("PRIVATE"));
        } else {
            let archive = pkcs12(&secret);
            assert_eq!((archive.keys.len(), archive.certs.len()), (0, 3));
            assert_eq!(certificates(&archive)[0], leaf(&api, "a"));
        }
    }
}

#[test]
fn what_is_imported_comes_back() {
    let api = Api::start();
    let made =
        CertificateSpec { format: CertificateFormat::Pem, leaf_last: true, ..CertificateSpec::default() };
    api.vault.create_certificate("pem", &made);
    let pem = text(&api.get("/secrets/pem").json()["value"]).to_owned();
    let imported = api.call("POST", "/certificates/from-pem/import", &json!({"value": pem}).to_string());
    assert_eq!(imported.status, 200);
    assert_eq!(imported.json()["policy"]["secret_props"]["contentType"], "application/x-pem-file");
    assert_eq!(leaf(&api, "from-pem"), leaf(&api, "pem"));

    let encoded = json!({"value": STANDARD.encode(&pem)});
    assert_eq!(api.call("POST", "/certificates/encoded/import", &encoded.to_string()).status, 200);
    assert_eq!(leaf(&api, "encoded"), leaf(&api, "pem"));

    let body = json!({"value": pem, "policy": {"secret_props": {"contentType": "application/x-pkcs12"}}});
    assert_eq!(api.call("POST", "/certificates/as-pfx/import", &body.to_string()).status, 200);
    let pfx = text(&api.get("/secrets/as-pfx").json()["value"]).to_owned();
    let body =
        json!({"value": pfx, "pwd": "", "policy": {"key_props": {"exportable": false}}, "tags": {"a": "b"}});
    let imported = api.call("POST", "/certificates/from-pfx/import", &body.to_string()).json();
    assert_eq!(imported["tags"], json!({"a": "b"}));
    assert_eq!(leaf(&api, "from-pfx"), leaf(&api, "pem"));
    assert!(pkcs12(&api.get("/secrets/from-pfx")).keys.is_empty());
    api.vault
        .create_certificate("from-spec", &CertificateSpec { pem: Some(pem), ..CertificateSpec::default() });
    assert_eq!(leaf(&api, "from-spec"), leaf(&api, "pem"));
}

#[test]
fn creation_has_ended_when_it_is_asked_about() {
    let api = Api::start();
    let reply = api.call("POST", "/certificates/a/create", SELF_SIGNED);
    let (begun, ended) = (reply.json(), api.get("/certificates/a/pending").json());
    assert_eq!((reply.status, &begun["status"]), (202, &json!("inProgress")));
    assert_eq!(ended["status"], "completed");
    assert_eq!((&ended["target"], &ended["request_id"]), (&begun["target"], &begun["request_id"]));
    assert_eq!(api.get("/certificates/a/policy").json()["issuer"]["name"], "Self");
    assert_eq!(api.get("/certificates/a").json()["subject"], "CN=self.example");
    assert_eq!(api.call("POST", "/certificates/a/create", SELF_SIGNED).status, 202);
    let versions = |path: &str| {
        let list = api.get(path).json();
        let ids = list["value"].as_array().expect("a list").iter();
        let id = |item: &Value| text(item.get("kid").unwrap_or(&item["id"])).to_owned();
        ids.map(|item| id(item).rsplit('/').next().expect("a version").to_owned()).collect::<BTreeSet<_>>()
    };
    let found = versions("/certificates/a/versions");
    assert_eq!(found.len(), 2);
    assert_eq!(versions("/secrets/a/versions"), found);
    assert_eq!(versions("/keys/a/versions"), found);
}

#[test]
fn what_belongs_to_a_certificate_follows_it() {
    let api = Api::with(DevVault::builder().certificate("a", &CertificateSpec::default()).secret("b", "x"));
    for (method, path) in [("DELETE", "/secrets/a"), ("PATCH", "/secrets/a"), ("DELETE", "/keys/a")] {
        assert_eq!(codes(&api.call(method, path, "{}")).0, 403, "{method} {path}");
    }
    assert_eq!(codes(&api.call("PUT", "/secrets/a", r#"{"value": "x"}"#)).0, 409);
    assert_eq!(codes(&api.call("POST", "/certificates/b/create", SELF_SIGNED)).0, 409);
    assert_eq!(codes(&api.get("/certificates/b")).1, "CertificateNotFound");

    let patch = r#"{"attributes": {"enabled": false}, "tags": {"k": "v"}}"#;
    assert_eq!(api.call("PATCH", "/certificates/a", patch).json()["tags"], json!({"k": "v"}));
    assert_eq!(codes(&api.get("/secrets/a")).2.as_deref(), Some("SecretDisabled"));
    assert_eq!(api.call("PATCH", "/certificates/a", r#"{"attributes": {"enabled": true}}"#).status, 200);
    assert_eq!(api.call("DELETE", "/certificates/a", "").status, 200);
    for (path, code) in [
        ("/certificates/a", "CertificateNotFound"),
        ("/secrets/a", "SecretNotFound"),
        ("/keys/a", "KeyNotFound"),
    ] {
        assert_eq!(codes(&api.get(path)), (404, code.to_owned(), None));
    }
    assert_eq!(codes(&api.call("POST", "/deletedsecrets/a/recover", "")).0, 403);
    assert_eq!(codes(&api.call("DELETE", "/deletedkeys/a", "")).0, 403);
    assert_eq!(api.call("POST", "/deletedcertificates/a/recover", "").status, 200);
    assert_eq!(api.get("/secrets/a").status, 200);
    assert_eq!(api.call("DELETE", "/certificates/a", "").status, 200);
    assert_eq!(api.call("DELETE", "/deletedcertificates/a", "").status, 204);
    api.vault.set_secret("a", "free");
}

#[test]
fn what_the_service_refuses_is_refused() {
    let api = Api::start();
    let wrong = [
        ("create", "{}"),
        ("create", r#"{"policy": {"issuer": {"name": "Elsewhere"}, "x509_props": {"subject": "CN=a"}}}"#),
        ("create", r#"{"policy": {"issuer": {"name": "Self"}}}"#),
        ("import", "{}"),
        ("import", r#"{"value": "%"}"#),
        ("import", r#"{"value": "AAAA"}"#),
        ("import", r#"{"value": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}"#),
    ];
    for (verb, body) in wrong {
        let reply = api.call("POST", &format!("/certificates/a/{verb}"), body);
        assert_eq!(codes(&reply), (400, "BadParameter".to_owned(), None), "{body}");
    }
    assert_eq!(codes(&api.get("/certificates/a")).1, "CertificateNotFound");
}

#[test]
fn a_seed_file_lists_certificates() {
    let seed = "
vaults:
  default:
    certificates:
      web: {subject: 'CN=web.example', dnsNames: [web.example], format: pem, exportable: false, tags: {env: prod}}
      renewed:
        versions:
          - {subject: CN=old, version: 00000000000000000000000000000001, days: 0}
          - {subject: CN=new, format: pkcs12-3des, key: RSA-2048}
";
    let api = Api::with(DevVault::builder().seed(seed).expect("a seed"));
    let web = api.get("/certificates/web").json();
    assert_eq!((&web["subject"], &web["tags"]), (&json!("CN=web.example"), &json!({"env": "prod"})));
    assert_eq!(api.get("/certificates/renewed").json()["subject"], "CN=new");
    let old = api.get("/certificates/renewed/00000000000000000000000000000001").json();
    assert_eq!(old["subject"], "CN=old");
    assert_eq!(old["attributes"]["nbf"], old["attributes"]["exp"]);
    assert_eq!(pkcs12(&api.get("/secrets/renewed")).keys.len(), 1);
}
