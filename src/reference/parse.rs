//! The grammar of references, and which source each form means under a given configuration.

use super::{
    JsonPointer, MountPath, Origin, Reference, ReferenceError, SecretId, SecretName, SecretVersion, VaultUrl,
    app_service, part::Part, part::has_prefix,
};
use crate::config::Cloud;

const FORMS: &str = "NAME, mount:PATH, akv://VAULT/NAME or @Microsoft.KeyVault(...)";
const VAULT_SCHEME: &str = "akv://";
const MOUNT_SCHEME: &str = "mount:";
const COLLECTIONS: [&str; 3] = ["secrets", "certificates", "keys"];

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
        let whole = Part::new(text).trim();
        if let Some(rest) = whole.after(app_service::PREFIX) {
            let origin = Origin::Vault(app_service::parse(rest, scope.cloud)?);
            return Ok(Self { origin, field: None });
        }
        let (body, field) = whole.split('#');
        let field = field.map(JsonPointer::from_part).transpose()?;
        let origin = if let Some(rest) = body.after(VAULT_SCHEME) {
            Origin::Vault(in_vault(rest, scope.cloud)?)
        } else if let Some(path) = body.after(MOUNT_SCHEME) {
            mounted(MountPath::from_part(path)?, scope)?
        } else {
            plain(body, scope)?
        };
        Ok(Self { origin, field })
    }
}

/// What follows `akv://`.
fn in_vault(rest: Part<'_>, cloud: &Cloud) -> Result<SecretId, ReferenceError> {
    let (vault, path) = rest.split('/');
    let is_host = vault.text().contains(['.', ':']);
    let url = if is_host { VaultUrl::from_host(vault, cloud) } else { VaultUrl::from_name(vault, cloud) }?;
    let path = path.ok_or_else(|| vault.malformed_end("/NAME"))?;
    let (first, more) = path.split('/');
    let (name, version) = match more {
        // Key Vault's own paths start with the kind of object; without a name behind it, it is a name.
        Some(more) if COLLECTIONS.contains(&first.text()) => {
            app_service::collection(first)?;
            more.split('/')
        }
        _ => (first, more),
    };
    let name = SecretName::from_part(name)?;
    Ok(SecretId { vault: url, name, version: version.map(SecretVersion::from_part).transpose()? })
}

fn mounted(path: MountPath, scope: &Scope<'_>) -> Result<Origin, ReferenceError> {
    if scope.has_mount { Ok(Origin::Mount(path)) } else { Err(ReferenceError::NoMount) }
}

/// `NAME[/VERSION]`: whatever both the text and the configuration allow. A file and a secret can share a
/// name; what Key Vault could not hold must be a file, and what has a version must be in a vault.
fn plain(body: Part<'_>, scope: &Scope<'_>) -> Result<Origin, ReferenceError> {
    let (name, version) = match secret(body) {
        Ok(secret) => secret,
        Err(_) if scope.has_mount || scope.default_vault.is_none() => return mounted(file(body)?, scope),
        Err(error) => return Err(error),
    };
    let path = MountPath(name.0.clone());
    match (scope.default_vault.cloned(), version) {
        (None, Some(_)) => Err(ReferenceError::NoVault),
        (None, None) if scope.has_mount => Ok(Origin::Mount(path)),
        (None, None) => Err(ReferenceError::NoSource),
        (Some(vault), None) if scope.has_mount => {
            Ok(Origin::MountElseVault(path, SecretId { vault, name, version: None }))
        }
        (Some(vault), version) => Ok(Origin::Vault(SecretId { vault, name, version })),
    }
}

fn secret(body: Part<'_>) -> Result<(SecretName, Option<SecretVersion>), ReferenceError> {
    let (name, version) = body.split('/');
    Ok((SecretName::from_part(name)?, version.map(SecretVersion::from_part).transpose()?))
}

/// A file named without `mount:`. Only the characters of a Kubernetes key: a pasted secret is more likely
/// to be caught here than to be taken for a path, which later messages would print.
fn file(body: Part<'_>) -> Result<MountPath, ReferenceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    body.check(allowed, (1, usize::MAX), FORMS)?;
    MountPath::from_part(body)
}
