//! What is no certificate, or is one no longer.

use super::{CertificateError, CertificatePart, Openssl, base64, take};

const PARTS: [CertificatePart; 7] = [
    CertificatePart::Leaf,
    CertificatePart::Chain,
    CertificatePart::FullChain,
    CertificatePart::Ca,
    CertificatePart::Key,
    CertificatePart::Pem,
    CertificatePart::Pfx,
];

#[test]
fn an_ordinary_value_is_no_certificate() {
    for value in ["", "hunter2", "{\"password\": \"x\"}", "0123456789abcdef", "aGVsbG8=", "\u{30}\u{7f}x"] {
        for part in PARTS {
            assert_eq!(take(value, part), Err(CertificateError::NotACertificate), "{value:?} {part:?}");
        }
    }
}

#[test]
fn damaged_pem_is_an_error() {
    let openssl = Openssl::with_chain("P-256");
    let text = openssl.text(&["leaf.pem", "leaf.key"]);
    for (damaged, error) in [
        (text[..text.len() / 4].to_owned(), CertificateError::DamagedPem),
        (text.replace("MII", "!!!"), CertificateError::DamagedPem),
        (text.replace("-----END CERTIFICATE-----", ""), CertificateError::DamagedPem),
        (text.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE"), CertificateError::DamagedPem),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".into(), CertificateError::NotX509),
        (text.replace("PRIVATE KEY", "EC PRIVATE KEY"), CertificateError::DamagedPem),
        (text.replace("PRIVATE KEY", "RSA PRIVATE KEY"), CertificateError::DamagedPem),
        ("-----BEGIN ".into(), CertificateError::DamagedPem),
    ] {
        assert_eq!(take(damaged.clone(), CertificatePart::Leaf), Err(error), "{damaged}");
    }
}

/// Whatever is in a vault, the agent goes on: an app's parent must not panic.
#[test]
fn a_file_that_is_damaged_anywhere_is_an_error_and_no_panic() {
    let openssl = Openssl::with_chain("P-256");
    for form in ["-noiter -nomaciter", "-legacy -noiter -nomaciter", "-nomac -keypbe NONE -certpbe NONE"] {
        let whole = openssl.pfx(form);
        for length in 0..whole.len() {
            assert!(take(&whole[..length], CertificatePart::Pem).is_err(), "{form}: {length} bytes");
        }
        for index in 0..whole.len() {
            for damage in [0x01, 0x80] {
                let mut damaged = whole.clone();
                damaged[index] ^= damage;
                // What changed may be nothing that is looked at, such as a name or a signature.
                let _ = take(damaged, CertificatePart::Pem);
            }
        }
    }
}

#[test]
fn a_file_with_a_checksum_shows_damage_anywhere_inside() {
    let openssl = Openssl::with_chain("P-256");
    let mut damaged = openssl.pfx("-noiter -nomaciter -keypbe NONE -certpbe NONE");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert!(take(damaged, CertificatePart::Leaf).is_err());
}

#[test]
fn der_that_is_no_pkcs12_is_an_error() {
    let openssl = Openssl::with_chain("P-256");
    openssl.run("x509 -in leaf.pem -outform DER -out leaf.der");
    let der = std::fs::read(openssl.path("leaf.der")).unwrap();
    for value in [base64(&der).into_bytes(), der] {
        assert_eq!(take(value, CertificatePart::Leaf), Err(CertificateError::DamagedPkcs12));
    }
}

#[test]
fn no_reason_repeats_anything_of_the_value() {
    let openssl = Openssl::with_chain("P-256");
    let text = openssl.text(&["leaf.key", "leaf.key"]);
    let body = text.lines().nth(1).unwrap();
    for value in [text.clone(), text.replace("PRIVATE", "EC PRIVATE"), body.to_owned()] {
        for part in PARTS {
            let error = take(value.clone(), part).expect_err("no certificate").to_string();
            assert!(!error.contains(body) && !error.contains("CN="), "{error}");
        }
    }
}
