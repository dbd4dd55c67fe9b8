//! The table as documentation.

use super::table::{Again, Course, FarEnd, Row};
use std::{env, fmt::Write as _, fs, path::Path};

/// Set to anything: writes the table into the document instead of comparing.
const ENV_WRITE: &str = "AKV_TEST_WRITE_DOCS";

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md");

/// Fails if the document has another table.
pub(crate) fn check(rows: &[Row]) {
    let path = Path::new(DOCUMENT);
    let text = fs::read_to_string(path).expect("docs/failures.md");
    let mut wanted = text.clone();
    for far_end in FarEnd::ALL {
        let (begin, end) = marks(far_end);
        let (before, rest) = wanted.split_once(&begin).expect("the mark where the table begins");
        let (_, after) = rest.split_once(&end).expect("the mark where the table ends");
        wanted = format!("{before}{begin}\n\n{}\n{end}{after}", table(rows, far_end));
    }
    if env::var_os(ENV_WRITE).is_some() {
        fs::write(path, wanted).expect("docs/failures.md can be written");
        return;
    }
    let differs = text.lines().zip(wanted.lines()).find(|(is, should)| is != should);
    let (is, should) = differs.unwrap_or_default();
    assert!(
        text == wanted,
        "docs/failures.md differs from tests/failures/rows.rs; with {ENV_WRITE}=1 this test writes it\nis:     \
         {is}\nshould: {should}"
    );
}

fn marks(far_end: FarEnd) -> (String, String) {
    (format!("<!-- begin: {far_end}, written by tests/failures.rs -->"), format!("<!-- end: {far_end} -->"))
}

fn table(rows: &[Row], far_end: FarEnd) -> String {
    let mut out = String::from(
        "| Cause | At start | Exit code | While running | The log says | What to do |\n|---|---|---|---|---|---|\n",
    );
    for row in rows.iter().filter(|row| row.far_end == far_end) {
        let (start, code, running) = match row.course {
            Course::Served => ("goes on", String::new(), "goes on".to_owned()),
            Course::Waits(code, again) => ("waits until `timeout`", code.to_string(), running(again)),
            Course::Ends(code, again) => ("ends at once", code.to_string(), running(again)),
        };
        let says = if row.says.is_empty() { String::new() } else { format!("`{}`", row.says) };
        let _ = writeln!(
            out,
            "| {} | {start} | {code} | {running} | {says} | {} |",
            capitalised(&row.cause.to_string()),
            row.remedy
        );
    }
    out
}

fn running(again: Again) -> String {
    let again = match again {
        Again::BackOff => "back-off",
        Again::Poll => "next poll",
    };
    format!("last good set, {again}")
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().to_string() + characters.as_str())
}
