//! One field of a JSON document, by JSON Pointer (RFC 6901).
//!
//! The document is walked as text, never turned into a tree: numbers and nested documents come out exactly
//! as they were written, and no copy of a secret is left behind in a parser's memory.

use super::{JsonPointer, ReferenceError, piece::Piece};
use crate::secret::SecretValue;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, str, sync::Arc};

const START: &str = "a JSON pointer starting with `/`, or nothing";
const ESCAPE: &str = "`0` or `1` after `~` in a JSON pointer";

/// Why a value has no such field. Nothing of the value is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The value is not text at all.
    #[error("the value is not JSON (it is not UTF-8 text)")]
    NotText,
    /// The value does not parse.
    #[error("the value is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line, the first being 1.
        line: usize,
        /// Column as the parser counts it.
        column: usize,
    },
    /// The pointer leads nowhere.
    #[error("the JSON has nothing at step {step} of the pointer")]
    Missing {
        /// Which step of the pointer failed, the first being 1.
        step: usize,
    },
    /// The field is there, and null: an app would not expect the text `null`.
    #[error("the JSON field is null")]
    Null,
    /// A string that has no UTF-8 form.
    #[error("the JSON field holds half of a surrogate pair, which is no character")]
    LoneSurrogate,
}

impl JsonPointer {
    /// Checks the syntax: empty, or steps that each start with `/`, with `~0` for `~` and `~1` for `/`.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Self::from_piece(Piece::new(text))
    }

    pub(super) fn from_piece(piece: Piece<'_>) -> Result<Self, ReferenceError> {
        let text = piece.text();
        if !text.is_empty() && !text.starts_with('/') {
            return Err(piece.malformed(0, START));
        }
        for (offset, _) in text.match_indices('~') {
            if !matches!(text.as_bytes().get(offset + 1), Some(b'0' | b'1')) {
                return Err(piece.malformed(offset + 1, ESCAPE));
            }
        }
        Ok(Self(Arc::from(text)))
    }

    /// The field of `value` that this points to: the text of a string; anything else as it was written,
    /// without white space between its parts.
    pub fn apply(&self, value: &SecretValue) -> Result<SecretValue, FieldError> {
        let text = str::from_utf8(value.expose()).map_err(|_| FieldError::NotText)?;
        let mut found: &RawValue = serde_json::from_str(text)
            .map_err(|error| FieldError::NotJson { line: error.line(), column: error.column() })?;
        for (index, step) in self.0.split('/').skip(1).enumerate() {
            let step = step.replace("~1", "/").replace("~0", "~");
            found = child(found, &step).ok_or(FieldError::Missing { step: index + 1 })?;
        }
        let text = found.get();
        match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(escaped) => unescape(escaped).map(SecretValue::new).ok_or(FieldError::LoneSurrogate),
            None if text == "null" => Err(FieldError::Null),
            None => Ok(SecretValue::new(compact(text))),
        }
    }
}

/// The value behind one step. A repeated key counts as most readers count it: the last one wins.
fn child<'a>(parent: &'a RawValue, step: &str) -> Option<&'a RawValue> {
    let mut reader = serde_json::Deserializer::from_str(parent.get());
    match parent.get().as_bytes().first() {
        Some(b'{') => reader.deserialize_map(Child(step)).ok()?,
        Some(b'[') => reader.deserialize_seq(Child(step)).ok()?,
        _ => None,
    }
}

struct Child<'s>(&'s str);

impl<'de> Visitor<'de> for Child<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(KeyIs(self.0))? {
            if wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let is_number = self.0.bytes().all(|byte| byte.is_ascii_digit());
        let is_canonical = self.0 == "0" || !self.0.starts_with('0');
        let wanted = self.0.parse::<usize>().ok().filter(|_| is_number && is_canonical);
        let (mut found, mut index) = (None, 0);
        while let Some(item) = seq.next_element()? {
            if wanted == Some(index) {
                found = Some(item);
            }
            index += 1;
        }
        Ok(found)
    }
}

/// Compares a key in the parser's own memory, so that no key is copied.
struct KeyIs<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// The text of a JSON string that has been checked already. Written by hand because a parser would leave
/// its scratch copy of the secret in freed memory; the result never outgrows its first allocation.
fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(backslash) = rest.find('\\') {
        text.extend_from_slice(&rest.as_bytes()[..backslash]);
        let escape = *rest.as_bytes().get(backslash + 1)?;
        rest = rest.get(backslash + 2..)?;
        let c = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = code_unit(&mut rest)?;
                let second = if (0xD800..0xDC00).contains(&first) {
                    rest = rest.strip_prefix("\\u")?;
                    Some(code_unit(&mut rest)?)
                } else {
                    None
                };
                char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?
            }
            itself => char::from(itself),
        };
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    text.extend_from_slice(rest.as_bytes());
    Some(text)
}

