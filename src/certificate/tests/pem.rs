//! PEM as vaults, programs and people write it.

use super::{CertificateError, CertificatePart, Openssl, check_whole, take};

const ALL: [&str; 4] = ["leaf.key", "leaf.pem", "intermediate.pem", "root.pem"];

#[test]
fn keys_of_every_kind_come_out_as_pkcs8() {
    let openssl = Openssl::with_chain("rsa:2048");
    check_whole(&openssl, openssl.text(&ALL).as_bytes());
    openssl.run("rsa -in leaf.key -traditional -out leaf.key");
    assert!(openssl.read("leaf.key").starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    check_whole(&openssl, openssl.text(&ALL).as_bytes());

    for curve in ["P-256", "P-384", "P-521", "secp256k1"] {
        let openssl = Openssl::with_chain(curve);
        check_whole(&openssl, openssl.text(&ALL).as_bytes());
        openssl.run("ec -in leaf.key -out leaf.key");
        assert!(openssl.read("leaf.key").starts_with("-----BEGIN EC PRIVATE KEY-----"));
        // As `openssl ecparam -genkey` puts it before the key.
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        check_whole(&openssl, (parameters.to_owned() + &openssl.text(&ALL)).as_bytes());
    }
}

#[test]
fn text_around_the_blocks_and_other_line_ends_do_not_matter() {
    let openssl = Openssl::with_chain("P-256");
    // With bag attributes before every block.
    let file = openssl.pfx("-name a-friendly-name");
    openssl.write("bags.pfx", file);
    let bags = openssl.run("pkcs12 -in bags.pfx -passin pass: -nodes");
    assert!(bags.starts_with("Bag Attributes"));
    check_whole(&openssl, bags.as_bytes());
    check_whole(&openssl, bags.replace('\n', "\r\n").as_bytes());
    check_whole(&openssl, bags.trim_end().as_bytes());
    check_whole(&openssl, ("# a long comment\n".repeat(1000) + &bags).as_bytes());
    // Everything in words before every block.
    let words =
        ["leaf", "intermediate", "root"].map(|name| openssl.run(&format!("x509 -in {name}.pem -text")));
    check_whole(&openssl, (words.concat() + &openssl.read("leaf.key")).as_bytes());
}

#[test]
fn blocks_of_other_kinds_are_passed_over() {
    let openssl = Openssl::with_chain("P-256");
    openssl.run("req -new -key leaf.key -subj /CN=leaf.example -out request.pem");
    openssl.run("pkey -in leaf.key -pubout -out public.pem");
    let others = openssl.text(&["request.pem", "public.pem"]);
    check_whole(&openssl, (others.clone() + &openssl.text(&ALL) + &others).as_bytes());
}

#[test]
fn without_a_key_the_certificates_are_still_there() {
    let openssl = Openssl::with_chain("P-256");
    let text = openssl.text(&ALL[1..]);
    assert_eq!(take(text.clone(), CertificatePart::FullChain), Ok(text.clone()));
    for part in [CertificatePart::Key, CertificatePart::Pem] {
        assert_eq!(take(text.clone(), part), Err(CertificateError::NoPrivateKey));
    }
    assert_eq!(take(text, CertificatePart::Pfx), Err(CertificateError::NoPkcs12));
}

#[test]
fn a_key_alone_is_no_certificate() {
    let openssl = Openssl::with_chain("P-256");
    let key = openssl.read("leaf.key");
    assert_eq!(take(key, CertificatePart::Leaf), Err(CertificateError::NoCertificate));
}

#[test]
fn a_key_with_a_password_is_told() {
    let openssl = Openssl::with_chain("rsa:2048");
    for command in ["pkcs8 -topk8 -passout pass:word", "rsa -traditional -aes128 -passout pass:word"] {
        openssl.run(&format!("{command} -in leaf.key -out locked.key"));
        let text = openssl.text(&["locked.key", "leaf.pem"]);
        assert_eq!(take(text, CertificatePart::Leaf), Err(CertificateError::KeyPassword), "{command}");
    }
}

#[test]
fn two_keys_are_one_too_many() {
    let openssl = Openssl::with_chain("P-256");
    let text = openssl.text(&["leaf.key", "leaf.pem", "root.key"]);
    assert_eq!(take(text, CertificatePart::Key), Err(CertificateError::SeveralKeys));
}
