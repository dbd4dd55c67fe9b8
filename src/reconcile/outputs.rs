//! Puts a set into the outputs, and sees what they say about what the app has missed.

use super::{Parts, Subject};
use crate::{
    config::EnvName,
    output::{self, Found, OutputError, Rendered},
    reaction::process::BootTime,
    snapshot::Snapshot,
};
use std::collections::BTreeSet;

/// What comes of writing the outputs.
pub(super) struct Written {
    /// The variables of which the app is to be told although they did not change just now.
    pub(super) missed: BTreeSet<EnvName>,
    /// When, if that says what an app has read that was started later.
    pub(super) at: Option<BootTime>,
}

/// Writes every output; at the first set only those that are not right already.
///
/// All are rendered before the first is written, so that a value that one format cannot express leaves all
/// of them as they are.
pub(super) fn write(parts: &mut Parts<'_>, snapshot: &Snapshot, first: bool) -> Result<Written, OutputError> {
    let outputs = &parts.config.outputs;
    let rendered: Result<Vec<_>, _> = outputs.iter().map(|output| output::render(output, snapshot)).collect();
    let rendered = rendered?;
    let compare = |rendered: &Rendered| if first { rendered.compare() } else { Found::Stale };
    let found: Vec<_> = rendered.iter().map(compare).collect();
    // (A child of ours has not started yet.)
    let missed = match parts.subject {
        Subject::Target(_) if first => parts.state.missed(snapshot, found.contains(&Found::Stale)),
        _ => BTreeSet::new(),
    };
    let mut is_news = false;
    for (rendered, _) in rendered.iter().zip(found).filter(|(_, found)| *found != Found::Current) {
        rendered.write()?;
        is_news = true;
    }
    let is_proof = is_news && outputs.iter().all(|output| output.format.is_for_the_app());
    Ok(Written { missed, at: is_proof.then(BootTime::now).and_then(Result::ok) })
}
