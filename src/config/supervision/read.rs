//! Reads `exec`, `probation` and `restartBudget`.

use super::{
    super::{
        reaction::stop,
        request::checks,
        setting::{Setting, Written},
        signal, value,
    },
    Check, Exec, Probation, Recipients, RestartBudget, RestartPolicy, Socket,
};
use std::time::Duration;

/// How the child is run; what stands in settings of their own is left at its default.
pub(in crate::config) fn exec(setting: &Setting<'_>) -> Option<Exec> {
    let keys = ["signals", "grace", "restartPolicy", "parentDeathSignal", "listen"];
    let mut fields = setting.fields(&keys, &[])?;
    let default = Exec::default();
    let signals = fields.take("signals").map_or(Some(default.signals), |setting| setting.parse(recipients));
    let grace = fields.take("grace").map_or(Some(default.grace), |setting| {
        setting.parse(|text| if value::is_off(text) { Ok(None) } else { value::duration(text).map(Some) })
    });
    let restart_policy =
        fields.take("restartPolicy").map_or(Some(default.restart_policy), |setting| setting.parse(policy));
    let parent_death_signal =
        fields.take("parentDeathSignal").map_or(Some(default.parent_death_signal), |setting| {
            setting.parse(|text| if value::is_off(text) { Ok(None) } else { signal::stop(text).map(Some) })
        });
    let listen = fields.take("listen").map_or(Some(default.listen), sockets);
    Some(Exec {
        signals: signals?,
        grace: grace?,
        restart_policy: restart_policy?,
        parent_death_signal: parent_death_signal?,
        listen: listen?,
        probation: default.probation,
        budget: default.budget,
    })
}

fn recipients(text: &str) -> Result<Recipients, &'static str> {
    match text {
        "child" => Ok(Recipients::Child),
        "group" => Ok(Recipients::Group),
        _ => Err("unknown recipients; use child or group"),
    }
}

/// In any case: Kubernetes writes `OnFailure`, and Compose `on-failure`.
fn policy(text: &str) -> Result<RestartPolicy, &'static str> {
    match text.replace('-', "").to_ascii_lowercase().as_str() {
        "never" => Ok(RestartPolicy::Never),
        "onfailure" => Ok(RestartPolicy::OnFailure),
        "always" => Ok(RestartPolicy::Always),
        _ => Err("unknown policy; use Never, OnFailure or Always"),
    }
}

/// One socket or a list of them.
fn sockets(setting: Setting<'_>) -> Option<Vec<Socket>> {
    let mut sockets: Vec<Option<Socket>> = Vec::new();
    for setting in setting.items() {
        let socket = setting.parse(value::handed_socket);
        if let Some(socket) = &socket
            && sockets.iter().flatten().any(|other| other.endpoint == socket.endpoint)
        {
            setting.problem("another socket listens there as well; keep one");
        }
        sockets.push(socket);
    }
    sockets.into_iter().collect()
}

/// `off`, how long, or a mapping with what differs from the defaults. `None` means off, or that a problem was
/// reported.
pub(in crate::config) fn probation(setting: &Setting<'_>) -> Option<Probation> {
    let default = Probation::default();
    if let Written::Text(text) = setting.written {
        return if value::is_off(text) {
            None
        } else {
            Some(Probation { time: setting.parse(value::time_limit)?, ..default })
        };
    }
    let mut fields = setting.fields(&["for", "check", "interval", "stop"], &[])?;
    let mut duration =
        |key, default| fields.take(key).map_or(Some(default), |setting| setting.parse(value::time_limit));
    let (time, interval) = (duration("for", default.time), duration("interval", default.interval));
    let stop = fields.take("stop").map_or(Some(default.stop), |setting| stop(&setting));
    let check = match fields.take("check") {
        None => Some(None),
        Some(setting) => check(&setting).map(Some),
    };
    Some(Probation { time: time?, check: check?, interval: interval?, stop: stop? })
}

fn check(setting: &Setting<'_>) -> Option<Check> {
    let mut fields = setting.fields(&["http", "tcp", "command"], &[])?;
    let mut checks = checks(&mut fields);
    if checks.len() > 1 || (checks.is_empty() && fields.is_used_up()) {
        setting.problem("needs exactly one of http, tcp and command");
        return None;
    }
    checks.pop()?
}

/// `off`, or a mapping with what differs from the defaults. `None` means off, or that a problem was reported.
pub(in crate::config) fn budget(setting: &Setting<'_>) -> Option<RestartBudget> {
    const EXPECTED: &str = "write off, or a mapping with free, first, longest and calm";
    if let Written::Text(_) = setting.written {
        return setting.parse(|text| if value::is_off(text) { Ok(None) } else { Err(EXPECTED) })?;
    }
    let mut fields = setting.fields(&["free", "first", "longest", "calm"], &[])?;
    let default = RestartBudget::default();
    let free = fields.take("free").map_or(Some(default.free), |setting| setting.parse(value::count));
    // Those that are not given make room for those that are.
    let mut at_least = |key, default: Duration, least: (&str, Duration)| match fields.take(key) {
        None => Some(default.max(least.1)),
        Some(setting) => {
            let duration = setting.parse(value::time_limit)?;
            if duration < least.1 {
                setting.problem(format_args!("shorter than {}; make it at least as long", least.0));
            }
            Some(duration)
        }
    };
    let first = at_least("first", default.first, ("", Duration::ZERO));
    let longest = at_least("longest", default.longest, ("first", first.unwrap_or_default()));
    let calm = at_least("calm", default.calm, ("longest", longest.unwrap_or_default()));
    Some(RestartBudget { free: free?, first: first?, longest: longest?, calm: calm? })
}
