//! `check`: reads everything once and says what would happen and what would fail. Changes nothing, and
//! shows no value.

mod programs;
mod sockets;

use crate::{
    background::Background,
    config::{self, Args, Binding, Config, Lookup as _, ProcessEnvironment, Rule, Use},
    failure::{Class, ExitCode, Failure, chain},
    output::{self, Found},
    reaction::preflight::{Outlook, preflight},
    reference::Origin,
    snapshot::{Observed, Resolved, Snapshot},
    source::{
        observe::{Sources, wanted_files},
        vault::{VaultSettings, VaultSource, Wanted},
    },
    stale,
    state::{self, file::LoadError},
    wake::WakeReceiver,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{AccessFlags, access},
};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    os::fd::AsFd,
    time::{Duration, Instant},
};

/// Somebody waits for the answer; what is not there by then is reported as it stands.
const LONGEST: Duration = Duration::from_secs(30);

/// Findings, one line each, and the worst of them.
#[derive(Debug, Default)]
struct Report {
    text: String,
    worst: Option<Class>,
}

impl Report {
    fn good(&mut self, what: impl std::fmt::Display) {
        let _ = writeln!(self.text, "ok    {what}");
    }

    fn note(&mut self, what: impl std::fmt::Display) {
        let _ = writeln!(self.text, "use   {what}");
    }

    fn aside(&mut self, what: impl std::fmt::Display) {
        let _ = writeln!(self.text, "note  {what}");
    }

    fn bad(&mut self, class: Class, what: impl std::fmt::Display) {
        let _ = writeln!(self.text, "FAIL  {what}");
        self.worst = self.worst.max(Some(class));
    }
}

/// Checks the configuration against the world.
pub(super) fn run(options: &Args) -> Result<ExitCode, Failure> {
    super::agent::forbid_core_dumps()?;
    let mut config = config::load(options, &ProcessEnvironment)?;
    let inline = config::inline(&config, &ProcessEnvironment)?;
    let mut report = Report::default();
    let uses = uses(&config, !inline.is_empty(), &mut report);
    config.add(inline);
    let (snapshot, is_complete) = variables(&config, &mut report)?;
    outputs(&config, &snapshot, is_complete, &mut report);
    state(&config, &mut report);
    target(&config, &mut report);
    programs::look(&config, &uses, &mut report);
    if uses.contains(&Use::Exec) {
        sockets::look(&config.exec.listen, &mut report);
    }
    super::print(&report.text)?;
    Ok(report.worst.map_or(ExitCode::OK, Class::exit_code))
}

/// For which of the uses the configuration is good, and what a change would lead to. One that is good for
/// one of them is enough.
fn uses(config: &Config, has_inline: bool, report: &mut Report) -> Vec<Use> {
    let mut good = Vec::new();
    for use_ in [Use::Init, Use::Sidecar, Use::Exec] {
        let reaction = match (use_, config.on_change.as_slice()) {
            (Use::Init, _) => "ends after its first set".to_owned(),
            (_, []) => format!("on a change: {}", super::agent::default_reaction(use_)),
            (_, rules) => {
                let rule = |rule: &Rule| {
                    let mut text = rule.reaction.to_string();
                    if let Some(verify) = rule.reaction.verify() {
                        let _ = write!(text, ", verified by {verify}");
                    }
                    if !rule.when.is_empty() {
                        let _ = write!(text, ", for {}", rule.when.join(" "));
                    }
                    text
                };
                format!("on a change: {}", rules.iter().map(rule).collect::<Vec<_>>().join("; "))
            }
        };
        match config.check_for(use_) {
            Ok(()) if use_ == Use::Exec && has_inline => {
                report.note(format_args!("{use_}: also resolves what the environment refers to; {reaction}"));
                good.push(use_);
            }
            Ok(()) => {
                report.note(format_args!("{use_}: {reaction}"));
                good.push(use_);
            }
            Err(failure) => report.note(format_args!("{use_}: not with this configuration: {failure}")),
        }
    }
    good
}

