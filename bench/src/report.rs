//! Prints: headings, the machine's load, Markdown tables.

use std::{
    fs,
    io::{self, Write as _},
};

/// A section's title, with the load before it.
pub fn heading(name: &str) -> io::Result<()> {
    line(&format!("\n## {name}\n"))?;
    load("Before")
}

/// What else is going on; on a shared machine, figures mean nothing without it.
pub fn load(when: &str) -> io::Result<()> {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split(' ').take(3).collect();
    line(&format!("{when}: load {}", averages.join(" ")))
}

/// One line of text.
pub fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// A table. The first column is text, the others are figures.
pub fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut text = format!("\n{caption}\n\n| {} |\n|---", head.join(" | "));
    text.push_str(&"|---:".repeat(head.len() - 1));
    text.push('|');
    for row in rows {
        text.push_str("\n| ");
        text.push_str(&row.join(" | "));
        text.push_str(" |");
    }
    text.push('\n');
    line(&text)
}

/// A figure with as many digits as it deserves.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => group(&format!("{value:.0}")),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// One property of what was measured, or a dash where there is nothing.
pub fn cell<T>(measured: Option<T>, of: fn(&T) -> f64) -> String {
    measured.map_or_else(|| "-".into(), |measured| figure(of(&measured)))
}

/// Commas between groups of three digits.
fn group(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if left.is_multiple_of(3) && text.ends_with(|last: char| last.is_ascii_digit()) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_or_all_before_the_point() {
        let cases =
            [(0.004, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1_234_567.8, "1,234,568")];
        for (value, expected) in cases {
            assert_eq!(figure(value), expected);
        }
        assert_eq!(figure(-123_456.0), "-123,456");
        assert_eq!(figure(-1234.0), "-1,234");
    }
}
