//! Certificates.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::links::Links;
use super::{Call, Resource, json_answer, properties};
use crate::api::{Answer, ApiError};
use crate::crypto::{Bundle, CertificateFormat, KeyType};
use crate::store::{Certificate, CertificateSpec, Deleted, Details, Found, Kind, Shelf, Vault, Version};

/// Days in a month, as far as validity is concerned.
const MONTH: i64 = 30;
const PEM_BEGIN: &[u8] = b"-----BEGIN ";

impl Resource for Certificate {
    fn shelf(vault: &mut Vault) -> &mut Shelf<Self> {
        &mut vault.certificates
    }

    fn item(id: String, version: &Version<Self>) -> Value {
        let mut item = properties(version);
        item["id"] = json!(id);
        item["x5t"] = json!(URL_SAFE_NO_PAD.encode(Sha1::digest(&version.content.der)));
        item["subject"] = json!(version.content.subject);
        item
    }

    fn bundle(links: &Links<'_>, found: &Found<Self>) -> Value {
        let mut bundle = Self::item(links.version(found), &found.version);
        bundle["kid"] = json!(links.sibling(Kind::Key, found));
        bundle["sid"] = json!(links.sibling(Kind::Secret, found));
        bundle["cer"] = json!(STANDARD.encode(&found.version.content.der));
        bundle["contentType"] = json!(found.version.content.format.content_type());
        bundle["policy"] = policy(links, found);
        bundle
    }

    fn delete(vault: &mut Vault, name: &str) -> Result<Deleted<Self>, ApiError> {
        vault.delete_certificate(name)
    }

    fn recover(vault: &mut Vault, name: &str) -> Result<Found<Self>, ApiError> {
        vault.recover_certificate(name)
    }

    fn purge(vault: &mut Vault, name: &str) -> Result<(), ApiError> {
        vault.purge_certificate(name)
    }

    fn special(call: &mut Call<'_>) -> Option<Result<Answer, ApiError>> {
        let (status, answer) = match (call.request.method.as_str(), call.path) {
            ("POST", [name, "create"]) => (202, create(call, name)),
            ("POST", [name, "import"]) => (200, import(call, name)),
            ("PATCH", [name]) => (200, update(call, name, None)),
            ("PATCH", [name, version]) => (200, update(call, name, Some(version))),
            ("GET", [name, "policy"]) => {
                (200, call.vault.certificates.find(name, None).map(|found| policy(&call.links, &found)))
            }
            ("GET", [name, "pending"]) => {
                let found = call.vault.certificates.find(name, None);
                (200, found.map(|found| operation(&call.links, &found, "completed")))
            }
            _ => return None,
        };
        Some(answer.map(|body| json_answer(status, &body)))
    }
}

