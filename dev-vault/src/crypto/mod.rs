//! The keys and certificates that a vault holds.

mod bundle;
mod issue;
mod jwk;
mod key;

pub(crate) use self::bundle::Bundle;
pub use self::bundle::CertificateFormat;
pub(crate) use self::issue::{Subject, issue};
pub(crate) use self::jwk::Jwk;
pub use self::key::KeyType;
pub(crate) use self::key::PrivateKey;
