//! The YAML file that a dev vault can start from.

mod certificate;
mod key;
mod secret;

use std::collections::BTreeMap;
use std::{io, mem};

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::certificate::Certificate;
use self::key::Key;
use self::secret::Secret;
use crate::store::Store;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    #[serde(default)]
    vaults: BTreeMap<String, Vault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vault {
    #[serde(default)]
    secrets: BTreeMap<String, Secret>,
    #[serde(default)]
    keys: BTreeMap<String, Key>,
    #[serde(default)]
    certificates: BTreeMap<String, Certificate>,
}

/// Puts everything that the YAML text lists into the store, or says what it cannot accept.
pub(crate) fn load(yaml: &str, store: &mut Store) -> io::Result<()> {
    let seed: Seed = serde_saphyr::from_str(yaml).map_err(|error| invalid(error.to_string()))?;
    for (vault_name, vault) in seed.vaults {
        let target = store.vault(&vault_name);
        for (name, secret) in vault.secrets {
            put(secret, |new| target.secrets.set(&name, new.into()).map_err(|error| error.to_string()))
                .map_err(|reason| invalid(format!("vault {vault_name}, secret {name}: {reason}")))?;
        }
        for (name, key) in vault.keys {
            put(key, |new| new.put(&name, target))
                .map_err(|reason| invalid(format!("vault {vault_name}, key {name}: {reason}")))?;
        }
        for (name, certificate) in vault.certificates {
            put(certificate, |new| new.put(&name, target))
                .map_err(|reason| invalid(format!("vault {vault_name}, certificate {name}: {reason}")))?;
        }
    }
    Ok(())
}

fn put<T: OneOrMany, U>(object: T, mut put: impl FnMut(T) -> Result<U, String>) -> Result<(), String> {
    object.unfold()?.into_iter().try_for_each(|version| put(version).map(drop))
}

/// One version by its members, or a list of versions from the oldest to the newest.
trait OneOrMany: Sized {
    /// What a version cannot be without.
    const CONTENT: &'static str;

    fn has_content(&self) -> bool;

    fn versions(&mut self) -> &mut Vec<Self>;

    fn unfold(mut self) -> Result<Vec<Self>, String> {
        let versions = mem::take(self.versions());
        match (self.has_content(), versions.is_empty()) {
            (true, true) => Ok(vec![self]),
            (true, false) => Err(format!("it has both {} and versions", Self::CONTENT)),
            (false, true) => Err(format!("it has neither {} nor versions", Self::CONTENT)),
            (false, false) => {
                versions.into_iter().map(Self::unfold).collect::<Result<Vec<_>, _>>().and_then(|unfolded| {
                    if unfolded.iter().any(|versions| versions.len() != 1) {
                        return Err("versions inside versions".to_owned());
                    }
                    Ok(unfolded.into_iter().flatten().collect())
                })
            }
        }
    }
}

/// Seconds since 1970 or an RFC 3339 time.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    text.parse()
        .or_else(|_| OffsetDateTime::parse(&text, &Rfc3339).map(OffsetDateTime::unix_timestamp))
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format!("{text} is neither seconds nor an RFC 3339 time")))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_keep_their_order_and_their_attributes() {
        let yaml = "
vaults:
  default:
    secrets:
      ExamplePassword:
        value: 'This message is secret! Do NOT share!'
        contentType: text/plain
        tags: {env: prod}
      number: {value: 0123, exp: 1767225600}
  other:
    secrets:
      rotated:
        versions:
          - {value: old, version: 00000000000000000000000000000001, enabled: false}
          - {value: new, nbf: 2026-01-01T00:00:00Z}
";
        let mut store = Store::default();
        load(yaml, &mut store).unwrap();
        let found = store.vault("default").secrets.get("examplepassword", None).unwrap().version;
        assert_eq!(found.content.content_type.as_deref(), Some("text/plain"));
        assert_eq!(found.tags["env"], "prod");
        let number = store.vault("default").secrets.get("number", None).unwrap().version;
        assert_eq!((number.content.value.as_str(), number.exp), ("0123", Some(1_767_225_600)));
        let other = store.vault("other");
        let newest = other.secrets.get("rotated", None).unwrap().version;
        assert_eq!((newest.content.value.as_str(), newest.nbf), ("new", Some(1_767_225_600)));
        let oldest = other.secrets.get("rotated", Some("00000000000000000000000000000001"));
        assert_eq!(oldest.unwrap_err().inner, Some("SecretDisabled"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("vaults: {v: {secrets: {a: {}}}}", "neither value nor versions"),
            ("vaults: {v: {secrets: {a: {value: x, versions: [{value: y}]}}}}", "both value and versions"),
            ("vaults: {v: {secrets: {a_b: {value: x}}}}", "a_b"),
            ("vaults: {v: {secrets: {a: {value: x, exp: soon}}}}", "soon"),
            ("vaults: {v: {secrets: {a: {valeu: x}}}}", "valeu"),
            ("vaults: {v: {secrets: {a: {versions: [{versions: [{value: x}, {value: y}]}]}}}}", "inside"),
            ("vaults: {v: {keys: {a: {enabled: true}}}}", "neither type nor versions"),
            ("vaults: {v: {keys: {a: {type: P-255}}}}", "P-255"),
        ];
        for (yaml, part) in cases {
            let message = load(yaml, &mut Store::default()).unwrap_err().to_string();
            assert!(message.contains(part), "{yaml}: {message}");
        }
    }
}
