//! Certificates made by `openssl`, taken apart here, and judged by `openssl` again.

mod broken;
mod order;
mod pem;
mod pkcs12;

use super::{CertificateError, open_pkcs12, part};
use crate::{openssl::Openssl, reference::CertificatePart, secret::SecretValue};
use base64ct::{Base64, Encoding as _};

fn take(value: impl Into<Vec<u8>>, wanted: CertificatePart) -> Result<String, CertificateError> {
    let text = part(&SecretValue::new(value), wanted)?;
    Ok(String::from_utf8(text.expose().to_vec()).expect("PEM and base64 are text"))
}

/// Fails unless every part of `value`, which has the chain of [`Openssl::with_chain`] in it, is as it must be.
fn check_whole(openssl: &Openssl, value: &[u8]) {
    let take = |part| take(value, part).expect("it is there");
    let [leaf, intermediate, root] =
        ["leaf.pem", "intermediate.pem", "root.pem"].map(|name| openssl.read(name));
    assert_eq!(take(CertificatePart::Leaf), leaf);
    assert_eq!(take(CertificatePart::Chain), [&*leaf, &intermediate].concat());
    assert_eq!(take(CertificatePart::FullChain), [&*leaf, &intermediate, &root].concat());
    assert_eq!(take(CertificatePart::Ca), [&*intermediate, &root].concat());
    openssl.verify("root.pem", &take(CertificatePart::Chain));

    let key = take(CertificatePart::Key);
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PKCS#8");
    assert_eq!(openssl.public_of_key(&key), openssl.public_of_certificate(&leaf));
    assert_eq!(take(CertificatePart::Pem), key + &take(CertificatePart::FullChain));
}

fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
