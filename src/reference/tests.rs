//! The grammar as tables: what each form means under each configuration, and what is said about the rest.

use super::{MountPath, ObjectId, Origin, Part, Reference, ReferenceError, Scope, VaultUrl, is_inline};
use crate::config::Cloud;

const VERSION: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn cloud() -> Cloud {
    Cloud {
        authority: "https://login.microsoftonline.com".into(),
        vault_suffix: "vault.azure.net".into(),
        allowed_suffixes: vec!["vault.azure.net".into(), "localhost".into(), "vault.example".into()],
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Has {
    Both,
    Vault,
    Mount,
    Neither,
}

fn parse(text: &str, has: Has) -> Result<Reference, ReferenceError> {
    let cloud = cloud();
    let vault = VaultUrl::parse("default", &cloud).expect("a vault");
    let default_vault = matches!(has, Has::Both | Has::Vault).then_some(&vault);
    let has_mount = matches!(has, Has::Both | Has::Mount);
    Reference::parse(text, &Scope { default_vault, has_mount, cloud: &cloud })
}

/// `mount PATH`, `vault ID`, or both, and the field behind `#`.
fn shown(reference: &Reference) -> String {
    let vault = |id: &ObjectId| id.to_string().replace("https://default.vault.azure.net/secrets/", "");
    let mount = |path: &MountPath| format!("mount {path}");
    let origin = match &reference.origin {
        Origin::Mount(path) => mount(path),
        Origin::Vault(id) => format!("vault {}", vault(id)),
        Origin::MountElseVault(path, id) => format!("{} else vault {}", mount(path), vault(id)),
    };
    match &reference.part {
        Part::Whole => origin,
        Part::Field(field) => format!("{origin} # {field}"),
        Part::Certificate(part) => format!("{origin} # {}", part.name()),
        Part::PublicKey => format!("{origin} # public key"),
    }
}

#[test]
fn a_plain_name_means_what_the_configuration_allows() {
    let pinned = format!("name/{VERSION}");
    let upper = format!("name/{}", VERSION.to_uppercase());
    let pinned_in_vault = format!("vault name/{VERSION}");
    let deep = format!("name/{VERSION}/more");
    let table: &[(&str, [Result<&str, &str>; 4])] = &[
        (
            "name",
            [
                Ok("mount name else vault name"),
                Ok("vault name"),
                Ok("mount name"),
                Err("neither a vault nor"),
            ],
        ),
        (
            " name#/a/b\n",
            [
                Ok("mount name else vault name # /a/b"),
                Ok("vault name # /a/b"),
                Ok("mount name # /a/b"),
                Err("neither a vault nor"),
            ],
        ),
        (
            "name#",
            [Ok("mount name else vault name # "), Ok("vault name # "), Ok("mount name # "), Err("neither")],
        ),
        (
            &pinned,
            [Ok(&pinned_in_vault), Ok(&pinned_in_vault), Err("from a vault only"), Err("from a vault only")],
        ),
        (
            &upper,
            [Ok(&pinned_in_vault), Ok(&pinned_in_vault), Err("from a vault only"), Err("from a vault only")],
        ),
        (
            "tls.crt",
            [Ok("mount tls.crt"), Err("character 4: found a dot"), Ok("mount tls.crt"), Err("mount only")],
        ),
        (
            "dir/file",
            [
                Ok("mount dir/file"),
                Err("character 6: found a letter"),
                Ok("mount dir/file"),
                Err("mount only"),
            ],
        ),
        ("mount:name", [Ok("mount name"), Err("mount only"), Ok("mount name"), Err("mount only")]),
        (
            "mount:a b/c#/d",
            [Ok("mount a b/c # /d"), Err("mount only"), Ok("mount a b/c # /d"), Err("mount only")],
        ),
        (&deep, [Ok("mount"), Err("character 38: found `/`"), Ok("mount"), Err("mount only")]),
    ];
    for (text, expected) in table {
        for (has, expected) in [Has::Both, Has::Vault, Has::Mount, Has::Neither].into_iter().zip(expected) {
            match (parse(text, has), expected) {
                (Ok(reference), Ok("mount")) => assert_eq!(shown(&reference), format!("mount {text}")),
                (Ok(reference), Ok(expected)) => assert_eq!(shown(&reference), *expected, "{text} {has:?}"),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{text} {has:?}: {error}");
                }
                (result, expected) => panic!("{text} {has:?}: {result:?}, expected {expected:?}"),
            }
        }
    }
}

#[test]
fn a_reference_that_names_its_vault_needs_no_configuration() {
    let table = [
        ("akv://other/name", "https://other.vault.azure.net/secrets/name"),
        ("AKV://Other/Name", "https://other.vault.azure.net/secrets/Name"),
        ("akv://other/VERSIONED/#", "https://other.vault.azure.net/secrets/VERSIONED/#"),
        ("akv://other/name/#", "https://other.vault.azure.net/secrets/name/#"),
        ("akv://other/secrets/name", "https://other.vault.azure.net/secrets/name"),
        ("akv://other/secrets/name/#", "https://other.vault.azure.net/secrets/name/#"),
        ("akv://other/secrets", "https://other.vault.azure.net/secrets/secrets"),
        ("akv://other/keys", "https://other.vault.azure.net/secrets/keys"),
        ("akv://other.vault.azure.net/name", "https://other.vault.azure.net/secrets/name"),
        ("akv://other.vault.azure.net:443/name", "https://other.vault.azure.net/secrets/name"),
        ("akv://localhost:8443/name", "https://localhost:8443/secrets/name"),
        ("akv://eu.vault.EXAMPLE/name", "https://eu.vault.example/secrets/name"),
        // The documented examples of App Service.
        (
            "@Microsoft.KeyVault(SecretUri=https://myvault.vault.azure.net/secrets/mysecret)",
            "https://myvault.vault.azure.net/secrets/mysecret",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=https://myvault.vault.azure.net/secrets/mysecret/)",
            "https://myvault.vault.azure.net/secrets/mysecret",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=https://myvault.vault.azure.net/secrets/mysecret/#)",
            "https://myvault.vault.azure.net/secrets/mysecret/#",
        ),
        (
            "@Microsoft.KeyVault(VaultName=myvault;SecretName=mysecret)",
            "https://myvault.vault.azure.net/secrets/mysecret",
        ),
        (
            "@Microsoft.KeyVault(VaultName=myvault;SecretName=mysecret;SecretVersion=#)",
            "https://myvault.vault.azure.net/secrets/mysecret/#",
        ),
        // Lenient where nothing is ambiguous.
        (
            "\t@microsoft.keyvault( secretname = mysecret ; VAULTNAME = MyVault )\n",
            "https://myvault.vault.azure.net/secrets/mysecret",
        ),
        (
            "@Microsoft.KeyVault( SecretUri = HTTPS://MyVault.Vault.Azure.Net:443/Secrets/mysecret )",
            "https://myvault.vault.azure.net/secrets/mysecret",
        ),
    ];
    for (text, expected) in table {
        let (text, expected) = (text.replace('#', VERSION), expected.replace('#', VERSION));
        let expected = format!("vault {expected}");
        assert_eq!(parse(&text, Has::Neither).as_ref().map(shown), Ok(expected), "{text}");
    }
    let parts = [
        ("akv://other/certificates/web", "secrets/web # chain"),
        ("akv://other/certificates/web/VERSION#key", "secrets/web/VERSION # key"),
        ("akv://other/secrets/web#fullchain", "secrets/web # fullchain"),
        ("akv://other/web#leaf", "secrets/web # leaf"),
        ("akv://other/web#ca", "secrets/web # ca"),
        ("akv://other/web#pem", "secrets/web # pem"),
        ("akv://other/web#pfx", "secrets/web # pfx"),
        ("akv://other/keys/sign", "keys/sign # public key"),
        ("akv://other/keys/sign/VERSION#pem", "keys/sign/VERSION # public key"),
        ("akv://other/keys/sign#jwk", "keys/sign"),
        ("akv://other/keys/sign#/n", "keys/sign # /n"),
    ];
    for (text, expected) in parts {
        let (text, expected) = (text.replace("VERSION", VERSION), expected.replace("VERSION", VERSION));
        let expected = format!("vault https://other.vault.azure.net/{expected}");
        assert_eq!(parse(&text, Has::Neither).as_ref().map(shown), Ok(expected), "{text}");
    }
    let field = parse("akv://other/name#/a~1b/~0", Has::Neither).map(|reference| shown(&reference));
    assert_eq!(field, Ok("vault https://other.vault.azure.net/secrets/name # /a~1b/~0".into()));
}

#[test]
fn a_malformed_reference_is_told_where_and_what() {
    let long = "n".repeat(128);
    let long_component = format!("mount:{}", "n".repeat(256));
    let long_label = format!("akv://{}.vault.azure.net/name", "n".repeat(64));
    let long_path = format!("mount:{}", "n/".repeat(2048) + "end");
    let table = [
        ("", "character 1: found the end, expected NAME, mount:PATH, akv://"),
        ("  ", "character 3: found the end, expected NAME"),
        ("pass word", "character 5: found a space"),
        ("pass\nword", "character 5: found a line break"),
        ("p\u{e4}ss", "character 2: found a character outside ASCII"),
        ("p\u{e4}ss#x", "character 2: found a character outside ASCII"),
        ("name/", "character 6: found the end, expected a file name"),
        ("/name", "character 1: found `/`, expected a file name"),
        ("a//b", "character 3: found `/`, expected a file name"),
        ("../up", "character 1: found a dot, expected a file name"),
        ("a/./b", "character 3: found a dot, expected a file name"),
        ("..data/name", "character 1: found a dot"),
        ("name#field", "character 6: found a letter, expected a JSON pointer"),
        ("name#/a~2", "character 9: found a digit, expected `0` or `1` after `~`"),
        ("name#/a~", "character 9: found the end, expected `0` or `1` after `~`"),
        ("https://myvault.vault.azure.net/secrets/name", "character 6: found `:`, expected NAME"),
        ("mount:", "character 7: found the end"),
        ("mount:/abs", "character 7: found `/`"),
        ("mount:a/..", "character 9: found a dot"),
        ("mount:a\u{7}", "character 8: found a control character"),
        (&long_component, "character 7: found a letter, expected a path of at most 4096 bytes"),
        (&long_path, "character 7: found a letter, expected a path of at most 4096 bytes"),
        ("akv://", "character 7: found the end, expected a vault name"),
        ("akv://va", "expected a vault name"),
        ("akv://vault", "character 12: found the end, expected /NAME"),
        ("akv://vault/", "character 13: found the end, expected a secret name"),
        ("akv://vault/a_b", "character 14: found an underscore, expected a secret name"),
        ("akv://vault/name/", "character 18: found the end, expected a version"),
        ("akv://vault/name/latest", "character 18: found a letter, expected a version"),
        ("akv://vault/name?api-version=7", "character 17: found `?`"),
        ("akv://ab/name", "character 9: found `/`, expected a vault name of 3 to 24"),
        (
            "akv://abcdefghijklmnopqrstuvwxy/name",
            "character 31: found more characters, expected a vault name",
        ),
        ("akv://-vault/name", "character 7: found a hyphen, expected a vault name"),
        ("akv://vault-/name", "character 12: found a hyphen, expected a vault name"),
        ("akv://user@localhost:1/name", "character 11: found `@`, expected a host name"),
        ("akv://localhost:0/name", "character 17: found a digit, expected a port number"),
        ("akv://localhost:65536/name", "character 17: found a digit, expected a port number"),
        ("akv://localhost:/name", "character 17: found `/`, expected a port number"),
        ("akv://-a.vault.azure.net/name", "character 7: found a hyphen, expected a host name"),
        (&long_label, "character 7: found a letter, expected a host name"),
        ("akv://a..vault.azure.net/name", "character 9: found a dot, expected a host name"),
        ("akv://v%2eevil.vault.azure.net/name", "character 8: found a punctuation character"),
        ("akv://v/certificates/web", "expected a vault name"),
        ("akv://vault/certificates/a_b", "character 27: found an underscore, expected a secret name"),
        ("akv://vault/keys/web/0", "character 23: found the end, expected a version"),
        (
            "akv://vault/keys/web#leaf",
            "character 22: found a letter, expected a JSON pointer starting with `/`, nothing, or one of pem, jwk",
        ),
        (
            "akv://vault/certificates/web#jwk",
            "character 30: found a letter, expected a JSON pointer starting with `/`, nothing, or one of leaf",
        ),
        (
            "name#Leaf",
            "character 6: found a letter, expected a JSON pointer starting with `/`, nothing, or one of leaf",
        ),
    ];
    assert_all_malformed(&table);
    let error = parse(&long, Has::Vault).expect_err("too long").to_string();
    assert!(error.starts_with("character 128: found more characters, expected a secret name"), "{error}");
}

#[test]
fn a_malformed_app_service_reference_is_told_where_and_what() {
    assert_all_malformed(&[
        ("@Microsoft.KeyVault", "character 1: found `@`"),
        ("@Microsoft.KeyVault(", "character 21: found the end, expected `)`"),
        ("@Microsoft.KeyVault()", "character 21: found `)`, expected SecretUri=..., or VaultName"),
        ("@Microsoft.KeyVault(VaultName=vault)", "character 36: found `)`, expected SecretName=..."),
        ("@Microsoft.KeyVault(SecretName=name)", "character 36: found `)`, expected VaultName=..."),
        (
            "@Microsoft.KeyVault(VaultName=vault;SecretName=name;)",
            "character 53: found `)`, expected SecretUri",
        ),
        (
            "@Microsoft.KeyVault(VaultName=vault;Secret=name)",
            "character 37: found a letter, expected SecretUri",
        ),
        (
            "@Microsoft.KeyVault(VaultName=vault;SecretName)",
            "character 37: found a letter, expected SecretUri",
        ),
        (
            "@Microsoft.KeyVault(VaultName=a;VaultName=b)",
            "character 33: found a letter, expected each key once",
        ),
        (
            "@Microsoft.KeyVault(VaultName=v.x;SecretName=n)",
            "character 32: found a dot, expected a vault name",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=x;VaultName=y)",
            "character 21: found a letter, expected SecretUri alone",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=http://localhost/secrets/n)",
            "character 31: found a letter, expected https",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=https://localhost)",
            "character 48: found `)`, expected https://HOST",
        ),
        ("@Microsoft.KeyVault(SecretUri=https://localhost/secrets)", "character 56: found `)`"),
        (
            "@Microsoft.KeyVault(SecretUri=https://localhost/other/n)",
            "character 49: found a letter, expected secrets",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=https://localhost/keys/n)",
            "character 49: keys have another form; write akv://VAULT/keys/NAME",
        ),
        ("@Microsoft.KeyVault(SecretUri=https://localhost/secrets/n//)", "character 60: found `)`"),
        ("@Microsoft.KeyVault(SecretUri=https://localhost/secrets/n?x)", "character 58: found `?`"),
        ("@Microsoft.KeyVault(SecretUri=https://localhost/secrets/n#/f)", "character 58: found `#`"),
        (
            "@Microsoft.KeyVault(VaultName=vault;SecretName=n)#/f",
            "character 50: found `#`, expected the end (a field",
        ),
    ]);
}

