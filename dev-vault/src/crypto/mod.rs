//! The keys and certificates that a vault holds.

mod jwk;
mod key;

pub(crate) use self::jwk::Jwk;
pub use self::key::KeyType;
pub(crate) use self::key::PrivateKey;
