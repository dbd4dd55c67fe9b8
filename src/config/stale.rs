//! `staleMount`: how long a mount may stay behind the vault, and what follows.

use super::{
    StaleMount, Trusted,
    setting::{Setting, Written},
    value,
};
use std::time::Duration;

/// How long a healthy mount may stay behind, with room for failed rounds of the driver. One that republishes
/// by the kubelet fetches at most 3 min 30 s after a change in the vault (files younger than 2 min are left
/// alone, and it comes by every 60 to 90 s), one with a reconciler of its own after its interval of 2 min and
/// its walk over the node. Both intervals are often set to 5 min.
const DEFAULT_AFTER: Duration = Duration::from_secs(10 * 60);

/// A report is the default; which value the app gets does not change by itself.
pub(super) const DEFAULT: StaleMount = StaleMount { after: DEFAULT_AFTER, use_: Trusted::Mount };

/// `{after, use}`, `DURATION[:mount|vault]`, or `off`.
pub(super) fn read(setting: &Setting<'_>) -> Option<StaleMount> {
    let (after, use_) = if let Written::Text(text) = setting.written {
        if value::is_off(text) {
            return None;
        }
        let (after, use_) = text.split_once(':').map_or((text, None), |(after, use_)| (after, Some(use_)));
        (
            setting.parse(|_| value::time_limit(after.trim())),
            use_.map(|use_| setting.parse(|_| trusted(use_.trim()))),
        )
    } else {
        let mut fields = setting.fields(&["after", "use"], &[])?;
        (
            fields.take("after").map_or(Some(DEFAULT_AFTER), |setting| setting.parse(value::time_limit)),
            fields.take("use").map(|setting| setting.parse(trusted)),
        )
    };
    Some(StaleMount { after: after?, use_: use_.unwrap_or(Some(DEFAULT.use_))? })
}

fn trusted(text: &str) -> Result<Trusted, &'static str> {
    match text {
        "mount" => Ok(Trusted::Mount),
        "vault" => Ok(Trusted::Vault),
        _ => Err("unknown source; use mount or vault"),
    }
}
