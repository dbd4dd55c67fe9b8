//! What holds for every text that is parsed as a reference, whatever is configured. Shared by the fuzz
//! target and by `tests/reference_properties.rs`, which runs it with every other test.

use akv_agent::{
    config::Cloud,
    reference::{
        Collection, JsonPointer, MountPath, ObjectId, Origin, Part, Reference, ReferenceError, Scope,
        VaultUrl, is_inline,
    },
};

/// How much of a text may come back in an error by chance. A part of a secret as long as this is a leak.
const ECHO: usize = 16;

/// Checks `text` under every kind of configuration; panics if something does not hold.
pub(crate) fn check(text: &str) {
    for cloud in clouds() {
        let vault = VaultUrl::parse("default", &cloud).expect("a vault's name");
        for default_vault in [None, Some(&vault)] {
            for has_mount in [false, true] {
                let scope = Scope { default_vault, has_mount, cloud: &cloud };
                check_in(text, &scope);
            }
        }
    }
}

fn clouds() -> [Cloud; 3] {
    let cloud = |vault_suffix: &str, more: &[&str]| Cloud {
        authority: "https://login.microsoftonline.com".into(),
        vault_suffix: vault_suffix.into(),
        allowed_suffixes: [&[vault_suffix], more].concat().into_iter().map(Into::into).collect(),
    };
    [
        cloud("vault.azure.net", &[]),
        cloud("vault.azure.cn", &["localhost", "vault.example"]),
        cloud("localhost", &["127.0.0.1"]),
    ]
}

fn check_in(text: &str, scope: &Scope<'_>) {
    let result = Reference::parse(text, scope);
    let padded = Reference::parse(&format!("\t {text}\n"), scope);
    assert_eq!(padded.as_ref().ok(), result.as_ref().ok(), "white space around it has a meaning");
    match &result {
        Ok(reference) => check_accepted(text, reference, scope),
        Err(error) => check_refused(text, error, scope.cloud),
    }
}

fn position(error: &ReferenceError) -> Option<usize> {
    match error {
        ReferenceError::Malformed { at, .. }
        | ReferenceError::OtherForm { at, .. }
        | ReferenceError::ForeignHost { at, .. } => Some(*at),
        _ => None,
    }
}

fn check_accepted(text: &str, reference: &Reference, scope: &Scope<'_>) {
    let Scope { default_vault, has_mount, cloud } = scope;
    let claims = is_inline(text);
    match &reference.origin {
        Origin::Mount(path) => {
            assert!(!claims && *has_mount, "read from a mount");
            check_path(path);
        }
        Origin::Vault(id) => check_object(id, cloud),
        Origin::MountElseVault(path, id) => {
            assert!(
                !claims && *has_mount && Some(&id.vault) == *default_vault,
                "read from a mount or a vault"
            );
            check_path(path);
            check_object(id, cloud);
        }
    }
    let is_key = matches!(&reference.origin, Origin::Vault(ObjectId { collection: Collection::Keys, .. }));
    match &reference.part {
        Part::Whole => {}
        Part::Field(field) => check_pointer(field),
        Part::Certificate(_) => assert!(!is_key, "a part of a certificate from a key"),
        Part::PublicKey => assert!(is_key, "a public key from something else"),
    }
    if let Origin::Vault(id) = &reference.origin {
        let text = written_out(id, &reference.part);
        assert!(is_inline(&text), "written out, it is a reference");
        assert_eq!(Reference::parse(&text, scope).as_ref(), Ok(reference), "written out, it is the same");
    }
}

/// The reference that says everything.
fn written_out(id: &ObjectId, part: &Part) -> String {
    let vault = id.vault.as_str().trim_start_matches("https://");
    // A port tells a host without a dot from a vault's name.
    let suffix = if vault.contains(':') { "" } else { ":443" };
    let mut text = format!("akv://{vault}{suffix}/{}/{}", id.collection, id.name);
    if let Some(version) = &id.version {
        text += "/";
        text += version.as_str();
    }
    let fragment = match part {
        Part::Whole if id.collection == Collection::Secrets => return text,
        Part::Whole => "jwk",
        Part::Field(field) => field.as_str(),
        Part::Certificate(part) => part.name(),
        Part::PublicKey => "pem",
    };
    text += "#";
    text += fragment;
    text
}

fn check_object(id: &ObjectId, cloud: &Cloud) {
    let authority = id.vault.as_str().strip_prefix("https://").expect("only https");
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    assert!(host.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.')), "the characters of a host");
    assert!(host.split('.').all(|label| !label.is_empty()), "the labels of a host");
    let is_allowed = |suffix: &String| host == suffix || host.ends_with(&format!(".{suffix}"));
    assert!(cloud.allowed_suffixes.iter().any(is_allowed), "a token would go to a foreign host");
    assert!(port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0 && port != 443)), "a port");

    let name = id.name.as_str();
    assert!((1..=127).contains(&name.len()), "the length of a name");
    assert!(
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
        "the characters of a name"
    );
    if let Some(version) = &id.version {
        assert_eq!(version.as_str().len(), 32, "the length of a version");
        assert!(version.as_str().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "a version");
    }
}

fn check_path(path: &MountPath) {
    let path = path.as_str();
    assert!(path.len() <= 4096 && !path.contains('\0'), "what a path may be");
    for component in path.split('/') {
        assert!((1..=255).contains(&component.len()), "the length of a component");
        assert!(component != "." && !component.starts_with(".."), "a way out of the mount");
    }
}

fn check_pointer(field: &JsonPointer) {
    let field = field.as_str();
    assert!(field.is_empty() || field.starts_with('/'), "the start of a JSON pointer");
    assert!(field.split('~').skip(1).all(|rest| rest.starts_with(['0', '1'])), "an escape of a JSON pointer");
}

fn check_refused(text: &str, error: &ReferenceError, cloud: &Cloud) {
    let shown = error.to_string();
    // What the error says of its own accord is taken out before looking for the text in the rest. That these
    // words are 'static is what keeps them from being a part of the text.
    let words: Vec<&'static str> = match error {
        ReferenceError::Malformed { found, expected, .. } => vec![found, expected],
        ReferenceError::OtherForm { what, .. } => vec![what, what],
        _ => Vec::new(),
    };
    let mut rest = shown.clone();
    for word in words {
        rest = rest.replacen(word, "\n", 1);
    }
    if let ReferenceError::ForeignHost { allowed, .. } = error {
        assert_eq!(*allowed, cloud.allowed_suffixes.join(", "), "the allowed suffixes and nothing else");
        rest = rest.replacen(allowed, "\n", 1);
    }
    let chunks = text.as_bytes().windows(ECHO).filter_map(|chunk| str::from_utf8(chunk).ok());
    for chunk in chunks {
        assert!(
            !rest.contains(chunk) || FRAMES.iter().any(|frame| frame.contains(chunk)),
            "an echo: {shown}"
        );
    }
    if let Some(at) = position(error) {
        assert!((1..=text.chars().count() + 1).contains(&at), "a position in the text");
    }
}

/// What stands around the words in messages, for a text that happens to be a piece of one.
const FRAMES: [&str; 5] = [
    " have another form; write akv://VAULT//NAME",
    "the host does not end in a Key Vault suffix allowed here (`vaultSuffixes` adds one",
    "there is neither a vault nor a mount to read it from; set `vault` or `mount`",
    "a version can be read from a vault only, and none is configured; set `vault`",
    "it can be read from a mount only, and none is configured; set `mount`",
];
