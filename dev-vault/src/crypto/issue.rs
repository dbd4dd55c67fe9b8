//! New certificates, self-signed or at the end of a chain made for them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use time::{Duration, OffsetDateTime};

use super::{Bundle, KeyType, PrivateKey};

/// Whom a certificate is for.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// As `CN=app.example, O=Example`.
    pub(crate) name: String,
    pub(crate) dns_names: Vec<String>,
    pub(crate) days: i64,
}

/// A new key with its certificate; behind it an intermediate and a root authority unless it signs itself.
pub(crate) fn issue(subject: &Subject, kind: KeyType, authorities: bool) -> Result<Bundle, String> {
    if matches!(kind, KeyType::P521 | KeyType::P256K) {
        return Err("certificates are made only for RSA, P-256 and P-384; others can be imported".to_owned());
    }
    let key = PrivateKey::generate(kind)?;
    let certificates = certificates(subject, &key, authorities).map_err(|error| error.to_string())?;
    Ok(Bundle { key, certificates })
}

fn certificates(
    subject: &Subject,
    key: &PrivateKey,
    authorities: bool,
) -> Result<Vec<Vec<u8>>, rcgen::Error> {
    let leaf_key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key.pkcs8()))?;
    let mut leaf = CertificateParams::new(subject.dns_names.clone())?;
    for (kind, value) in parts(&subject.name) {
        leaf.distinguished_name.push(kind, value);
    }
    (leaf.not_before, leaf.not_after) = valid_for(subject.days);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    if !authorities {
        return Ok(vec![leaf.self_signed(&leaf_key)?.der().to_vec()]);
    }
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.use_authority_key_identifier_extension = true;

    let (root_params, root_key) = (authority("dev-vault root")?, KeyPair::generate()?);
    let root = root_params.self_signed(&root_key)?;
    let (middle_params, middle_key) = (authority("dev-vault intermediate")?, KeyPair::generate()?);
    let middle = middle_params.signed_by(&middle_key, &Issuer::new(root_params, root_key))?;
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(middle_params, middle_key))?;
    Ok([leaf, middle, root].iter().map(|one| one.der().to_vec()).collect())
}

fn authority(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = valid_for(3650);
    Ok(params)
}

fn valid_for(days: i64) -> (OffsetDateTime, OffsetDateTime) {
    let from = OffsetDateTime::now_utc() - Duration::minutes(10);
    (from, from + Duration::days(days))
}

/// The parts of a distinguished name that this understands, in their order.
fn parts(name: &str) -> impl Iterator<Item = (DnType, &str)> {
    name.split(',').filter_map(|part| part.split_once('=')).filter_map(|(kind, value)| {
        let kind = match kind.trim().to_ascii_uppercase().as_str() {
            "CN" => DnType::CommonName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "L" => DnType::LocalityName,
            "ST" | "S" => DnType::StateOrProvinceName,
            "C" => DnType::CountryName,
            _ => return None,
        };
        Some((kind, value.trim()))
    })
}
