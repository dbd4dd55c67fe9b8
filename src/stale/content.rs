//! Whether a file of the mount and a secret of the vault are the same content. The mount's writer may put a
//! value down in another form, and a rotation is not to be seen where there was none.
//!
//! The provider passes on bytes as they are where it is not told otherwise, so a newline at the end counts.

use crate::{
    certificate::{self, CertificateError},
    reference::CertificatePart,
    secret::SecretValue,
};
use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

/// How the mount's writer puts down what the vault has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Byte for byte.
    AsIs,
    /// `objectEncoding: base64`: decoded.
    Base64,
    /// `objectEncoding: hex`: decoded.
    Hex,
    /// The same certificate, such as PKCS#12 in the vault and PEM in the mount.
    Certificate,
}

/// What a look at both says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The mount has what the vault has, in this form.
    Same(Form),
    /// It has something else.
    Different,
    /// They are not of one kind.
    Incomparable,
}

/// Compares the file of a mount with the value of a vault.
pub(super) fn compare(mount: &SecretValue, vault: &SecretValue) -> Comparison {
    if mount == vault {
        return Comparison::Same(Form::AsIs);
    }
    for form in [Form::Base64, Form::Hex] {
        if written(form, mount, vault).is_some_and(|written| written == *mount) {
            return Comparison::Same(form);
        }
    }
    // The mount's writer was asked for the key of this name (`objectType: key`), not for the secret.
    if is_public_key(mount) && !is_public_key(vault) {
        return Comparison::Incomparable;
    }
    match leaf(vault) {
        Ok(leaf_of_vault) if leaf(mount).is_ok_and(|leaf| leaf == leaf_of_vault) => {
            Comparison::Same(Form::Certificate)
        }
        _ => Comparison::Different,
    }
}

/// The form of a file that has never been seen to agree with the vault. Only a certificate tells by itself;
/// text that could be base64 may as well be a password.
pub(super) fn guess(mount: &SecretValue, vault: &SecretValue) -> Form {
    let are_certificates = is_pem(mount) && !is_pem(vault) && leaf(mount).is_ok() && leaf(vault).is_ok();
    if are_certificates { Form::Certificate } else { Form::AsIs }
}

/// The vault's value as the mount's writer would put it down, now that `mount` is there; `None` where it
/// could not either.
pub(super) fn written(form: Form, mount: &SecretValue, vault: &SecretValue) -> Option<SecretValue> {
    match form {
        Form::AsIs => Some(vault.clone()),
        Form::Base64 => base64(vault.expose()).map(SecretValue::new),
        Form::Hex => hex(vault.expose()).map(SecretValue::new),
        Form::Certificate => {
            let has_key = certificate::part(mount, CertificatePart::Key).is_ok();
            let part = if has_key { CertificatePart::Pem } else { CertificatePart::Leaf };
            certificate::part(vault, part).ok()
        }
    }
}

fn leaf(value: &SecretValue) -> Result<SecretValue, CertificateError> {
    certificate::part(value, CertificatePart::Leaf)
}

fn is_pem(value: &SecretValue) -> bool {
    value.expose().trim_ascii_start().starts_with(b"-----BEGIN ")
}

fn is_public_key(value: &SecretValue) -> bool {
    value.expose().trim_ascii_start().starts_with(b"-----BEGIN PUBLIC KEY-----")
}

/// Line breaks are passed over, as the provider does.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect());
    Base64::decode_vec(str::from_utf8(&text).ok()?).ok()
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    // Sized at once, so that the buffer never moves and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks_exact(2) {
        bytes.push(u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?);
    }
    Some(std::mem::take(&mut *bytes))
}
