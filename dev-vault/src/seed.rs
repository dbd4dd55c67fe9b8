//! The YAML file that a dev vault can start from.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::store::{Attributes, NewVersion, Store};

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
}

/// Either the members of one version, or a list of versions from the oldest to the newest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Secret {
    value: Option<String>,
    version: Option<String>,
    content_type: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "instant")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "instant")]
    exp: Option<i64>,
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    versions: Vec<Secret>,
}

/// Puts everything that the YAML text lists into the store, or says what it cannot accept.
pub(crate) fn load(yaml: &str, store: &mut Store) -> io::Result<()> {
    let seed: Seed = serde_saphyr::from_str(yaml).map_err(|error| invalid(error.to_string()))?;
    for (vault_name, vault) in seed.vaults {
        for (name, secret) in vault.secrets {
            let refused = |reason: &str| invalid(format!("vault {vault_name}, secret {name}: {reason}"));
            for new in secret.versions().map_err(&refused)? {
                store.vault(&vault_name).set(&name, new).map_err(|error| refused(&error.to_string()))?;
            }
        }
    }
    Ok(())
}

impl Secret {
    fn versions(self) -> Result<Vec<NewVersion>, &'static str> {
        match (self.value.is_some(), self.versions.is_empty()) {
            (true, true) => Ok(vec![self.into_version()]),
            (false, false) if self.versions.iter().all(|one| one.versions.is_empty()) => {
                Ok(self.versions.into_iter().map(Self::into_version).collect())
            }
            (false, false) => Err("versions inside versions"),
            (false, true) => Err("it has neither value nor versions"),
            (true, false) => Err("it has both value and versions"),
        }
    }

    fn into_version(self) -> NewVersion {
        NewVersion {
            value: self.value,
            content_type: self.content_type,
            attributes: Some(Attributes { enabled: self.enabled, nbf: self.nbf, exp: self.exp }),
            tags: self.tags,
            version: self.version,
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
        let found = store.vault("default").get("examplepassword", None).unwrap().version;
        assert_eq!(found.content_type.as_deref(), Some("text/plain"));
        assert_eq!(found.tags["env"], "prod");
        let number = store.vault("default").get("number", None).unwrap().version;
        assert_eq!((number.value.as_str(), number.exp), ("0123", Some(1_767_225_600)));
        let other = store.vault("other");
        let newest = other.get("rotated", None).unwrap().version;
        assert_eq!((newest.value.as_str(), newest.nbf), ("new", Some(1_767_225_600)));
        let oldest = other.get("rotated", Some("00000000000000000000000000000001"));
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
        ];
        for (yaml, part) in cases {
            let message = load(yaml, &mut Store::default()).unwrap_err().to_string();
            assert!(message.contains(part), "{yaml}: {message}");
        }
    }
}
