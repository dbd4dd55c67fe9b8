//! Passes the order of functions to the linker, for the binary that ships; see link/README.md.

use std::{env, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=link/hot-functions.ld");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_ENV", "musl") {
        let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        let script = Path::new(&root).join("link/hot-functions.ld");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
        // A hundred kilobytes of relocations become two; they would all be read at each start.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
