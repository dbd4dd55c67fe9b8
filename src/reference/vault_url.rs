//! The address of a vault, and the rule that decides which hosts may ever be sent a token.

use super::{ReferenceError, VaultUrl, piece::Piece};
use crate::config::Cloud;
use std::{fmt::Write as _, sync::Arc};

const NAME: &str = "a vault name of 3 to 24 letters, digits and inner hyphens";
const HOST: &str = "a host name such as myvault.vault.azure.net";
const PORT: &str = "a port number from 1 to 65535";
const URL: &str = "https://HOST[:PORT]";
const NOTHING_AFTER_HOST: &str = "nothing after https://HOST[:PORT]";

impl VaultUrl {
    /// A bare vault name, which gets the suffix of `cloud`, or an https URL without user, path or query.
    pub fn parse(text: &str, cloud: &Cloud) -> Result<Self, ReferenceError> {
        let piece = Piece::new(text).trim();
        match piece.after("https://") {
            Some(rest) => {
                let (host, path) = rest.split_before('/');
                match path {
                    Some(path) if path.text() != "/" => Err(path.malformed(0, NOTHING_AFTER_HOST)),
                    _ => Self::from_host(host, cloud),
                }
            }
            None if piece.text().contains("://") => Err(piece.malformed(0, URL)),
            None => Self::from_name(piece, cloud),
        }
    }

    pub(super) fn from_name(name: Piece<'_>, cloud: &Cloud) -> Result<Self, ReferenceError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let text = name.check(allowed, (3, 24), NAME)?;
        if let Some(offset) = [0, text.len() - 1].into_iter().find(|&end| text.as_bytes()[end] == b'-') {
            return Err(name.malformed(offset, NAME));
        }
        let name = text.to_ascii_lowercase();
        Ok(Self(Arc::from(format!("https://{name}.{}", cloud.vault_suffix))))
    }

    /// `HOST[:PORT]`, if it is a vault of this cloud.
    pub(super) fn from_host(authority: Piece<'_>, cloud: &Cloud) -> Result<Self, ReferenceError> {
        let (host, port) = host_and_port(authority)?;
        if !cloud.allowed_suffixes.iter().any(|suffix| ends_in(&host, suffix)) {
            let allowed = cloud.allowed_suffixes.join(", ");
            return Err(ReferenceError::ForeignHost { at: authority.at(0), allowed });
        }
        Ok(Self(Arc::from(base_url(&host, port))))
    }
}

/// The base URL of an https service, without a trailing slash. Unlike a vault it may have any host.
pub(crate) fn https_base(text: &str) -> Result<String, ReferenceError> {
    let whole = Piece::new(text).trim();
    let rest = whole.after("https://").ok_or_else(|| whole.malformed(0, URL))?;
    let (host, path) = rest.split_before('/');
    if let Some(path) = path.filter(|path| path.text() != "/") {
        return Err(path.malformed(0, NOTHING_AFTER_HOST));
    }
    let (host, port) = host_and_port(host)?;
    Ok(base_url(&host, port))
}

/// A DNS suffix in lower case, without a leading dot.
pub(crate) fn dns_suffix(text: &str) -> Result<String, ReferenceError> {
    let piece = Piece::new(text).trim();
    host(piece.after(".").unwrap_or(piece))
}

fn base_url(host: &str, port: Option<u16>) -> String {
    let mut url = format!("https://{host}");
    if let Some(port) = port.filter(|port| *port != 443) {
        let _ = write!(url, ":{port}");
    }
    url
}

fn host_and_port(authority: Piece<'_>) -> Result<(String, Option<u16>), ReferenceError> {
    let (name, port) = authority.split(':');
    let name = host(name)?;
    let port = port.map(|port| {
        let digits = port.check(|c| c.is_ascii_digit(), (1, 5), PORT)?;
        digits.parse().ok().filter(|port| *port != 0).ok_or_else(|| port.malformed(0, PORT))
    });
    Ok((name, port.transpose()?))
}

/// A host name in lower case: labels of letters, digits and inner hyphens, separated by single dots.
fn host(piece: Piece<'_>) -> Result<String, ReferenceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let text = piece.check(allowed, (1, 253), HOST)?;
    for label in piece.pieces('.') {
        let text = label.text();
        if text.is_empty() || text.len() > 63 || text.starts_with('-') || text.ends_with('-') {
            return Err(label.malformed(0, HOST));
        }
    }
    Ok(text.to_ascii_lowercase())
}

fn ends_in(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::cloud, *};

    #[test]
    fn a_vault_is_a_name_or_an_https_url() {
        let table = [
            ("myk8skv", Ok("https://myk8skv.vault.azure.net")),
            (" MyK8sKv ", Ok("https://myk8skv.vault.azure.net")),
            ("https://myk8skv.vault.azure.net", Ok("https://myk8skv.vault.azure.net")),
            ("https://myk8skv.vault.azure.net/", Ok("https://myk8skv.vault.azure.net")),
            ("HTTPS://MYK8SKV.vault.azure.net:443/", Ok("https://myk8skv.vault.azure.net")),
            ("https://localhost:8443", Ok("https://localhost:8443")),
            ("https://a.localhost:8443", Ok("https://a.localhost:8443")),
            ("https://vault.azure.net", Ok("https://vault.azure.net")),
            ("ab", Err("character 3: found the end, expected a vault name")),
            ("myk8skv.vault.azure.net", Err("character 8: found a dot, expected a vault name")),
            (
                "http://myk8skv.vault.azure.net",
                Err("character 1: found a letter, expected https://HOST[:PORT]"),
            ),
            ("https://user:pw@localhost", Err("character 14: found a letter, expected a port number")),
            ("https://user@localhost", Err("character 13: found `@`, expected a host name")),
            ("https://localhost/?x", Err("character 18: found `/`, expected nothing after")),
            ("https://localhost/secrets", Err("character 18: found `/`, expected nothing after")),
            ("https://localhost?x", Err("character 18: found `?`, expected a host name")),
            ("https://localhost#x", Err("character 18: found `#`, expected a host name")),
            ("https://local\\host", Err("character 14: found a backslash, expected a host name")),
            ("https://", Err("character 9: found the end, expected a host name")),
            ("https://evil.example", Err("character 9: the host does not end in a Key Vault suffix")),
            ("", Err("character 1: found the end, expected a vault name")),
        ];
        for (text, expected) in table {
            match (VaultUrl::parse(text, &cloud()), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().starts_with(expected), "{text}: {error}");
                }
                (result, expected) => panic!("{text}: {result:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn a_suffix_is_a_host_name_in_lower_case() {
        for (text, expected) in [
            (" .Vault.Example ", Some("vault.example")),
            ("localhost", Some("localhost")),
            ("127.0.0.1", Some("127.0.0.1")),
        ] {
            assert_eq!(dns_suffix(text).ok().as_deref(), expected);
        }
        for text in ["", ".", "..a", "*.a", "a:1", "https://a", "a/b"] {
            assert!(dns_suffix(text).is_err(), "{text}");
        }
    }
}
