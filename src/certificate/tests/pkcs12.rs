//! PKCS#12 in all the forms in which programs write it.

use super::{CertificateError, CertificatePart, Openssl, base64, check_whole, open_pkcs12, take};

/// Options of `openssl pkcs12 -export`.
const FORMS: [&str; 9] = [
    // AES-256, PBKDF2 and SHA-256.
    "",
    // Triple DES, RC2 with 40 bits, and SHA-1.
    "-legacy",
    // Triple DES throughout: what Windows wrote for twenty years.
    "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -iter 2000",
    "-legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-RC2-128",
    "-keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha384",
    "-keypbe DES-EDE3-CBC -certpbe NONE -macalg sha512",
    "-keypbe NONE -certpbe NONE",
    "-nomac",
    "-macalg sha512-256 -name a-friendly-name",
];

#[test]
fn every_form_of_encryption_is_read() {
    for key in ["rsa:2048", "P-256"] {
        let openssl = Openssl::with_chain(key);
        for form in FORMS {
            println!("{key}: {form}");
            check_whole(&openssl, &openssl.pfx(form));
        }
    }
}

#[test]
fn every_kind_of_key_that_key_vault_has_is_read() {
    for key in ["rsa:3072", "rsa:4096", "P-384", "P-521", "secp256k1"] {
        let openssl = Openssl::with_chain(key);
        check_whole(&openssl, &openssl.pfx(""));
    }
}

#[test]
fn it_is_read_as_bytes_and_as_base64_in_any_lines() {
    let openssl = Openssl::with_chain("P-256");
    let der = openssl.pfx("");
    let one_line = base64(&der);
    let lines = |width: usize, end: &str| {
        let lines =
            one_line.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap().to_owned() + end);
        lines.collect::<String>()
    };
    for value in [der.clone(), one_line.clone().into(), lines(64, "\n").into(), lines(76, "\r\n").into()] {
        check_whole(&openssl, &value);
        // Whatever it was kept as, it is given out the same way.
        assert_eq!(take(value, CertificatePart::Pfx).as_ref(), Ok(&one_line));
    }
    openssl.write("again.b64", take(der, CertificatePart::Pfx).unwrap());
    openssl.run("base64 -d -A -in again.b64 -out again.pfx");
    let certificates = openssl.run("pkcs12 -in again.pfx -passin pass: -nokeys");
    assert_eq!(openssl.subjects(&certificates).len(), 3, "openssl reads it too");
}

/// `openssl` writes no password as two zero bytes, and others as none at all; `null_password.py` makes such a file.
#[test]
fn a_password_of_no_bytes_is_no_password_either() {
    let openssl = Openssl::new();
    let file = include_bytes!("null_password.pfx");
    let leaf = take(*file, CertificatePart::Leaf).expect("a certificate");
    assert_eq!(openssl.subjects(&leaf), ["leaf.example"]);
    let key = take(*file, CertificatePart::Key).expect("a key");
    assert_eq!(openssl.public_of_key(&key), openssl.public_of_certificate(&leaf));
}

#[test]
fn without_a_key_the_certificates_are_still_there() {
    let openssl = Openssl::with_chain("P-256");
    openssl.write("all.pem", openssl.text(&["leaf.pem", "intermediate.pem", "root.pem"]));
    let file = openssl.pfx_of("-nokeys -in all.pem");
    let chain = take(file.clone(), CertificatePart::Chain).unwrap();
    assert_eq!(openssl.subjects(&chain), ["leaf.example", "intermediate"]);
    for part in [CertificatePart::Key, CertificatePart::Pem] {
        assert_eq!(take(file.clone(), part), Err(CertificateError::NoPrivateKey));
    }
    // The file is the file, also without a key in it.
    assert_eq!(take(file.clone(), CertificatePart::Pfx), Ok(base64(&file)));
}

#[test]
fn a_file_with_a_password_is_told_apart_from_a_damaged_one() {
    let openssl = Openssl::with_chain("P-256");
    for form in ["-passout pass:word", "-passout pass:word -legacy"] {
        let file = openssl.pfx(form);
        assert_eq!(take(file.clone(), CertificatePart::Leaf), Err(CertificateError::Password), "{form}");
        assert_eq!(take(file.clone(), CertificatePart::Pfx), Ok(base64(&file)), "{form}");
    }
}

#[test]
fn a_huge_count_of_iterations_is_refused_without_counting() {
    let openssl = Openssl::with_chain("P-256");
    let file = openssl.pfx("-iter 3000017");
    let start = std::time::Instant::now();
    assert_eq!(take(file, CertificatePart::Leaf), Err(CertificateError::TooManyIterations));
    assert!(start.elapsed() < std::time::Duration::from_millis(500), "{:?}", start.elapsed());
}

#[test]
fn an_unknown_cipher_is_named_as_the_reason() {
    let openssl = Openssl::with_chain("P-256");
    for form in ["-keypbe CAMELLIA-256-CBC -certpbe CAMELLIA-256-CBC", "-legacy -keypbe PBE-SHA1-RC4-128"] {
        let file = openssl.pfx(form);
        assert_eq!(take(file, CertificatePart::Leaf), Err(CertificateError::UnknownEncryption), "{form}");
    }
}

/// For the certificate with which the agent itself signs in.
#[test]
fn a_file_with_a_password_opens_with_that() {
    let openssl = Openssl::with_chain("P-256");
    openssl.write("password", "p\u{e4}ss \u{1f511}\n");
    for form in FORMS {
        let file = openssl.pfx(&format!("{form} -passout file:password"));
        let (keys, certificates) = open_pkcs12(&file, Some("p\u{e4}ss \u{1f511}")).expect(form);
        assert_eq!((keys.len(), certificates.len()), (1, 3), "{form}");
        let wrong = open_pkcs12(&file, Some("word")).err();
        let has_checksum = !form.contains("-nomac") && !form.contains("512-256");
        assert!(!has_checksum || wrong == Some(CertificateError::Password), "{form}: {wrong:?}");
    }
}
