//! The form of references that App Service and Functions know, `@Microsoft.KeyVault(...)`, so that one
//! text works on both platforms. Keys come in any order and case, with spaces around them.

use super::{Collection, ObjectId, ObjectName, ObjectVersion, ReferenceError, VaultUrl, piece::Piece};
use crate::config::Cloud;

pub(super) const PREFIX: &str = "@Microsoft.KeyVault(";

const KEYS: [&str; 4] = ["SecretUri", "VaultName", "SecretName", "SecretVersion"];
const KEY: &str = "SecretUri=..., or VaultName=...;SecretName=...[;SecretVersion=...]";
const ONCE: &str = "each key once";
const URI: &str = "https://HOST/secrets/NAME[/VERSION]";
const CLOSE: &str = "`)` at the end of the reference";
const END: &str = "the end (a field or part needs the form akv://VAULT/NAME#...)";

/// Parses what follows [`PREFIX`].
pub(super) fn parse(rest: Piece<'_>, cloud: &Cloud) -> Result<ObjectId, ReferenceError> {
    let (body, after) = rest.split(')');
    let after = after.ok_or_else(|| rest.malformed_end(CLOSE))?;
    if !after.is_empty() {
        return Err(after.malformed(0, END));
    }
    match values(body)? {
        [Some(uri), None, None, None] => secret_uri(uri, cloud),
        [None, Some(vault), Some(name), version] => Ok(ObjectId {
            collection: Collection::Secrets,
            vault: VaultUrl::from_name(vault, cloud)?,
            name: ObjectName::from_piece(name)?,
            version: version.map(ObjectVersion::from_piece).transpose()?,
        }),
        [Some(_), ..] => Err(body.malformed(0, "SecretUri alone, or VaultName and SecretName")),
        [None, None, ..] => Err(body.malformed_end("VaultName=...")),
        [None, Some(_), None, _] => Err(body.malformed_end("SecretName=...")),
    }
}

/// The values of [`KEYS`], in that order.
fn values(body: Piece<'_>) -> Result<[Option<Piece<'_>>; 4], ReferenceError> {
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
fn secret_uri(uri: Piece<'_>, cloud: &Cloud) -> Result<ObjectId, ReferenceError> {
    let rest = uri.after("https://").ok_or_else(|| uri.malformed(0, URI))?;
    let (host, path) = rest.split_before('/');
    let path = path.ok_or_else(|| rest.malformed_end(URI))?;
    let mut pieces = path.pieces('/').skip(1);
    let (Some(kind), Some(name)) = (pieces.next(), pieces.next()) else {
        return Err(path.malformed_end(URI));
    };
    collection(kind)?;
    let id = ObjectId {
        collection: Collection::Secrets,
        vault: VaultUrl::from_host(host, cloud)?,
        name: ObjectName::from_piece(name)?,
        version: pieces
            .next()
            .filter(|version| !version.is_empty())
            .map(ObjectVersion::from_piece)
            .transpose()?,
    };
    match pieces.next() {
        Some(extra) => Err(extra.malformed(0, "`)` after the version")),
        None => Ok(id),
    }
}

/// Accepts `secrets`; what has a form of its own is sent there.
fn collection(kind: Piece<'_>) -> Result<(), ReferenceError> {
    let other_form = |what| Err(ReferenceError::OtherForm { at: kind.at(0), what });
    match kind.text() {
        text if text.eq_ignore_ascii_case("secrets") => Ok(()),
        text if text.eq_ignore_ascii_case("certificates") => other_form("certificates"),
        text if text.eq_ignore_ascii_case("keys") => other_form("keys"),
        _ => Err(kind.malformed(0, "secrets/NAME")),
    }
}