/// Takes the four digits of `\u`.
fn code_unit(rest: &mut &str) -> Option<u16> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u16::from_str_radix(digits, 16).ok()
}

/// `json` without white space outside strings.
fn compact(json: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_string || !byte.is_ascii_whitespace() {
            text.push(byte);
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(pointer: &str, json: &str) -> Result<String, FieldError> {
        let value = JsonPointer::parse(pointer).expect(pointer).apply(&SecretValue::new(json))?;
        Ok(String::from_utf8(value.expose().to_vec()).expect("UTF-8"))
    }

    #[test]
    fn each_field_comes_out_as_it_was_written() {
        const JSON: &str = r#" {"text": "p\u00e4ss\n\"\/\ud83d\ude00", "empty": "", "int": 9007199254740993,
            "float": 1.50e+2, "yes": true, "no": false,
            "b": {"z" : 1, "a" : [ 1 , "x y\\\" [" , { } ] }, "list": ["zero", "one", [ "deep" ]],
            "": "no name", "a/b": "slash", "m~n": "tilde", "~1": "both", "\u006bey": "escaped key",
            "again": 1, "again": 2, "0": "digit key"} "#;
        let table = [
            ("/text", "p\u{e4}ss\n\"/\u{1f600}"),
            ("/empty", ""),
            ("/int", "9007199254740993"),
            ("/float", "1.50e+2"),
            ("/yes", "true"),
            ("/no", "false"),
            ("/b", r#"{"z":1,"a":[1,"x y\\\" [",{}]}"#),
            ("/b/a/1", "x y\\\" ["),
            ("/list/0", "zero"),
            ("/list/2/0", "deep"),
            ("/", "no name"),
            ("/a~1b", "slash"),
            ("/m~0n", "tilde"),
            ("/~01", "both"),
            ("/key", "escaped key"),
            ("/again", "2"),
            ("/0", "digit key"),
        ];
        for (pointer, expected) in table {
            assert_eq!(apply(pointer, JSON).as_deref(), Ok(expected), "{pointer}");
        }
        assert_eq!(apply("", " [ 1 , 2 ] ").as_deref(), Ok("[1,2]"));
        assert_eq!(apply("", r#""text""#).as_deref(), Ok("text"));
    }

    #[test]
    fn every_escape_is_read() {
        let json = r#"["\"\\\/\b\f\n\r\t\u0041\u20ac end"]"#;
        assert_eq!(apply("/0", json).as_deref(), Ok("\"\\/\u{8}\u{c}\n\r\tA\u{20ac} end"));
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error() {
        let json = r#"{"a": {"b": null}, "list": ["x"], "half": "\ud800", "pair": "\ud800\u0041"}"#;
        let missing = |step| Err(FieldError::Missing { step });
        for (pointer, expected) in [
            ("/c", missing(1)),
            ("/a/c", missing(2)),
            ("/a/b", Err(FieldError::Null)),
            ("/a/b/c", missing(3)),
            ("/list/1", missing(2)),
            ("/list/-", missing(2)),
            ("/list/00", missing(2)),
            ("/list/+0", missing(2)),
            ("/list/", missing(2)),
            ("/list/0/0", missing(3)),
            ("/A", missing(1)),
            ("/half", Err(FieldError::LoneSurrogate)),
            ("/pair", Err(FieldError::LoneSurrogate)),
        ] {
            assert_eq!(apply(pointer, json), expected, "{pointer}");
        }
    }

    #[test]
    fn a_value_that_is_not_json_is_not_shown() {
        let canary = "canary-7-canary";
        for json in [
            canary.to_owned(),
            format!("{{\"a\": {canary}}}"),
            format!("{{\"a\": \"{canary}}}"),
            format!("{{\"{canary}\" 1}}"),
            format!("{{\"a\": \"{canary}\"}} {canary}"),
            format!("\n\n\"{canary}\\q\""),
            String::new(),
        ] {
            let error = apply("/a", &json).expect_err(&json);
            assert!(matches!(error, FieldError::NotJson { .. }), "{error:?}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        assert_eq!(apply("/a", "{\n  x}"), Err(FieldError::NotJson { line: 2, column: 3 }));
        let binary = SecretValue::new(vec![b'"', 0xff, b'"']);
        let pointer = JsonPointer::parse("").expect("the whole");
        assert_eq!(pointer.apply(&binary), Err(FieldError::NotText));
    }
}
