//! The status as people read it: the page and `akv-agent status` show the same, made from the same JSON.
//!
//! Made from the JSON and not from [`crate::status::Status`], because one of the two has nothing else. What is
//! told here is decided in [`View::of`] alone; the rest is how it looks.

mod facts;
mod text;
mod time;

use serde_json::Value;
use std::time::SystemTime;

/// What stands above the columns of [`View::variables`].
pub const COLUMNS: [&str; 6] = ["variable", "source", "version", "changed", "expires", "note"];

/// What stands where there is nothing to tell.
const NOTHING: &str = "-";

/// What there is to see of an agent.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    /// Which use, and which version of the agent.
    pub title: String,
    /// Whether the first complete set is out.
    pub ready: bool,
    /// What is told of the parts, each with its name.
    pub facts: Vec<(&'static str, String)>,
    /// A row a variable, with a cell for each of [`COLUMNS`].
    pub variables: Vec<[String; COLUMNS.len()]>,
    /// What is wrong at present.
    pub problems: Vec<String>,
    /// What `envFrom` left out.
    pub skipped: Vec<String>,
}

impl View {
    /// What `status` says at `now`; `None` if that is not an agent's status.
    pub fn of(status: &Value, now: SystemTime) -> Option<Self> {
        let variables = status["variables"].as_object()?;
        Some(Self {
            title: format!("{} {}", status["use"].as_str()?, status["version"].as_str()?),
            ready: status["ready"].as_bool()?,
            facts: facts::of(status, now),
            variables: variables.iter().map(|(name, variable)| row(name, variable, now)).collect(),
            problems: lines(&status["problems"]),
            skipped: lines(&status["skipped"]),
        })
    }

    /// Whether the agent is ready, in words.
    pub fn readiness(&self) -> &'static str {
        if self.ready { "ready" } else { "not ready: the first complete set is not there yet" }
    }
}

fn row(name: &str, variable: &Value, now: SystemTime) -> [String; COLUMNS.len()] {
    let text = |key: &str| variable[key].as_str().unwrap_or(NOTHING).to_owned();
    let at = |key: &str| time::told(&variable[key], now).unwrap_or_else(|| NOTHING.into());
    [name.into(), text("source"), text("version"), at("changed"), at("expires"), note(variable, now)]
}

/// What is unusual about a variable.
fn note(variable: &Value, now: SystemTime) -> String {
    let mut notes = Vec::new();
    if let Some(problem) = variable["problem"].as_str() {
        notes.push(format!("only the last good value: {problem}"));
    }
    let behind = time::told(&variable["behindSince"], now);
    match (variable["stale"] == true, behind) {
        (true, since) => notes.push(format!("stale, behind the vault since {}", since.unwrap_or_default())),
        (false, Some(since)) => notes.push(format!("behind the vault since {since}")),
        (false, None) => {}
    }
    if notes.is_empty() { NOTHING.into() } else { notes.join("; ") }
}

fn lines(list: &Value) -> Vec<String> {
    let lines = list.as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
