//! Reads `verify`: how to see that an app took a change.

use super::{
    super::{request::checks, setting::Setting, value},
    Proof, Verify,
};
use std::time::Duration;

/// A server that takes longer for a reload is rare, and can be given more.
const DEFAULT_WITHIN: Duration = Duration::from_secs(10);

/// Exactly one proof, and how long it may take.
pub(super) fn verify(setting: &Setting<'_>) -> Option<Verify> {
    let mut fields = setting.fields(&["http", "tcp", "command", "startTime", "within"], &[])?;
    let mut proofs: Vec<_> = checks(&mut fields).into_iter().map(|check| check.map(Proof::Check)).collect();
    if let Some(setting) = fields.take("startTime") {
        proofs.push(setting.flag().map(|()| Proof::StartTime));
    }
    let within =
        fields.take("within").map_or(Some(DEFAULT_WITHIN), |setting| setting.parse(value::time_limit));
    if proofs.len() > 1 || (proofs.is_empty() && fields.is_used_up()) {
        setting.problem("needs exactly one of http, tcp, command and startTime");
        return None;
    }
    Some(Verify { by: proofs.pop()??, within: within? })
}
