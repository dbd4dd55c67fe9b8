//! Where a request may go: the allow-list that decides before a connection exists.

use azure_core::http::Method;
use std::fmt;
use url::{Origin, Url};

/// Whom a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Role {
    /// A configured vault.
    Vault,
    /// The token endpoint of Microsoft Entra.
    Entra,
    /// The token proxy of an AKS identity binding, which stands in for Entra.
    TokenProxy,
    /// The token endpoint for managed identities: the instance metadata service, or what stands in for it.
    Imds,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Target {
    pub(super) tls: bool,
    /// Name or address; an IPv6 address is without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    /// The target of an `http` or `https` URL.
    pub(in super::super) fn of(url: &Url) -> Option<Self> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = match url.host()? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        Some(Self { tls, host, port: url.port_or_known_default()? })
    }

    /// The target of a URL's text.
    pub(in super::super) fn parse(url: &str) -> Option<Self> {
        Self::of(&Url::parse(url).ok()?)
    }

    /// Whether to speak TLS.
    pub(in super::super) fn is_tls(&self) -> bool {
        self.tls
    }

    /// As in a host header: the port only where it is not the scheme's own.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority())
    }
}

/// The hosts that the configuration names.
#[derive(Debug)]
pub(in super::super) struct Routes {
    /// The configured vaults.
    pub(in super::super) vaults: Vec<Target>,
    /// The Entra authority.
    pub(in super::super) authority: Target,
    /// Replaces the well-known address of the instance metadata service.
    pub(in super::super) imds: Option<Target>,
    /// The token endpoint that the platform announces in `IDENTITY_ENDPOINT`.
    pub(in super::super) identity_endpoint: Option<Target>,
}

impl Routes {
    /// The role of the request and where to connect, or `None` if it must not be sent.
    ///
    /// Vaults are only ever read from, and the path decides between a vault and the authority where one
    /// host is both.
    pub(super) fn route(&self, method: Method, url: &Url) -> Option<(Role, Target)> {
        let target = Target::of(url)?;
        let path = url.path();
        match method {
            Method::Get if is_read(path) && target.tls && self.vaults.contains(&target) => {
                Some((Role::Vault, target))
            }
            Method::Post
                if path.ends_with("/oauth2/v2.0/token") && target.tls && target == self.authority =>
            {
                Some((Role::Entra, target))
            }
            Method::Get if is_imds(url) => Some((Role::Imds, self.imds.clone().unwrap_or(target))),
            Method::Get if self.identity_endpoint.as_ref() == Some(&target) => Some((Role::Imds, target)),
            _ => None,
        }
    }
}

/// Whether this is one of the collections that are read.
fn is_read(path: &str) -> bool {
    path == "/secrets" || path.starts_with("/secrets/") || path.starts_with("/keys/")
}

/// Whether this is the address that the SDK has built in.
fn is_imds(url: &Url) -> bool {
    let imds = url::Host::Ipv4([169, 254, 169, 254].into());
    url.origin() == Origin::Tuple("http".into(), imds, 80) && url.path() == "/metadata/identity/oauth2/token"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().expect("URL")).expect("target")
    }

    fn routes(imds: Option<&str>) -> Routes {
        Routes {
            vaults: vec![target("https://v.vault.azure.net"), target("https://localhost:8443")],
            authority: target("https://localhost:8443"),
            imds: imds.map(target),
            identity_endpoint: Some(target("http://127.0.0.1:42/msi/token")),
        }
    }

    #[test]
    fn only_configured_hosts_are_reached() {
        use Method::{Get, Post, Put};
        let imds = "http://169.254.169.254/metadata/identity/oauth2/token?resource=x";
        let cases = [
            (Get, "https://v.vault.azure.net/secrets/a/?api-version=1", Some(Role::Vault)),
            (Get, "https://V.VAULT.azure.net:443/secrets/a", Some(Role::Vault)),
            (Get, "https://localhost:8443/secrets/a", Some(Role::Vault)),
            (Post, "https://localhost:8443/tenant/oauth2/v2.0/token", Some(Role::Entra)),
            (Get, imds, Some(Role::Imds)),
            (Get, "http://127.0.0.1:42/msi/token?resource=x", Some(Role::Imds)),
            (Get, "http://v.vault.azure.net/secrets/a", None),
            (Get, "https://v.vault.azure.net:8443/secrets/a", None),
            (Get, "https://v.vault.azure.net/secrets?api-version=1", Some(Role::Vault)),
            (Get, "https://v.vault.azure.net/keys/a", Some(Role::Vault)),
            (Get, "https://v.vault.azure.net/keys", None),
            (Get, "https://v.vault.azure.net/secretsa", None),
            (Get, "https://v.vault.azure.net/certificates/a", None),
            (Get, "https://v.vault.azure.net/", None),
            (Put, "https://v.vault.azure.net/secrets/a", None),
            (Get, "https://evil.example/secrets/a", None),
            (Get, "https://v.vault.azure.net.evil.example/secrets/a", None),
            (Get, "https://v.vault.azure.net@evil.example/secrets/a", None),
            (Post, "https://v.vault.azure.net/tenant/oauth2/v2.0/token", None),
            (Post, imds, None),
            (Get, "https://169.254.169.254/metadata/identity/oauth2/token", None),
            (Get, "http://169.254.169.254/metadata/instance", None),
            (Get, "http://127.0.0.1:43/msi/token", None),
        ];
        for (method, url, role) in cases {
            let url: Url = url.parse().expect("URL");
            assert_eq!(routes(None).route(method, &url).map(|(role, _)| role), role, "{method:?} {url}");
        }
    }

    #[test]
    fn imds_is_found_where_the_environment_says() {
        let url = "http://169.254.169.254/metadata/identity/oauth2/token".parse().expect("URL");
        let at = |imds| routes(imds).route(Method::Get, &url).expect("allowed").1;
        assert_eq!(at(None), target("http://169.254.169.254"));
        assert_eq!(at(Some("http://127.0.0.1:9000/")), target("http://127.0.0.1:9000"));
    }

    #[test]
    fn a_host_header_has_the_port_only_where_it_matters() {
        for (url, authority) in [
            ("https://a.example", "a.example"),
            ("https://a.example:8443", "a.example:8443"),
            ("http://a.example:443", "a.example:443"),
            ("https://[::1]:8443", "[::1]:8443"),
        ] {
            assert_eq!(target(url).authority(), authority);
        }
    }
}
