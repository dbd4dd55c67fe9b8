//! Secrets that can be recognised, in the forms in which a program could let them out by accident.

use std::sync::OnceLock;

/// In every secret of every test, and in nothing else.
const MARKER: &str = "canary-7f3a";

/// A secret value that differs for every label.
pub(crate) fn secret(label: &str) -> String {
    format!("{MARKER}-{label}")
}

/// Fails if `text`, which everybody may read, holds a secret in some form.
pub(crate) fn assert_clean(what: &str, text: &str) {
    let folded = text.to_ascii_lowercase();
    for form in forms() {
        let found = if form.any_case { folded.contains(&form.needle) } else { text.contains(&form.needle) };
        assert!(!found, "a secret value ({}) is in {what}:\n{text}", form.name);
    }
}

struct Form {
    name: &'static str,
    needle: String,
    any_case: bool,
}

fn forms() -> &'static [Form] {
    static FORMS: OnceLock<Vec<Form>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let bytes = MARKER.as_bytes();
        let each = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<Vec<_>>();
        let mut forms = vec![
            Form { name: "as it is", needle: MARKER.into(), any_case: true },
            Form { name: "percent-encoded", needle: MARKER.replace('-', "%2d"), any_case: true },
            Form {
                name: "percent-encoded throughout",
                needle: each(|byte| format!("%{byte:02x}")).concat(),
                any_case: true,
            },
            Form { name: "hexadecimal", needle: each(|byte| format!("{byte:02x}")).concat(), any_case: true },
            Form { name: "list of bytes", needle: each(u8::to_string).join(", "), any_case: false },
        ];
        // What stands before the marker decides how its bytes fall into base64's groups of three.
        for skip in 0..3 {
            forms.push(Form { name: "base64", needle: base64(&bytes[skip..]), any_case: false });
        }
        forms
    })
}

/// The whole groups of three only, since the last one depends on what follows.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks_exact(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        out.extend([18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63])));
    }
    out
}
