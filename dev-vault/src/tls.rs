//! A certificate authority of our own, made anew at every start, and the one certificate it signs.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use time::{Duration, OffsetDateTime};

/// The names that lead to the loopback interface; a vault is addressed as a name under `vault.localhost`.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "*.vault.localhost"];
/// Some clients refuse certificates that are valid for longer than thirteen months.
const VALID_DAYS: i64 = 397;

/// What the server presents, and what a client needs to trust it.
pub(crate) struct Credentials {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

/// What the server's certificate is like.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Further names and addresses.
    pub(crate) names: Vec<String>,
    /// Whether its time is over.
    pub(crate) expired: bool,
    /// Who signs it.
    pub(crate) authority: String,
}

impl Default for Profile {
    fn default() -> Self {
        Self { names: Vec::new(), expired: false, authority: "dev-vault authority".to_owned() }
    }
}

/// A fresh authority and a certificate for the usual names and the profile's. The authority's key is dropped here:
/// nobody can sign anything else with it.
pub(crate) fn credentials(profile: &Profile) -> io::Result<Credentials> {
    let names: Vec<_> = NAMES.iter().copied().chain(profile.names.iter().map(String::as_str)).collect();
    let (leaf, key, ca) = certificates(&names, profile).map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(io::Error::other)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Credentials { server: Arc::new(server), ca_pem: ca.pem() })
}

/// A certificate for one name, from an authority of its own, and that authority's certificate.
pub(crate) fn single(name: &str) -> io::Result<(CertifiedKey, String)> {
    let (leaf, key, ca) = certificates(&[name], &Profile::default()).map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let certified = CertifiedKey::from_der(vec![leaf.der().clone()], key, &provider());
    Ok((certified.map_err(io::Error::other)?, ca.pem()))
}

/// A server that asks for its certificate at each handshake.
pub(crate) fn server(resolver: Arc<dyn ResolvesServerCert>) -> io::Result<Arc<ServerConfig>> {
    Ok(Arc::new(
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(resolver),
    ))
}

/// A client that trusts the authorities in `ca_pem` and no others.
pub(crate) fn client(ca_pem: &str) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Named wherever TLS is set up, so that nothing depends on a provider being installed for the process.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(
    names: &[&str],
    profile: &Profile,
) -> Result<(Certificate, KeyPair, Certificate), rcgen::Error> {
    let mut authority = params(&[], &profile.authority)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?;

    let mut leaf = params(names, "dev-vault")?;
    if profile.expired {
        leaf.not_after = OffsetDateTime::now_utc() - Duration::hours(1);
    }
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf_key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(authority, authority_key))?;
    Ok((leaf, leaf_key, ca))
}

fn params(names: &[&str], common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(VALID_DAYS - 1);
    Ok(params)
}