/// What callers say about how a certificate is to be; what is missing has defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Policy {
    key_props: KeyProperties,
    secret_props: SecretProperties,
    x509_props: X509Properties,
    issuer: IssuerParameters,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyProperties {
    exportable: Option<bool>,
    kty: Option<String>,
    key_size: Option<u32>,
    crv: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SecretProperties {
    content_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct X509Properties {
    subject: Option<String>,
    sans: Option<AlternativeNames>,
    validity_months: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AlternativeNames {
    dns_names: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IssuerParameters {
    name: Option<String>,
}

/// The body of `POST /certificates/NAME/create`.
#[derive(Deserialize)]
struct Create {
    policy: Option<Policy>,
    #[serde(flatten)]
    details: Details,
}

/// The body of `POST /certificates/NAME/import`.
#[derive(Deserialize)]
struct Import {
    value: Option<String>,
    pwd: Option<String>,
    policy: Option<Policy>,
    #[serde(flatten)]
    details: Details,
}

impl Policy {
    fn format(&self) -> Result<Option<CertificateFormat>, ApiError> {
        let Some(content_type) = &self.secret_props.content_type else { return Ok(None) };
        CertificateFormat::from_content_type(content_type).map(Some).ok_or_else(|| {
            ApiError::bad_parameter(format!("the content type {content_type} is not supported"))
        })
    }

    fn key(&self) -> Result<KeyType, ApiError> {
        let KeyProperties { kty, key_size, crv, .. } = &self.key_props;
        // Clients send a size along with a curve.
        let size = key_size.filter(|_| crv.is_none());
        KeyType::from_parts(kty.as_deref().unwrap_or("RSA"), size, crv.as_deref())
            .map_err(ApiError::bad_parameter)
    }
}

fn create(call: &mut Call<'_>, name: &str) -> Result<Value, ApiError> {
    let Create { policy, details } = call.request.json()?;
    let policy = policy.ok_or_else(|| ApiError::bad_parameter("the property policy is required"))?;
    if policy.issuer.name.as_deref() != Some("Self") {
        return Err(ApiError::bad_parameter("there is no issuer but Self"));
    }
    let X509Properties { subject, sans, validity_months } = &policy.x509_props;
    let dns_names = sans.as_ref().and_then(|sans| sans.dns_names.clone()).unwrap_or_default();
    if subject.is_none() && dns_names.is_empty() {
        return Err(ApiError::bad_parameter("a subject or an alternative name is required"));
    }
    let spec = CertificateSpec {
        key: policy.key()?,
        subject: subject.clone().unwrap_or_default(),
        dns_names,
        days: validity_months.unwrap_or(12) * MONTH,
        self_signed: true,
        format: policy.format()?.unwrap_or_default(),
        exportable: policy.key_props.exportable.unwrap_or(true),
        ..CertificateSpec::default()
    };
    let found = call.vault.add_certificate(name, &spec, details)?;
    // A client fetches the certificate only once it has seen the operation end after this answer.
    Ok(operation(&call.links, &found, "inProgress"))
}

fn import(call: &mut Call<'_>, name: &str) -> Result<Value, ApiError> {
    let Import { value, pwd, policy, details } = call.request.json()?;
    let value = value.ok_or_else(|| ApiError::bad_parameter("the property value is required"))?;
    let policy = policy.unwrap_or_default();
    // PEM comes as it is, or in base64 like PKCS#12: clients differ, and the service takes both.
    let content = if is_pem(value.as_bytes()) {
        value.into_bytes()
    } else {
        STANDARD
            .decode(value)
            .map_err(|_| ApiError::bad_parameter("the value is neither PEM nor PKCS#12 in base64"))?
    };
    let (bundle, usual) = if is_pem(&content) {
        (Bundle::from_pem(&content), CertificateFormat::Pem)
    } else {
        (Bundle::from_pkcs12(&content, pwd.as_deref().unwrap_or_default()), CertificateFormat::Pkcs12)
    };
    let spec = CertificateSpec {
        format: policy.format()?.unwrap_or(usual),
        exportable: policy.key_props.exportable.unwrap_or(true),
        ..CertificateSpec::default()
    };
    let bundle = bundle.map_err(ApiError::bad_parameter)?;
    let found = call.vault.put_certificate(name, &bundle, &spec, details)?;
    Ok(Certificate::bundle(&call.links, &found))
}

fn is_pem(content: &[u8]) -> bool {
    content.windows(PEM_BEGIN.len()).any(|window| window == PEM_BEGIN)
}

fn update(call: &mut Call<'_>, name: &str, version: Option<&str>) -> Result<Value, ApiError> {
    let found = call.vault.update_certificate(name, version, call.request.json()?)?;
    Ok(Certificate::bundle(&call.links, &found))
}

/// How the making of a certificate goes. It is done at once, so whoever asks again finds that it has ended.
fn operation(links: &Links<'_>, found: &Found<Certificate>, status: &str) -> Value {
    let certificate = links.object::<Certificate>(&found.name);
    json!({
        "id": format!("{certificate}/pending"),
        "issuer": {"name": found.version.content.issuer},
        "cancellation_requested": false,
        "status": status,
        "target": certificate,
        "request_id": found.version.id,
    })
}

fn policy(links: &Links<'_>, found: &Found<Certificate>) -> Value {
    let content = &found.version.content;
    let mut key = json!({"exportable": content.exportable, "kty": content.kind.kty(), "reuse_key": false});
    if let Some(bits) = content.kind.bits() {
        key["key_size"] = json!(bits);
    }
    if let Some(curve) = content.kind.curve() {
        key["crv"] = json!(curve);
    }
    json!({
        "id": format!("{}/policy", links.object::<Certificate>(&found.name)),
        "key_props": key,
        "secret_props": {"contentType": content.format.content_type()},
        "x509_props": {"subject": content.subject},
        "issuer": {"name": content.issuer},
        "attributes": {
            "enabled": true, "created": found.version.created, "updated": found.version.updated,
        },
    })
}
