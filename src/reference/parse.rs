//! The grammar of references, and which source each form means under a given configuration.

use super::{
    CertificatePart, Collection, MountPath, ObjectId, ObjectName, ObjectVersion, Origin, Part, Reference,
    ReferenceError, VaultUrl, app_service,
    piece::{Piece, has_prefix},
};
use crate::config::Cloud;

const FORMS: &str = "NAME, mount:PATH, akv://VAULT/NAME or @Microsoft.KeyVault(...)";
const VAULT_SCHEME: &str = "akv://";
const MOUNT_SCHEME: &str = "mount:";

/// The first step of a path in a vault, which decides what is read, and which part of it without a word.
const COLLECTIONS: [(&str, Collection, Part); 3] = [
    ("secrets", Collection::Secrets, Part::Whole),
    ("certificates", Collection::Secrets, Part::Certificate(CertificatePart::Chain)),
    ("keys", Collection::Keys, Part::PublicKey),
];

/// What a reference can mean depends on what is configured.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The vault of references that name none.
    pub default_vault: Option<&'a VaultUrl>,
    /// Whether there is a mount.
    pub has_mount: bool,
    /// Decides suffixes of vault names and which hosts are vaults at all.
    pub cloud: &'a Cloud,
}

/// Whether `value` as a whole claims to be a reference, so that `exec` must resolve it or fail.
///
/// More lenient than the grammar: a claim that turns out malformed is an error, and the literal text
/// never reaches the app.
pub fn is_inline(value: &str) -> bool {
    let value = value.trim_start();
    has_prefix(value, app_service::PREFIX) || has_prefix(value, VAULT_SCHEME)
}

impl Reference {
    /// Parses one reference. White space around it has no meaning.
    pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, ReferenceError> {
        let whole = Piece::new(text).trim();
        if let Some(rest) = whole.after(app_service::PREFIX) {
            let origin = Origin::Vault(app_service::parse(rest, scope.cloud)?);
            return Ok(Self { origin, part: Part::Whole });
        }
        let (body, fragment) = whole.split('#');
        let (origin, default) = if let Some(rest) = body.after(VAULT_SCHEME) {
            let (id, default) = in_vault(rest, scope.cloud)?;
            (Origin::Vault(id), default)
        } else if let Some(path) = body.after(MOUNT_SCHEME) {
            (mounted(MountPath::from_piece(path)?, scope)?, Part::Whole)
        } else {
            (plain(body, scope)?, Part::Whole)
        };
        let collection = match &origin {
            Origin::Vault(id) => id.collection,
            Origin::Mount(_) | Origin::MountElseVault(..) => Collection::Secrets,
        };
        let part = fragment.map_or(Ok(default), |fragment| Part::from_piece(fragment, collection))?;
        Ok(Self { origin, part })
    }
}

/// What follows `akv://`, and the part that is meant if no other is named.
fn in_vault(rest: Piece<'_>, cloud: &Cloud) -> Result<(ObjectId, Part), ReferenceError> {
    let (vault, path) = rest.split('/');
    let is_host = vault.text().contains(['.', ':']);
    let url = if is_host { VaultUrl::from_host(vault, cloud) } else { VaultUrl::from_name(vault, cloud) }?;
    let path = path.ok_or_else(|| vault.malformed_end("/NAME"))?;
    let (first, more) = path.split('/');
    // Key Vault's own paths start with the kind of object; without a name behind it, it is a name.
    let known = COLLECTIONS.into_iter().find(|(name, ..)| *name == first.text());
    let (collection, part, name, version) = match (known, more) {
        (Some((_, collection, part)), Some(more)) => {
            let (name, version) = more.split('/');
            (collection, part, name, version)
        }
        _ => (Collection::Secrets, Part::Whole, first, more),
    };
    let name = ObjectName::from_piece(name)?;
    let version = version.map(ObjectVersion::from_piece).transpose()?;
    Ok((ObjectId { vault: url, collection, name, version }, part))
}

fn mounted(path: MountPath, scope: &Scope<'_>) -> Result<Origin, ReferenceError> {
    if scope.has_mount { Ok(Origin::Mount(path)) } else { Err(ReferenceError::NoMount) }
}

/// `NAME[/VERSION]`: whatever both the text and the configuration allow. A file and a secret can share a
/// name; what Key Vault could not hold must be a file, and what has a version must be in a vault.
fn plain(body: Piece<'_>, scope: &Scope<'_>) -> Result<Origin, ReferenceError> {
    let (name, version) = match secret(body) {
        Ok(secret) => secret,
        Err(_) if scope.has_mount || scope.default_vault.is_none() => return mounted(file(body)?, scope),
        Err(error) => return Err(error),
    };
    let (path, collection) = (MountPath(name.0.clone()), Collection::Secrets);
    match (scope.default_vault.cloned(), version) {
        (None, Some(_)) => Err(ReferenceError::NoVault),
        (None, None) if scope.has_mount => Ok(Origin::Mount(path)),
        (None, None) => Err(ReferenceError::NoSource),
        (Some(vault), None) if scope.has_mount => {
            Ok(Origin::MountElseVault(path, ObjectId { vault, collection, name, version: None }))
        }
        (Some(vault), version) => Ok(Origin::Vault(ObjectId { vault, collection, name, version })),
    }
}

fn secret(body: Piece<'_>) -> Result<(ObjectName, Option<ObjectVersion>), ReferenceError> {
    let (name, version) = body.split('/');
    Ok((ObjectName::from_piece(name)?, version.map(ObjectVersion::from_piece).transpose()?))
}

/// A file named without `mount:`. Only the characters of a Kubernetes key: a pasted secret is more likely
/// to be caught here than to be taken for a path, which later messages would print.
fn file(body: Piece<'_>) -> Result<MountPath, ReferenceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    body.check(allowed, (1, usize::MAX), FORMS)?;
    MountPath::from_piece(body)
}
