//! `export NAME='value'`: what a POSIX shell reads with `.`; the variables reach what the shell starts.

use super::{Format, Inexpressible, push_quoted};

pub(super) struct Shell;

/// Leaves the quotes, adds one escaped quote, and enters them again: the only way in POSIX shells.
const QUOTE: &[u8] = br"'\''";

impl Format for Shell {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn bound(&self, variable: &str, value: &[u8]) -> usize {
        "export =''\n".len() + variable.len() + value.len() * QUOTE.len()
    }

    fn line(&self, variable: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        out.extend_from_slice(b"export ");
        out.extend_from_slice(variable.as_bytes());
        out.push(b'=');
        push_quoted(value, QUOTE, out);
        out.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn every_value_round_trips_through_the_shell() {
        let values: &[&[u8]] = &[
            b"",
            b"plain",
            b"two words",
            b"it's",
            b"''",
            b"$HOME `id` $(id) \\ \" ! # ; & | <>*?[]{}~",
            b"line one\nline two\n",
            b"\r\n",
            b"\t \xff\xfe",
            "\u{1f511} \u{e9}".as_bytes(),
        ];
        let directory = tempfile::tempdir().unwrap();
        for value in values {
            let mut line = Vec::new();
            Shell.line("SECRET", value, &mut line).unwrap();
            assert!(line.len() <= Shell.bound("SECRET", value));
            let path = directory.path().join("env");
            std::fs::write(&path, &line).unwrap();
            let out = Command::new("/bin/sh")
                .args(["-c", ". \"$1\"; printf '%s.' \"$SECRET\"", "sh"])
                .arg(&path)
                .output()
                .unwrap();
            assert_eq!(out.stdout, [*value, b"."].concat(), "{line:?}");
        }
    }
}
