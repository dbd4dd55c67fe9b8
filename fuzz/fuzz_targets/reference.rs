//! Feeds the parser of references; what it must hold to is in `properties/reference.rs`.

#![no_main]

#[path = "../properties/reference.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::check(text));
