//! What is shown when a test fails: all that the test saw of the agent.

use super::Workdir;
use std::fmt::Write as _;

/// The agent's command line, the names of its variables (their values may be secrets), and its files.
pub(super) struct Scene<'a> {
    pub(super) command: &'a str,
    pub(super) variables: &'a [String],
    pub(super) work: &'a Workdir,
    pub(super) ended: Option<&'a str>,
    pub(super) out: &'a str,
    pub(super) err: &'a str,
}

impl Scene<'_> {
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "command: {}", self.command);
        let _ = writeln!(text, "environment: {}", self.variables.join(" "));
        let _ = writeln!(text, "it {}", self.ended.unwrap_or("runs"));
        let _ = writeln!(text, "files:\n{}", self.work.listing());
        let _ = writeln!(text, "standard output:\n{}", indented(self.out));
        let _ = writeln!(text, "standard error:\n{}", indented(self.err));
        text
    }
}

pub(super) fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| out + "  " + line + "\n")
}
