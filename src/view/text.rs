//! A view in plain text, for a terminal.

use super::{COLUMNS, View};
use std::fmt::{self, Write as _};

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}", self.title, self.readiness())?;
        let facts: Vec<_> =
            self.facts.iter().map(|(name, fact)| [(*name).to_owned(), fact.clone()]).collect();
        aligned(f, &facts)?;
        if !self.variables.is_empty() {
            writeln!(f)?;
            let mut rows = vec![COLUMNS.map(str::to_uppercase)];
            rows.extend(self.variables.iter().cloned());
            aligned(f, &rows)?;
        }
        for (what, lines) in [("problem", &self.problems), ("skipped", &self.skipped)] {
            if !lines.is_empty() {
                writeln!(f)?;
            }
            lines.iter().try_for_each(|line| writeln!(f, "{what}: {}", harmless(line)))?;
        }
        Ok(())
    }
}

/// Columns as wide as what is in them, two spaces apart; the last one ends where its text does.
fn aligned<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| harmless(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            write!(line, "{cell:width$}  ")?;
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What a terminal would take for an order is shown, not sent.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}