fn assert_all_malformed(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = parse(text, Has::Mount).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn no_other_host_is_a_vault() {
    for host in [
        "evil.example",
        "vault.azure.net.evil.example",
        "evilvault.azure.net",
        "vault.azure.net.",
        "notlocalhost",
        "127.0.0.1",
        "169.254.169.254",
    ] {
        for text in [
            format!("akv://{host}:443/name"),
            format!("@Microsoft.KeyVault(SecretUri=https://{host}/secrets/name)"),
        ] {
            let error = parse(&text, Has::Both).expect_err(&text);
            let is_refused = match error {
                ReferenceError::ForeignHost { .. } => true,
                ReferenceError::Malformed { .. } => host.ends_with('.'),
                _ => false,
            };
            assert!(is_refused, "{text}: {error}");
        }
    }
    let error = parse("akv://evil.example/name", Has::Both).expect_err("foreign");
    let expected = "character 7: the host does not end in a Key Vault suffix allowed here (vault.azure.net, \
                    localhost, vault.example); `vaultSuffixes` adds one";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn errors_never_quote_the_reference() {
    let canary = "Canary7Canary";
    for (before, after) in [
        ("", " x"),
        ("", "!"),
        ("", "#x"),
        ("", "#/~"),
        ("mount:", "/"),
        ("mount:../", ""),
        ("akv://", ""),
        ("akv://", "/a_b"),
        ("akv://evil.", "/name"),
        ("akv://vault/a/", ""),
        ("akv://vault/keys/", "/"),
        ("akv://vault/keys/name#", ""),
        ("akv://vault/certificates/name#", ""),
        ("https://", "/x"),
        ("@", ""),
        ("@Microsoft.KeyVault(", ""),
        ("@Microsoft.KeyVault(", ")"),
        ("@Microsoft.KeyVault(", "=x)"),
        ("@Microsoft.KeyVault(SecretUri=", ")"),
        ("@Microsoft.KeyVault(SecretUri=https://", "/secrets/n)"),
        ("@Microsoft.KeyVault(VaultName=vault;SecretVersion=", ")"),
    ] {
        let text = format!("{before}{canary}{after}");
        for has in [Has::Both, Has::Vault, Has::Mount, Has::Neither] {
            let error = parse(&text, has).expect_err(&text);
            assert!(!error.to_string().to_lowercase().contains(&canary.to_lowercase()), "{error}");
            assert!(!format!("{error:?}").to_lowercase().contains(&canary.to_lowercase()), "{error:?}");
        }
    }
}

#[test]
fn whatever_claims_to_be_a_reference_is_inline() {
    for (value, expected) in [
        ("@Microsoft.KeyVault(anything", true),
        ("@microsoft.keyvault(VaultName=v;SecretName=n)", true),
        ("akv://vault/name", true),
        ("AKV://vault/name", true),
        ("\n akv://vault/name\n", true),
        ("@Microsoft.KeyVault", false),
        ("name", false),
        ("mount:name", false),
        ("see akv://vault/name", false),
        ("ak\u{e4}", false),
        ("", false),
    ] {
        assert_eq!(is_inline(value), expected, "{value}");
    }
}
