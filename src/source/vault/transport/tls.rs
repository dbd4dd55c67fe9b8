//! Whom to believe: the embedded roots and the configured ones, and the system's only when those fail.
//!
//! Reading the system's bundle costs a millisecond and some hundred kilobytes, and in an image made from
//! scratch there is none. Public Azure never needs it; a cluster behind an intercepting gateway does.

use crate::{
    failure::{Class, Failure},
    files,
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, KeyProvider},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    sign::SigningKey,
};
use std::{
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

/// Where distributions keep their bundle; the first that exists is taken.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's bundle has a quarter of a megabyte.
const LONGEST_BUNDLE: u64 = 4 << 20;

/// Servers whose session tickets are kept, so that the many connections of one round share the cost of
/// one full handshake. There are a few vaults and one authority.
const SESSIONS: usize = 16;

/// Without what is never used, which is 45 KB of a program that stays in memory as a whole: a client without
/// a certificate signs nothing, and machines that run in Azure have AES in hardware.
fn provider() -> CryptoProvider {
    use rustls::crypto::ring::cipher_suite as ring;
    CryptoProvider {
        cipher_suites: vec![
            ring::TLS13_AES_256_GCM_SHA384,
            ring::TLS13_AES_128_GCM_SHA256,
            ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ],
        key_provider: &NoKeys,
        ..rustls::crypto::ring::default_provider()
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("there are no client certificates".into()))
    }
}

/// TLS for the transport. `extra` roots are trusted in addition to the embedded ones.
///
/// The provider is passed on explicitly; no process-wide default is set or needed.
pub(in super::super) fn client_config(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Failure> {
    with_bundles(extra, &SYSTEM_BUNDLES)
}

/// TLS for a server whose certificate must be from one of `roots` and from nobody else.
pub(super) fn trusting_only(roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Failure> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    Ok(ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bug(&error))?
        .with_root_certificates(store)
        .with_no_client_auth())
}

fn bug(error: &dyn fmt::Display) -> Failure {
    Failure::new(Class::Bug, format!("TLS cannot be set up: {error}"))
}

fn with_bundles(
    extra: Vec<CertificateDer<'static>>,
    bundles: &'static [&'static str],
) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(provider());
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(extra);
    let verifier = Verifier {
        first: webpki(roots, &provider).map_err(|error| bug(&error))?,
        bundles,
        system: OnceLock::new(),
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bug(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(config)
}

/// The certificates of a PEM file. `what` names the setting in the message.
pub(in super::super) fn read_pem(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let place = format!("{what}: {}", path.display());
    let pem = files::read_regular(path, LONGEST_BUNDLE).map_err(|error| no_bundle(&place, &error))?;
    parse_pem(&place, &pem)
}

/// The certificates of a PEM text. `place` says in the message where it is from.
pub(in super::super) fn parse_pem(place: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| no_bundle(place, &error))?;
    // What cannot be a trust anchor would otherwise be dropped in silence and show up as a failed handshake.
    let mut store = RootCertStore::empty();
    match store.add_parsable_certificates(certificates.iter().cloned()) {
        (0, 0) => Err(no_bundle(place, &"there is no certificate in it")),
        (_, 0) => Ok(certificates),
        (_, unusable) => {
            Err(no_bundle(place, &format_args!("{unusable} of its certificates cannot be used")))
        }
    }
}

fn no_bundle(place: &str, problem: &dyn fmt::Display) -> Failure {
    Failure::new(Class::Config, format!("{place}: {problem}; it must be PEM with CA certificates"))
}

fn webpki(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, rustls::server::VerifierBuilderError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()
}

/// The usual checks against the first roots; if those do not know the issuer, against the system's.
#[derive(Debug)]
struct Verifier {
    first: Arc<WebPkiServerVerifier>,
    bundles: &'static [&'static str],
    /// Filled on first need; `None` inside: this system has no usable bundle.
    system: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn system(&self) -> Option<&WebPkiServerVerifier> {
        let read = || {
            let pem = self
                .bundles
                .iter()
                .find_map(|path| files::read_regular(Path::new(path), LONGEST_BUNDLE).ok())?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
            webpki(roots, &self.provider).ok()
        };
        self.system.get_or_init(read).as_deref()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.first.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => match self.system() {
                Some(system) => system.verify_server_cert(end_entity, intermediates, name, ocsp, now),
                None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            },
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.first.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dev_vault::DevVault;
    use rustls::ClientConnection;
    use std::net::TcpStream;

    fn handshake(vault: &DevVault, config: ClientConfig) -> Result<(), std::io::Error> {
        let name = ServerName::try_from("localhost").expect("name");
        let mut connection = ClientConnection::new(Arc::new(config), name).expect("configuration");
        let mut stream = TcpStream::connect(("127.0.0.1", vault.port())).expect("connect");
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(())
    }

    #[test]
    fn the_systems_bundle_is_read_when_the_other_roots_do_not_know_the_issuer() {
        let vault = DevVault::builder().start().expect("dev vault");
        let file = vault.ca_file().to_str().expect("UTF-8").to_owned();
        let bundles: &[&str] = Box::leak(Box::new(["/nowhere/ca.crt", String::leak(file)]));
        handshake(&vault, with_bundles(Vec::new(), bundles).expect("TLS")).expect("trusted");
        handshake(&vault, with_bundles(Vec::new(), &bundles[..1]).expect("TLS")).expect_err("unknown issuer");
    }

    #[test]
    fn configured_roots_do_not_need_the_systems() {
        let vault = DevVault::builder().start().expect("dev vault");
        let roots = read_pem("caFile", &vault.ca_file()).expect("readable");
        handshake(&vault, with_bundles(roots, &[]).expect("TLS")).expect("trusted");
    }
}
