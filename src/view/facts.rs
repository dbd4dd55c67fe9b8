//! What is told of the parts of an agent, a line each. A part that is not used has no line.

use super::time;
use serde_json::Value;
use std::time::SystemTime;

pub(super) fn of(status: &Value, now: SystemTime) -> Vec<(&'static str, String)> {
    let facts = [
        ("mount", mount(&status["mount"])),
        ("vault", vault(&status["vault"], now)),
        ("child", child(&status["child"])),
        ("changes", changes(status)),
        ("reactions", reactions(status)),
    ];
    facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect()
}

fn mount(mount: &Value) -> Option<String> {
    let watch = match mount["watch"].as_str()? {
        "inotify" => "watched",
        _ => "read again and again, as changes are not told reliably",
    };
    Some(match mount["generation"].as_str() {
        Some(generation) => format!("{watch}, now {generation}"),
        None => watch.into(),
    })
}

fn vault(vault: &Value, now: SystemTime) -> Option<String> {
    let requests = count(&vault["requests"], "request")?;
    let last = time::told(&vault["lastSuccess"], now).unwrap_or_else(|| "never".into());
    Some(format!("{requests}, last with success {last}"))
}

fn child(child: &Value) -> Option<String> {
    let restarts = count(&child["restarts"], "restart")?;
    Some(format!("process {}, {restarts}", child["pid"].as_i64()?))
}

fn changes(status: &Value) -> Option<String> {
    Some(format!("{} in {}", status["changes"].as_u64()?, count(&status["passes"], "pass")?))
}

fn reactions(status: &Value) -> Option<String> {
    Some(format!("{} done, {} failed", status["reactions"].as_u64()?, status["failedReactions"].as_u64()?))
}

fn count(number: &Value, of: &str) -> Option<String> {
    let number = number.as_u64()?;
    let plural = match (number, of.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    Some(format!("{number} {of}{plural}"))
}
