//! The properties that the fuzz target checks, on texts that are made of the grammar's own pieces and noise:
//! the same ones in every run.

#[path = "../fuzz/properties/reference.rs"]
mod properties;

use std::{fs, panic, path::Path};

/// Each is parsed under a dozen configurations.
const CASES: u32 = 40_000;

/// Pieces of references, in and out of place.
const PIECES: [&str; 61] = [
    "akv://",
    "AKV://",
    "mount:",
    "@Microsoft.KeyVault(",
    "@microsoft.keyvault(",
    "SecretUri=",
    "VaultName=",
    "SecretName=",
    "SecretVersion=",
    " secretname = ",
    "https://",
    "HTTPS://",
    "http://",
    "myvault",
    "my-vault",
    "ab",
    "abcdefghijklmnopqrstuvwxyz",
    "myvault.vault.azure.net",
    "eu.vault.example",
    "localhost",
    "127.0.0.1",
    "169.254.169.254",
    "evil.example",
    "vault.azure.net.evil.example",
    "evilvault.azure.net",
    ".vault.azure.net",
    ":443",
    ":8443",
    ":0",
    ":65536",
    "user@",
    "secrets",
    "certificates",
    "keys",
    "db-password",
    "db_password",
    "tls.crt",
    "0123456789abcdef0123456789abcdef",
    "0123456789ABCDEF0123456789ABCDE",
    "latest",
    "/",
    "//",
    "/a~1b",
    "leaf",
    "pem",
    "jwk",
    "#",
    "#/",
    "~",
    ";",
    "=",
    "(",
    ")",
    "..",
    ".",
    "..data",
    "%2e",
    "?",
    " ",
    "\n",
    "\u{e4}\u{1f600}\u{85}\u{3000}",
];

/// Whole references, most of which are accepted as they are.
const SHAPES: [&[&str]; 10] = [
    &["akv://", "myvault", "/", "db-password"],
    &["akv://", "myvault.vault.azure.net", ":8443", "/", "secrets", "/", "db-password", "#", "/a~1b"],
    &["akv://", "localhost", "/", "db-password", "/", "0123456789abcdef0123456789abcdef"],
    &["mount:", "tls.crt", "/", "..data"],
    &["db-password", "/", "0123456789abcdef0123456789abcdef", "#", "/a~1b"],
    &["tls.crt", "/", "db_password", "#", ""],
    &["@Microsoft.KeyVault(", "VaultName=", "myvault", ";", "SecretName=", "db-password", ")"],
    &["@Microsoft.KeyVault(", "SecretUri=", "https://", "localhost", "/", "secrets", "/", "db-password", ")"],
    &["akv://", "myvault", "/", "certificates", "/", "db-password", "#", "leaf"],
    &["akv://", "myvault", "/", "keys", "/", "db-password", "#", "jwk"],
];

/// `SplitMix64`: enough to choose pieces, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a usize")
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A shape of which some pieces are exchanged, dropped or doubled, or pieces in any order; then noise.
    fn text(&mut self) -> String {
        let mut text = String::new();
        if self.below(4) == 0 {
            for _ in 0..self.below(12) {
                text.push_str(self.pick(&PIECES));
            }
        } else {
            let shape = SHAPES[self.below(SHAPES.len())];
            for piece in shape {
                match self.below(10) {
                    0 => text.push_str(self.pick(&PIECES)),
                    1 => text += &piece.repeat(self.below(3)),
                    _ => text.push_str(piece),
                }
            }
        }
        while self.below(4) == 0 {
            self.disturb(&mut text);
        }
        text
    }

    fn disturb(&mut self, text: &mut String) {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let Some(&place) = places.get(self.below(places.len() + 1)) else {
            return text.push_str(&"n".repeat(self.below(300)));
        };
        match self.below(3) {
            0 => drop(text.remove(place)),
            1 => text.truncate(place),
            _ => {
                let noise = u32::try_from(self.below(0x300)).expect("a small number");
                text.insert(place, char::from_u32(noise).expect("below the surrogates"));
            }
        }
    }
}

fn check(text: &str) {
    let result = panic::catch_unwind(|| properties::check(text));
    assert!(result.is_ok(), "a property does not hold for {text:?}");
}

#[test]
fn the_properties_hold_for_whatever_comes() {
    let mut random = Random(7);
    for _ in 0..CASES {
        check(&random.text());
    }
}

#[test]
fn the_properties_hold_for_every_seed_of_the_fuzzer() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/reference");
    let mut count = 0;
    for seed in fs::read_dir(&seeds).expect("the seeds are there") {
        let text = fs::read_to_string(seed.expect("an entry").path()).expect("UTF-8");
        check(&text);
        count += 1;
    }
    assert!(count > 20, "{count} seeds in {}", seeds.display());
}
