//! The form of references that App Service and Functions know, `@Microsoft.KeyVault(...)`, so that one
//! text works on both platforms. Keys come in any order and case, with spaces around them.

use super::{ReferenceError, SecretId, SecretName, SecretVersion, VaultUrl, part::Part};
use crate::config::Cloud;

pub(super) const PREFIX: &str = "@Microsoft.KeyVault(";

const KEYS: [&str; 4] = ["SecretUri", "VaultName", "SecretName", "SecretVersion"];
const KEY: &str = "SecretUri=..., or VaultName=...;SecretName=...[;SecretVersion=...]";
const ONCE: &str = "each key once";
const URI: &str = "https://HOST/secrets/NAME[/VERSION]";
const CLOSE: &str = "`)` at the end of the reference";
const END: &str = "the end (a JSON field needs the form akv://VAULT/NAME#/FIELD)";

/// Parses what follows [`PREFIX`].
pub(super) fn parse(rest: Part<'_>, cloud: &Cloud) -> Result<SecretId, ReferenceError> {
    let (body, after) = rest.split(')');
    let after = after.ok_or_else(|| rest.malformed_end(CLOSE))?;
    if !after.is_empty() {
        return Err(after.malformed(0, END));
    }
    match values(body)? {
        [Some(uri), None, None, None] => secret_uri(uri, cloud),
        [None, Some(vault), Some(name), version] => Ok(SecretId {
            vault: VaultUrl::from_name(vault, cloud)?,
            name: SecretName::from_part(name)?,
            version: version.map(SecretVersion::from_part).transpose()?,
        }),
        [Some(_), ..] => Err(body.malformed(0, "SecretUri alone, or VaultName and SecretName")),
        [None, None, ..] => Err(body.malformed_end("VaultName=...")),
        [None, Some(_), None, _] => Err(body.malformed_end("SecretName=...")),
    }
}

/// The values of [`KEYS`], in that order.
fn values(body: Part<'_>) -> Result<[Option<Part<'_>>; 4], ReferenceError> {
    let mut values = [None; 4];
    for pair in body.pieces(';') {
        let (key, value) = pair.split('=');
        let key = key.trim();
        let index = KEYS.iter().position(|known| key.text().eq_ignore_ascii_case(known));
        let (Some(index), Some(value)) = (index, value) else { return Err(key.malformed(0, KEY)) };
        if values[index].replace(value.trim()).is_some() {
            return Err(key.malformed(0, ONCE));
        }
    }
    Ok(values)
}

/// The URI as the portal shows it: a version may follow the name, and so may a lone slash.
fn secret_uri(uri: Part<'_>, cloud: &Cloud) -> Result<SecretId, ReferenceError> {
    let rest = uri.after("https://").ok_or_else(|| uri.malformed(0, URI))?;
    let (host, path) = rest.split_before('/');
    let path = path.ok_or_else(|| rest.malformed_end(URI))?;
    let mut pieces = path.pieces('/').skip(1);
    let (Some(kind), Some(name)) = (pieces.next(), pieces.next()) else {
        return Err(path.malformed_end(URI));
    };
    collection(kind)?;
    let id = SecretId {
        vault: VaultUrl::from_host(host, cloud)?,
        name: SecretName::from_part(name)?,
        version: pieces
            .next()
            .filter(|version| !version.is_empty())
            .map(SecretVersion::from_part)
            .transpose()?,
    };
    match pieces.next() {
        Some(extra) => Err(extra.malformed(0, "`)` after the version")),
        None => Ok(id),
    }
}

/// Accepts `secrets`; certificates and keys are named as what they are.
pub(super) fn collection(kind: Part<'_>) -> Result<(), ReferenceError> {
    let unsupported = |what| Err(ReferenceError::Unsupported { at: kind.at(0), what });
    match kind.text() {
        text if text.eq_ignore_ascii_case("secrets") => Ok(()),
        text if text.eq_ignore_ascii_case("certificates") => unsupported("certificates"),
        text if text.eq_ignore_ascii_case("keys") => unsupported("keys"),
        _ => Err(kind.malformed(0, "secrets/NAME")),
    }
}
