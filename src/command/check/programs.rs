//! Whether the programs are there that a change leads to: looked for as they are when they are run, and not run.

use super::Report;
use crate::{
    config::{Check, Command, Config, Proof, Reaction, Use},
    failure::Class,
    job,
    program::{environment::inherited, spawn::StartError},
};

/// A program, what it is, and who would run it.
type Wanted<'c> = (&'static [Use], &'static str, &'c Command);

/// `init` reacts to nothing, and has no child.
const WHO_REACTS: &[Use] = &[Use::Sidecar, Use::Exec];
const WHO_HAS_A_CHILD: &[Use] = &[Use::Exec];

/// Looks for those that one of `uses` would run.
pub(super) fn look(config: &Config, uses: &[Use], report: &mut Report) {
    let inherited = inherited(std::env::vars_os());
    let mut seen = Vec::new();
    for (who, what, command) in wanted(config) {
        let who: Vec<String> = who.iter().filter(|who| uses.contains(who)).map(Use::to_string).collect();
        let who = who.join(", ");
        if who.is_empty() || seen.contains(&(what, &command.argv[0])) {
            continue;
        }
        seen.push((what, &command.argv[0]));
        match job::find(command, &inherited) {
            Ok(file) => report.good(format_args!("{who}: {what} is {}", file.display())),
            Err(error) => {
                report.bad(class(&error), format_args!("{who}: {what} cannot be run: {error}"));
            }
        }
    }
}

fn wanted(config: &Config) -> Vec<Wanted<'_>> {
    let mut wanted = Vec::new();
    for rule in &config.on_change {
        if let Reaction::Command(command) = &rule.reaction {
            wanted.push((WHO_REACTS, "the command of onChange", command));
        }
        if let Some(Proof::Check(Check::Command(command))) = rule.reaction.verify().map(|verify| &verify.by) {
            wanted.push((WHO_REACTS, "the command of verify", command));
        }
    }
    let check = config.exec.probation.as_ref().and_then(|probation| probation.check.as_ref());
    if let Some(Check::Command(command)) = check {
        wanted.push((WHO_HAS_A_CHILD, "the check of probation", command));
    }
    wanted
}

fn class(error: &StartError) -> Class {
    match error {
        StartError::NotFound(_) => Class::Unavailable,
        StartError::NotExecutable { .. } | StartError::NoProcess { .. } => Class::Permission,
    }
}