/// Resolves every variable; says whether none is missing.
fn variables(config: &Config, report: &mut Report) -> Result<(Snapshot, bool), Failure> {
    let wake = WakeReceiver::new()
        .map_err(|error| Failure::new(Class::Bug, format!("cannot make an eventfd: {error}")))?;
    let mut background = Background::new(wake.waker());
    let wanted = Wanted::of(config);
    let mut vault = None;
    if !wanted.is_empty() {
        let settings = VaultSettings::new(config, &|name| ProcessEnvironment.text(name))?;
        let source = VaultSource::start(&settings, &wanted, BTreeSet::new(), &mut background, wake.waker())?;
        wait_for_first_round(&source, &wake, config.timeout.min(LONGEST));
        vault = Some(source);
    }
    let mut sources = Sources::new(config.mount.as_deref(), wanted_files(&config.env), vault);
    let observed = sources.observe();
    let Resolved { snapshot, missing } = Snapshot::resolve(config, &observed);
    for entry in &snapshot.entries {
        report.good(format_args!("{} <- {}", entry.variable, entry.provenance));
    }
    for skipped in &snapshot.skipped {
        report.aside(skipped);
    }
    for binding in &config.env {
        difference(config, binding, &observed, report);
    }
    let is_complete = missing.is_empty();
    for missing in missing {
        report.bad(missing.reason.class, missing);
    }
    Ok((snapshot, is_complete))
}

/// Says where the mount and the vault differ. The mount may be about to follow, so that is no failure.
fn difference(config: &Config, binding: &Binding, observed: &Observed<'_>, report: &mut Report) {
    let Origin::MountElseVault(path, id) = &binding.reference.origin else { return };
    let (Some(rule), Some(Ok(set)), Some(vault)) = (config.compared(), observed.mount, observed.vault) else {
        return;
    };
    let answer = vault.secrets.get(id).filter(|state| state.problem.is_none());
    let answer = answer.and_then(|state| state.good.as_ref());
    if let (Some(file), Some(answer)) = (set.files.get(path), answer)
        && !stale::is_same(file, &answer.value)
    {
        report.aside(format_args!(
            "{}: the mount's file '{path}' differs from {id}/{}; it would be stale after {:?}",
            binding.variable, answer.version, rule.after
        ));
    }
}

fn wait_for_first_round(source: &VaultSource, wake: &WakeReceiver, longest: Duration) {
    let deadline = Instant::now() + longest;
    while source.latest().rounds == 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(timeout) = PollTimeout::try_from(left) else { return };
        if left.is_zero() || poll(&mut [PollFd::new(wake.as_fd(), PollFlags::POLLIN)], timeout).is_err() {
            return;
        }
        wake.take();
    }
}

fn outputs(config: &Config, snapshot: &Snapshot, is_complete: bool, report: &mut Report) {
    for output in &config.outputs {
        let path = output.path.display();
        let directory = output.path.parent().unwrap_or(&output.path);
        if let Err(errno) = access(directory, AccessFlags::W_OK | AccessFlags::X_OK) {
            report.bad(Class::CannotCreate, format_args!("{path}: its directory is not writable: {errno}"));
            continue;
        }
        match output::render(output, snapshot) {
            Err(error) => report.bad(Class::CannotCreate, chain(&error)),
            Ok(_) if !is_complete => {
                report.bad(
                    Class::Unavailable,
                    format_args!("{path} would not be written: the set is incomplete"),
                );
            }
            Ok(rendered) => match rendered.compare() {
                Found::Absent => {
                    report.good(format_args!("{path} would be written ({})", output.format.name()));
                }
                Found::Current => report.good(format_args!("{path} is up to date")),
                Found::OtherMode | Found::Stale => report.good(format_args!("{path} would be replaced")),
            },
        }
    }
}

/// What is left there by an agent before.
fn state(config: &Config, report: &mut Report) {
    let Some(path) = state::place(config) else { return };
    if let Some(directory) = &config.state_dir
        && let Err(errno) = access(directory, AccessFlags::W_OK | AccessFlags::X_OK)
    {
        report.bad(
            Class::CannotCreate,
            format_args!("stateDir: {} is not writable: {errno}", directory.display()),
        );
    }
    match state::file::load(&path) {
        Ok(_) => report.good(format_args!("{}: what the app was given is known", path.display())),
        Err(LoadError::Absent) => (),
        Err(error) => report.aside(format_args!("{} {error}; it would be replaced", path.display())),
    }
}

fn target(config: &Config, report: &mut Report) {
    let Some(target) = &config.target else { return };
    let found = preflight(target);
    match found.outlook {
        Outlook::Reachable => report.good(format_args!("{target}: {}", found.text)),
        Outlook::Absent => report.aside(format_args!("{target}: {}", found.text)),
        Outlook::Unreachable(class) => {
            report.bad(class, format_args!("{target}: a signal would not arrive: {}", found.text));
        }
    }
}
