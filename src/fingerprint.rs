//! Tells whether two values, or two sets, are the same without keeping either: HMAC-SHA-256 under a random key.
//!
//! Without the key nobody can try out values against a fingerprint, which is why one may be shown, and why
//! two agents give the same value different ones. Whoever has the key can, so it lies only where the values
//! themselves may lie.

use crate::{config::EnvName, secret::SecretValue, snapshot::Snapshot};
use ring::{
    digest::SHA256_OUTPUT_LEN,
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a key and of a fingerprint.
const LENGTH: usize = SHA256_OUTPUT_LEN;
/// Bytes that SHA-256 takes at a time.
const BLOCK: usize = 64;
/// Bytes of a fingerprint that are shown: enough to tell sets apart, and short enough to compare by eye.
const SHOWN: usize = 8;

/// What is hashed begins with what it is.
const VALUE: u8 = 1;
const SET: u8 = 2;

/// Stands for the value of one variable, or for a whole set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; LENGTH]);

/// Under which fingerprints are made. Those of different keys say nothing about each other.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; LENGTH]>);

impl Key {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If the kernel has no random numbers, which Linux always has.
    pub fn random() -> Self {
        let mut key = Zeroizing::new([0; LENGTH]);
        SystemRandom::new().fill(key.as_mut()).expect("the kernel gives random numbers");
        Self(key)
    }

    /// The fingerprint of a variable's value. The name counts, so that equal values of two variables do not
    /// look equal.
    pub fn value(&self, name: &EnvName, value: &SecretValue) -> Fingerprint {
        let (name, value) = (name.as_str().as_bytes(), value.expose());
        let lengths = [name.len() as u64, value.len() as u64].map(u64::to_le_bytes);
        let parts = [&[VALUE], lengths.as_flattened(), name, value];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        // Of whole blocks, because what fills none the hash would copy to where nobody wipes it. The lengths
        // at the front tell padding from value.
        let length = length.next_multiple_of(BLOCK);
        let mut message = Zeroizing::new(Vec::with_capacity(length));
        for part in parts {
            message.extend_from_slice(part);
        }
        message.resize(length, 0);
        self.sign(&message)
    }

    /// The fingerprint of all names and values of a set.
    pub fn set(&self, snapshot: &Snapshot) -> Fingerprint {
        let values = snapshot.entries.iter().flat_map(|entry| self.value(&entry.variable, &entry.value).0);
        self.sign(&[SET].into_iter().chain(values).collect::<Vec<_>>())
    }

    fn sign(&self, message: &[u8]) -> Fingerprint {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref()), message);
        let mut fingerprint = [0; LENGTH];
        fingerprint.copy_from_slice(tag.as_ref());
        Fingerprint(fingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..SHOWN].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unhex(deserializer).map(|bytes| Self(*bytes))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unhex(deserializer).map(Self)
    }
}

