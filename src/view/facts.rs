//! What is told of the parts of an agent, a line each. A part that is not used has no line.

use super::time;
use serde_json::Value;
use std::time::SystemTime;

pub(super) fn of(status: &Value, now: SystemTime) -> Vec<(&'static str, String)> {
    let facts = [
        ("mount", mount(&status["mount"])),
        ("vault", vault(&status["vault"], now)),
        ("set", status["set"].as_str().map(str::to_owned)),
        ("rejected", rejected(&status["rejected"], now)),
        ("rollbacks", status["rollbacks"].as_u64().filter(|count| *count > 0).map(|count| count.to_string())),
        ("child", child(&status["child"], &status["set"], now)),
        ("target", target(&status["target"])),
        ("changes", changes(status)),
        ("reactions", reactions(status)),
        ("proof", proof(status)),
    ];
    let owed = status["owed"].as_array().into_iter().flatten().map(|debt| ("owed", owed(debt)));
    facts.into_iter().chain(owed).filter_map(|(name, fact)| Some((name, fact?))).collect()
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

fn rejected(rejected: &Value, now: SystemTime) -> Option<String> {
    let at = time::told(&rejected["at"], now)?;
    Some(format!("{} since {at}: {}", rejected["set"].as_str()?, rejected["reason"].as_str()?))
}

/// The child, and what it has of the set that is out.
fn child(child: &Value, newest: &Value, now: SystemTime) -> Option<String> {
    let mut facts =
        vec![format!("process {}", child["pid"].as_i64()?), count(&child["restarts"], "restart")?];
    facts.extend(time::told(&child["started"], now).map(|started| format!("started {started}")));
    facts.extend(child["set"].as_str().map(|set| {
        if child["set"] == *newest { "has the newest set".into() } else { format!("has set {set}") }
    }));
    if child["onProbation"] == true {
        facts.push("which has still to prove itself".into());
    }
    Some(facts.join(", "))
}

fn target(target: &Value) -> Option<String> {
    let [name, state, detail] = ["target", "state", "detail"].map(|key| target[key].as_str());
    Some(format!("{}, {}: {}", name?, state?, detail?))
}

fn changes(status: &Value) -> Option<String> {
    Some(format!("{} in {}", status["changes"].as_u64()?, count(&status["passes"], "pass")?))
}

fn reactions(status: &Value) -> Option<String> {
    Some(format!("{} done, {} failed", status["reactions"].as_u64()?, status["failedReactions"].as_u64()?))
}

/// Whether the app was seen to take the changes that it was told of.
fn proof(status: &Value) -> Option<String> {
    let [seen, missed] = ["success", "failure"].map(|key| status["verifications"][key].as_u64());
    let (seen, missed) = (seen?, missed?);
    if seen + missed == 0 {
        return None;
    }
    let why = status["unverified"].as_str().map(|why| format!("; the last time: {why}"));
    Some(format!("{seen} times taken by the app, {missed} times not{}", why.unwrap_or_default()))
}

/// A reaction that is still to be carried out.
fn owed(debt: &Value) -> Option<String> {
    let variables = debt["variables"].as_array()?.iter().filter_map(Value::as_str).collect::<Vec<_>>();
    let why = debt["problem"].as_str().map(|why| format!(": {why}"));
    let reaction = debt["reaction"].as_str()?;
    Some(format!("{reaction}, for {}{}", variables.join(", "), why.unwrap_or_default()))
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
