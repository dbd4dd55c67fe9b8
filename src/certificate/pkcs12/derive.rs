//! Keys out of passwords as PKCS#12 does it (RFC 7292, appendix B), and the hashes for it.

use der::asn1::ObjectIdentifier;
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

/// What a key is for, which makes it another one.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Use {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// A hash and what is made of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// By the object identifier of the hash.
    pub(super) fn of_mac(oid: ObjectIdentifier) -> Option<Self> {
        const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
        const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
        const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
        const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
        match oid {
            SHA1 => Some(Self::Sha1),
            SHA256 => Some(Self::Sha256),
            SHA384 => Some(Self::Sha384),
            SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// By the object identifier of its HMAC.
    pub(super) fn of_hmac(oid: ObjectIdentifier) -> Option<Self> {
        const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
        const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
        const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
        const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
        match oid {
            SHA1 => Some(Self::Sha1),
            SHA256 => Some(Self::Sha256),
            SHA384 => Some(Self::Sha384),
            SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    pub(super) fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    /// Bytes of its result.
    pub(super) fn length(self) -> usize {
        self.digest().output_len()
    }

    pub(super) fn is_mac(self, key: &[u8], data: &[u8], expected: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(self.hmac(), key), data, expected).is_ok()
    }
}

/// A key of `length` bytes. The letters are those of the RFC.
pub(super) fn derive(
    hash: Hash,
    purpose: Use,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let v = hash.digest().block_len();
    let fill = |bytes: &[u8]| {
        bytes.iter().copied().cycle().take(bytes.len().next_multiple_of(v)).collect::<Vec<_>>()
    };
    let d = vec![purpose as u8; v];
    let mut i = Zeroizing::new([fill(salt), fill(password)].concat());
    let mut key = Zeroizing::new(Vec::with_capacity(length + hash.length()));
    while key.len() < length {
        let mut a = digest::digest(hash.digest(), &[d.as_slice(), &i].concat());
        for _ in 1..iterations {
            a = digest::digest(hash.digest(), a.as_ref());
        }
        key.extend_from_slice(a.as_ref());
        for block in i.chunks_mut(v) {
            add_with_one(block, a.as_ref());
        }
    }
    key.truncate(length);
    key
}

/// Adds `b`, repeated to the same length, and one to a big-endian number; what does not fit is dropped.
fn add_with_one(number: &mut [u8], b: &[u8]) {
    let mut carry = 1;
    for (index, byte) in number.iter_mut().enumerate().rev() {
        let [high, low] = (u16::from(*byte) + u16::from(b[index % b.len()]) + carry).to_be_bytes();
        (carry, *byte) = (high.into(), low);
    }
}
