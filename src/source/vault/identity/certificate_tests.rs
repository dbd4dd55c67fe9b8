//! What a certificate file may hold, and what is said where it holds something else.

use super::*;
use dev_vault::DevVault;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::Value;
use std::fs;

/// Certificate and key of an application, each PEM.
fn pair() -> (String, String) {
    let vault = DevVault::builder().start().expect("dev vault");
    let pem = fs::read_to_string(vault.client_certificate_file()).expect("a file");
    let (certificate, key) = pem.split_once("-----BEGIN PRIVATE").expect("both");
    (certificate.to_owned(), format!("-----BEGIN PRIVATE{key}"))
}

fn assertion(file: &str, send_chain: bool) -> Result<(Value, Value, String), String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("client.pem");
    fs::write(&path, file).expect("a file");
    let wanted = CertificateAssertion {
        file: path,
        password: None,
        send_chain,
        client_id: "client".into(),
        audience: "https://login.example/tenant/oauth2/v2.0/token".into(),
    };
    let at = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let text = wanted.assertion(at).map_err(|error| {
        assert_eq!((error.class, error.transient), (crate::failure::Class::Config, false));
        error.message
    })?;
    let part = |number: usize| {
        let part =
            base64::decode_url_safe(text.split('.').nth(number).expect("three parts")).expect("base64");
        serde_json::from_slice(&part).expect("JSON")
    };
    Ok((part(0), part(1), text.clone()))
}

#[test]
fn the_assertion_says_who_for_whom_and_how_long() {
    let (certificate, key) = pair();
    let (header, claims, _) = assertion(&format!("{certificate}{key}"), false).expect("an assertion");
    assert_eq!((&header["alg"], header.get("x5c")), (&json!("PS256"), None));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client"), &json!("client")));
    assert_eq!(claims["aud"], "https://login.example/tenant/oauth2/v2.0/token");
    assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(1_000_000), &json!(1_000_600)));
    let (_, again, _) = assertion(&format!("{certificate}{key}"), false).expect("an assertion");
    assert_ne!(claims["jti"], again["jti"], "no assertion may be used twice");
}

#[test]
fn the_certificate_of_the_key_counts_wherever_it_stands() {
    let (certificate, key) = pair();
    let vault = DevVault::builder().start().expect("dev vault");
    let file = format!("{key}{}{certificate}", vault.ca_pem());
    let (header, ..) = assertion(&file, true).expect("an assertion");
    let leaf = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    assert_eq!(header["x5c"][0], base64::encode(&leaf));
    assert_eq!(header["x5c"].as_array().map(Vec::len), Some(2));
    assert_eq!(header["x5t#S256"], base64::encode_url_safe(digest(&SHA256, &leaf)));
}

#[test]
fn a_file_that_will_not_do_says_why() {
    let (certificate, key) = pair();
    let authority = DevVault::builder().start().expect("dev vault").ca_pem().to_owned();
    let elliptic = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let elliptic = base64::encode(elliptic.expect("a key"));
    let elliptic = format!("-----BEGIN PRIVATE KEY-----\n{elliptic}\n-----END PRIVATE KEY-----\n");
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (file, words) in [
        (String::new(), "is empty"),
        ("neither".into(), "neither PEM nor PKCS#12"),
        (certificate.clone(), "holds no key"),
        (key.clone(), "holds no certificate"),
        (format!("{authority}{key}"), "do not belong together"),
        (format!("{certificate}{elliptic}"), "not RSA"),
        (format!("{certificate}{encrypted}"), "encrypted key"),
    ] {
        let text = assertion(&file, false).expect_err(words);
        assert!(text.starts_with("the client certificate /") && text.contains(words), "{words}: {text}");
    }
}
