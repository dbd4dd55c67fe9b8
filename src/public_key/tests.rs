//! Public keys as `openssl` writes them, by way of the JSON Web Key that Key Vault would show.

use super::*;
use crate::openssl::Openssl;

fn pem(key: &str) -> Result<String, PublicKeyError> {
    let pem = to_pem(&SecretValue::new(key))?;
    Ok(String::from_utf8(pem.expose().to_vec()).expect("PEM is text"))
}

/// What `openssl pkey -text` shows below a title: bytes in hexadecimal with colons.
fn shown(text: &str, title: &str) -> Vec<u8> {
    let lines = text.lines().skip_while(|line| !line.starts_with(title)).skip(1);
    let lines = lines.take_while(|line| line.starts_with(' ')).map(str::trim).collect::<String>();
    let hex = lines.split(':').filter(|byte| !byte.is_empty());
    hex.map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

#[test]
fn rsa_keys_come_out_as_openssl_writes_them() {
    let openssl = Openssl::new();
    for bits in [2048, 3072, 4096] {
        let name = format!("rsa-{bits}");
        openssl.key(&name, &format!("rsa:{bits}"));
        let expected = openssl.run(&format!("pkey -in {name}.key -pubout"));
        let modulus = shown(&openssl.run(&format!("pkey -in {name}.key -noout -text")), "modulus:");
        assert_eq!(modulus[0], 0, "openssl shows the sign");
        // With and without leading zeros, which RFC 7518 forbids and some write.
        for modulus in [&modulus[1..], &modulus] {
            for kind in ["RSA", "RSA-HSM"] {
                let key = format!(
                    r#"{{"kid": "https://v/keys/k/1", "kty": "{kind}", "key_ops": ["verify"], "n": "{}", "e": "AQAB"}}"#,
                    encode(modulus)
                );
                assert_eq!(pem(&key).as_ref(), Ok(&expected), "{bits} {kind}");
            }
        }
    }
}

#[test]
fn keys_on_each_curve_come_out_as_openssl_writes_them() {
    let openssl = Openssl::new();
    for (curve, name, size) in
        [("P-256", "P-256", 32), ("P-384", "P-384", 48), ("P-521", "P-521", 66), ("secp256k1", "P-256K", 32)]
    {
        openssl.key(name, curve);
        let expected = openssl.run(&format!("pkey -in {name}.key -pubout"));
        let point = shown(&openssl.run(&format!("pkey -in {name}.key -noout -text")), "pub:");
        assert_eq!((point[0], point.len()), (4, 1 + 2 * size), "uncompressed");
        let (x, y) = point[1..].split_at(size);
        for kind in ["EC", "EC-HSM"] {
            let key = format!(
                r#"{{"kty": "{kind}", "crv": "{name}", "x": "{}", "y": "{}"}}"#,
                encode(x),
                encode(y)
            );
            assert_eq!(pem(&key).as_ref(), Ok(&expected), "{name} {kind}");
        }
    }
}

/// Once in 256 keys a coordinate starts with a zero byte, which some leave out.
#[test]
fn a_short_coordinate_is_filled_up() {
    let short = pem(r#"{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "Ag"}"#).expect("a key");
    let full = |last: u8| encode(&[&[0; 31][..], &[last]].concat());
    let full = format!(r#"{{"kty": "EC", "crv": "P-256", "x": "{}", "y": "{}"}}"#, full(1), full(2));
    assert_eq!(pem(&full), Ok(short));
}

#[test]
fn what_has_no_public_half_in_pem_says_why() {
    for kind in ["oct", "oct-HSM", "OKP", "", "rsa"] {
        let key = format!(r#"{{"kty": "{kind}", "n": "AQAB", "e": "AQAB"}}"#);
        assert_eq!(pem(&key), Err(PublicKeyError::NoPublicHalf), "{kind}");
    }
    for curve in ["P-224", "Ed25519", "", "p-256"] {
        let key = format!(r#"{{"kty": "EC", "crv": "{curve}", "x": "AQ", "y": "Ag"}}"#);
        assert_eq!(pem(&key), Err(PublicKeyError::UnknownCurve), "{curve}");
    }
    assert_eq!(pem(r#"{"kty": "EC", "x": "AQ", "y": "Ag"}"#), Err(PublicKeyError::UnknownCurve));
}

#[test]
fn what_is_no_json_web_key_is_an_error() {
    let long = encode(&[1; 33]);
    for key in [
        String::new(),
        "hunter2".into(),
        "[]".into(),
        "{}".into(),
        r#"{"kty": 1}"#.into(),
        r#"{"kty": "RSA"}"#.into(),
        r#"{"kty": "RSA", "n": "AQAB"}"#.into(),
        r#"{"kty": "RSA", "n": "AQAB", "e": ""}"#.into(),
        r#"{"kty": "RSA", "n": "", "e": "AQAB"}"#.into(),
        r#"{"kty": "RSA", "n": "+/+/", "e": "AQAB"}"#.into(),
        r#"{"kty": "EC", "crv": "P-256", "x": "AQ"}"#.into(),
        format!(r#"{{"kty": "EC", "crv": "P-256", "x": "{long}", "y": "AQ"}}"#),
    ] {
        assert_eq!(pem(&key), Err(PublicKeyError::NotAKey), "{key}");
    }
}