/// All bytes, two digits each.
struct Hex<'a>(&'a [u8; LENGTH]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<[u8; LENGTH]>, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Zeroizing::new([0; LENGTH]);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != LENGTH || !rest.is_empty() {
        return Err(D::Error::custom("not 64 hexadecimal digits"));
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let pair = digit(*high).zip(digit(*low));
        let (high, low) = pair.ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))?;
        *byte = high << 4 | low;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Entry, Provenance};

    fn name(text: &str) -> EnvName {
        EnvName::parse(text).unwrap()
    }

    fn value(key: &Key, variable: &str, value: &[u8]) -> Fingerprint {
        key.value(&name(variable), &SecretValue::new(value))
    }

    fn set(key: &Key, entries: &[(&str, &str)]) -> Fingerprint {
        let entry = |(variable, value): &(&str, &str)| Entry {
            variable: name(variable),
            value: SecretValue::new(*value),
            provenance: Provenance::Mount { file: "file".into() },
        };
        key.set(&Snapshot { entries: entries.iter().map(entry).collect(), ..Snapshot::default() })
    }

    fn assert_all_differ(fingerprints: &[Fingerprint]) {
        for (index, one) in fingerprints.iter().enumerate() {
            for (place, other) in fingerprints.iter().enumerate() {
                assert_eq!(index == place, one == other, "{index} and {place}");
            }
        }
    }

    #[test]
    fn whatever_differs_in_name_value_or_key_has_another_fingerprint() {
        let key = Key::random();
        let long = vec![0; BLOCK];
        let of = |variable: &str, bytes: &[u8]| value(&key, variable, bytes);
        assert_all_differ(&[
            of("A", b"one"),
            of("A", b"two"),
            of("B", b"one"),
            // The same bytes in all, cut elsewhere.
            of("AB", b"C"),
            of("A", b"BC"),
            // What looks like padding.
            of("A", b""),
            of("A", b"\0"),
            of("A", b"one\0"),
            of("A", &long),
            of("A", &long[1..]),
            value(&Key::random(), "A", b"one"),
            key.sign(b""),
        ]);
        assert_eq!(of("A", b"one"), of("A", b"one"));
    }

    #[test]
    fn whatever_differs_in_a_set_gives_another_fingerprint() {
        let key = Key::random();
        assert_all_differ(&[
            set(&key, &[]),
            set(&key, &[("A", "")]),
            set(&key, &[("A", "1")]),
            set(&key, &[("A", "2")]),
            set(&key, &[("A", "1"), ("B", "2")]),
            set(&key, &[("A", "2"), ("B", "1")]),
            set(&key, &[("A", "1"), ("C", "2")]),
            set(&Key::random(), &[("A", "1")]),
            value(&key, "A", b"1"),
        ]);
        assert_eq!(set(&key, &[("A", "1"), ("B", "2")]), set(&key, &[("A", "1"), ("B", "2")]));
    }

    #[test]
    fn where_a_value_comes_from_does_not_count() {
        let key = Key::random();
        let of = |file: &str| {
            let provenance = Provenance::Mount { file: file.into() };
            let entry = Entry { variable: name("A"), value: SecretValue::new("1"), provenance };
            key.set(&Snapshot { entries: vec![entry], ..Snapshot::default() })
        };
        assert_eq!(of("one"), of("another"));
    }

    /// Worked out by Python's `hmac`; that it stays so is what lets an agent read what an earlier one has written.
    #[test]
    fn it_is_hmac_sha_256() {
        let key = Key(Zeroizing::new([7; LENGTH]));
        let full = |fingerprint| serde_json::to_value(fingerprint).unwrap();
        assert_eq!(
            full(value(&key, "A", b"one")),
            "920dcf5ef9976561276a8fe6bb86188b87b25efdfa92a21e66905a8cfd13ccb1"
        );
        assert_eq!(
            full(set(&key, &[("A", "one")])),
            "0d83a44a3005bc94f8d74c19be2015aeb6dde6d7c75419616a35c557096b6642"
        );
    }

    #[test]
    fn both_survive_being_written_and_read() {
        let key = Key::random();
        let fingerprint = value(&key, "A", b"one");
        let text = serde_json::to_string(&(&key, fingerprint)).unwrap();
        let (read, same): (Key, Fingerprint) = serde_json::from_str(&text).unwrap();
        assert!(read == key && same == fingerprint);
        for text in ["", "12", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"ä".repeat(32)] {
            serde_json::from_value::<Fingerprint>(text.into()).unwrap_err();
        }
    }

    #[test]
    fn a_part_of_a_fingerprint_is_shown_and_nothing_of_a_key() {
        let key = Key(Zeroizing::new([7; LENGTH]));
        let fingerprint = value(&key, "A", b"one");
        let shown = fingerprint.to_string();
        assert_eq!(shown.len(), 16);
        assert!(serde_json::to_string(&fingerprint).unwrap().contains(&shown));
        assert_eq!(format!("{fingerprint:?}"), shown);
        assert_eq!(format!("{key:?}"), "Key(..)");
    }
}
