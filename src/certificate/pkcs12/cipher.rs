//! Decryption: the ways of PKCS#12 itself, which older programs use, and those of PKCS#5 (RFC 8018).

use super::{
    super::{CertificateError, asn1::Elements},
    derive::{Hash, Use, derive},
};
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _, block_padding::Pkcs7};
use der::{Tag, asn1::ObjectIdentifier};
use ring::pbkdf2;
use std::{cell::Cell, num::NonZeroU32};
use zeroize::Zeroizing;

const TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");
const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const AES_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const TRIPLE_DES_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

/// Iterations in all derivations of one file together. Programs write a few thousand; this many take about
/// half a second, and a file must not stop the agent's loop for longer.
const MOST_ITERATIONS: u32 = 1_000_000;

/// The longest key of a cipher here, which bounds what a file may ask to be derived.
const LONGEST_KEY: usize = 32;

/// Opens what a password protects.
pub(super) struct Opener {
    /// As PKCS#12 hashes it: in UTF-16, with two zero bytes at its end.
    ended: Zeroizing<Vec<u8>>,
    /// As PKCS#5 does: as it is.
    plain: Zeroizing<Vec<u8>>,
    iterations_left: Cell<u32>,
}

impl Opener {
    pub(super) fn new(password: &str) -> Self {
        let units = password.encode_utf16().chain([0]);
        let ended = Zeroizing::new(units.flat_map(u16::to_be_bytes).collect());
        let plain = Zeroizing::new(password.as_bytes().to_vec());
        Self { ended, plain, iterations_left: Cell::new(MOST_ITERATIONS) }
    }

    /// For a file that was written with no password at all, not even an end.
    pub(super) fn without_end() -> Self {
        Self { ended: Zeroizing::default(), ..Self::new("") }
    }

    /// A key as PKCS#12 derives it.
    pub(super) fn derive(
        &self,
        hash: Hash,
        purpose: Use,
        salt: &[u8],
        iterations: u32,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
        // Each piece as long as the hash takes all the iterations.
        let pieces = length.div_ceil(hash.length());
        self.spend(iterations.saturating_mul(u32::try_from(pieces).unwrap_or(u32::MAX)))?;
        Ok(derive(hash, purpose, &self.ended, salt, iterations, length))
    }

    fn spend(&self, iterations: u32) -> Result<(), CertificateError> {
        let left = self.iterations_left.get().checked_sub(iterations);
        self.iterations_left.set(left.ok_or(CertificateError::TooManyIterations)?);
        Ok(())
    }

    /// Decrypts as the algorithm and its parameters say.
    pub(super) fn open(
        &self,
        mut algorithm: Elements<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
        let oid = algorithm.oid()?;
        let mut parameters = algorithm.sequence()?;
        let (decrypt, length): (Decrypt, usize) = match oid {
            PBES2 => return self.open_pkcs5(parameters, encrypted),
            TRIPLE_DES => (cbc::<des::TdesEde3>, 24),
            RC2_128 => (cbc::<rc2::Rc2>, 16),
            RC2_40 => (cbc::<rc2::Rc2>, 5),
            _ => return Err(CertificateError::UnknownEncryption),
        };
        let (salt, iterations) = (parameters.next(Tag::OctetString)?, parameters.number()?);
        let key = self.derive(Hash::Sha1, Use::Key, salt, iterations, length)?;
        let iv = self.derive(Hash::Sha1, Use::Iv, salt, iterations, 8)?;
        decrypt(&key, &iv, encrypted)
    }

    fn open_pkcs5(
        &self,
        mut parameters: Elements<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
        let (mut derivation, mut scheme) = (parameters.sequence()?, parameters.sequence()?);
        if derivation.oid()? != PBKDF2 {
            return Err(CertificateError::UnknownEncryption);
        }
        let mut derivation = derivation.sequence()?;
        let (salt, iterations) = (derivation.next(Tag::OctetString)?, derivation.number()?);
        derivation.optional(Tag::Integer)?; // the key's length, which follows from the cipher
        let hash = match derivation.optional(Tag::Sequence)? {
            None => Some(Hash::Sha1),
            Some(hmac) => Hash::of_hmac(Elements::of(hmac)?.oid()?),
        };
        let (decrypt, length): (Decrypt, usize) = match scheme.oid()? {
            AES_128 => (cbc::<aes::Aes128>, 16),
            AES_192 => (cbc::<aes::Aes192>, 24),
            AES_256 => (cbc::<aes::Aes256>, LONGEST_KEY),
            TRIPLE_DES_CBC => (cbc::<des::TdesEde3>, 24),
            _ => return Err(CertificateError::UnknownEncryption),
        };
        let hash = hash.ok_or(CertificateError::UnknownEncryption)?;
        let iv = scheme.next(Tag::OctetString)?;
        let pieces = u32::try_from(length.div_ceil(hash.length())).unwrap_or(u32::MAX);
        self.spend(iterations.saturating_mul(pieces))?;
        let iterations = NonZeroU32::new(iterations).ok_or(CertificateError::DamagedPkcs12)?;
        let mut key = Zeroizing::new([0; LONGEST_KEY]);
        pbkdf2::derive(hash.pbkdf2(), iterations, salt, &self.plain, &mut key[..length]);
        decrypt(&key[..length], iv, encrypted)
    }
}

type Decrypt = fn(&[u8], &[u8], &[u8]) -> Result<Zeroizing<Vec<u8>>, CertificateError>;

/// Cipher block chaining, padded. With a wrong key the padding is wrong.
fn cbc<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let decryptor =
        cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| CertificateError::DamagedPkcs12)?;
    let mut text = Zeroizing::new(encrypted.to_vec());
    let length = decryptor.decrypt_padded::<Pkcs7>(&mut text).map_err(|_| CertificateError::Password)?.len();
    text.truncate(length);
    Ok(text)
}
