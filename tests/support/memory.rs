//! What is in another process's memory.

use super::secret;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
};

/// All that `/proc/PID/mem` shows: heap, stacks, data, and what else can be written to.
pub(crate) struct Memory(Vec<Region>);

/// How many bytes of a value are still told from everything else.
const END: usize = 20;

struct Region {
    name: String,
    start: u64,
    bytes: Vec<u8>,
}

impl Memory {
    /// A copy of the memory of a process, taken now. Fails where the kernel does not let us look.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut regions = Vec::new();
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (Some(range), Some(rights)) = (fields.next(), fields.next()) else { continue };
            // Nothing can have been left in what only the kernel writes to.
            if !rights.starts_with("rw") {
                continue;
            }
            let name = fields.nth(3).unwrap_or("anonymous").to_owned();
            let (start, end) = range.split_once('-').expect("a range of addresses");
            let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).expect("an address"));
            let mut bytes = vec![0; usize::try_from(end - start).expect("it fits")];
            // A region may have gone since.
            if memory.read_exact_at(&mut bytes, start).is_ok() {
                regions.push(Region { name, start, bytes });
            }
        }
        Ok(Self(regions))
    }

    /// Where a value is, in any form in which it came or went.
    pub(crate) fn find(&self, value: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (form, needle) in forms(value) {
            for Region { name, start, bytes } in &self.0 {
                for offset in offsets(bytes, &needle) {
                    let around =
                        &bytes[offset.saturating_sub(24)..(offset + needle.len() + 24).min(bytes.len())];
                    let around = String::from_utf8_lossy(around).replace(|c: char| c.is_control(), ".");
                    found.push(format!("{form} in {name} at {:#x}: {around}", start + offset as u64));
                }
            }
        }
        found
    }

    /// Every word of base64url's letters and dots that starts with `prefix`.
    pub(crate) fn words(&self, prefix: &str) -> BTreeSet<String> {
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let regions = self.0.iter().map(|region| region.bytes.as_slice());
        let starts = regions.flat_map(|bytes| offsets(bytes, prefix.as_bytes()).map(|start| &bytes[start..]));
        let words = starts.map(|text| text.iter().copied().take_while(is_letter).collect());
        words.map(|word| String::from_utf8(word).expect("ASCII")).collect()
    }

    /// Whether a value is there as it is.
    pub(crate) fn holds(&self, value: impl AsRef<[u8]>) -> bool {
        self.0.iter().any(|region| offsets(&region.bytes, value.as_ref()).next().is_some())
    }
}

/// As it is, in JSON and in base64, as far as the last two do not depend on what stands before and after.
fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let json = serde_json::to_string(value).expect("text");
    let json = json.trim_matches('"').to_owned();
    // Memory that was used again has lost the beginning at least.
    let end = &value.as_bytes()[value.len().saturating_sub(END)..];
    let mut forms = vec![("as it is", value.as_bytes().to_vec()), ("its end", end.to_vec())];
    if json != value {
        forms.push(("in JSON", json.into_bytes()));
    }
    forms.extend(
        (0..3).map(|skip| ("in base64", super::canary::base64(&value.as_bytes()[skip..]).into_bytes())),
    );
    forms
}

fn offsets<'b>(bytes: &'b [u8], needle: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let mut from = 0;
    std::iter::from_fn(move || {
        let first = *needle.first()?;
        while from + needle.len() <= bytes.len() {
            let found = bytes[from..].iter().position(|byte| *byte == first)? + from;
            from = found + 1;
            if bytes[found..].starts_with(needle) {
                return Some(found);
            }
        }
        None
    })
}

/// A secret that looks different in each of the forms in which one travels.
pub(crate) fn awkward(label: &str) -> String {
    format!("{} \"quoted\"\\ and/\u{e9} and the end of {label}", secret(label))
}
