//! `init`, `sidecar` and `exec`: the same loop with another goal and another subject.

use super::Ended;
use crate::{
    background::Background,
    config::{self, Args, Config, Listen, Lookup as _, ProcessEnvironment, Reaction, Socket, Stop, Use},
    failure::{Class, ExitCode, Failure},
    job::Jobs,
    log,
    program::{
        Program,
        environment::{self, Environment},
        sockets,
    },
    reconcile::{End, Goal, Parts, Reconciler, Subject},
    signals::{Signals, Which},
    source::{
        observe::{Sources, sparable, wanted_files},
        vault::{VaultSettings, VaultSource, Wanted},
    },
    state::Keeper,
    status::{Board, Status},
    supervise::Supervisor,
    sys,
    wake::WakeReceiver,
};
use nix::{
    sys::{prctl, signal::Signal},
    unistd::getpid,
};
use std::net::TcpListener;

/// One pass, then the end.
pub(super) fn init(options: &Args) -> Result<ExitCode, Failure> {
    let signals = start(Which::Own)?;
    let config = configure(options, Use::Init)?;
    // The app will be started with what this agent writes.
    let state = Keeper::open(&config);
    let parts = Parts { state, ..assemble(&config, signals, Use::Init, Subject::Nobody)? };
    finish(Reconciler::new(parts, Goal::FirstSet).run()?)
}

/// The loop, for a process of another container.
pub(super) fn sidecar(options: &Args) -> Result<ExitCode, Failure> {
    let signals = start(Which::Own)?;
    let config = configure(options, Use::Sidecar)?;
    let subject = Subject::Target(config.target.clone());
    let state = Keeper::open(&config);
    let parts = Parts { state, ..assemble(&config, signals, Use::Sidecar, subject)? };
    finish(Reconciler::new(parts, Goal::Forever).run()?)
}

/// The loop as the parent of a program, or one pass and then the program in the agent's place.
pub(super) fn exec(options: &Args, watch: bool, listen: Vec<Socket>, program: Program) -> Ended {
    exec_or_fail(options, watch, listen, program)
        .unwrap_or_else(|failure| Err((ExitCode::AGENT_FAILED, failure.message)))
}

fn exec_or_fail(
    options: &Args,
    watch: bool,
    listen: Vec<Socket>,
    program: Program,
) -> Result<Ended, Failure> {
    // Without a child to forward them to, only those signals count that mean the agent itself.
    let signals = start(if watch { Which::All } else { Which::Own })?;
    let mut config = configure(options, Use::Exec)?;
    config.exec.listen.extend(listen);
    // Before anything is resolved: clients who come until the program is there wait for it.
    let sockets = sockets::open(&config.exec.listen)
        .map_err(|error| Failure::new(Class::Unavailable, error.to_string()))?;
    let inherited = environment::inherited(std::env::vars_os());

    if !watch {
        let parts = assemble(&config, signals, Use::Init, Subject::Nobody)?;
        return Ok(match Reconciler::new(parts, Goal::FirstSet).run()? {
            End::Set(snapshot) => {
                let error = program.replace_self(&Environment::with(&inherited, &snapshot), &sockets);
                Err((error.exit_code(), error.to_string()))
            }
            End::Code(code) => Ok(code),
            End::Because(code, why) => Err((code, why)),
        });
    }

    // Orphans of the child come to us, as they do to PID 1, and not to a process that may not reap them.
    if getpid().as_raw() != 1
        && let Err(errno) = prctl::set_child_subreaper(true)
    {
        tracing::warn!(%errno, "orphans of the program will not be reaped");
    }
    let supervisor = Supervisor::new(program, config.exec.clone(), sockets, inherited);
    let subject = Subject::Child(Box::new(supervisor));
    let parts = assemble(&config, signals, Use::Exec, subject)?;
    Ok(match Reconciler::new(parts, Goal::Forever).run()? {
        End::Because(code, why) => Err((code, why)),
        End::Code(code) => Ok(code),
        End::Set(_) => Ok(ExitCode::OK),
    })
}

/// What comes before everything else: no signal is lost, and no core file or debugger gets a secret.
fn start(which: Which) -> Result<Signals, Failure> {
    let bug = |what: &str, error: &dyn std::fmt::Display| {
        Failure::new(Class::Bug, format!("cannot {what}: {error}"))
    };
    // A parent that ignored SIGCHLD hands that on, and then the kernel throws our children's exit codes away.
    sys::reset_disposition(Signal::SIGCHLD);
    let signals = Signals::take_over(which).map_err(|error| bug("take over signals", &error))?;
    forbid_core_dumps()?;
    Ok(signals)
}

/// Also keeps other processes of the same user from reading our memory.
pub(super) fn forbid_core_dumps() -> Result<(), Failure> {
    prctl::set_dumpable(false)
        .map_err(|errno| Failure::new(Class::Bug, format!("cannot forbid core dumps: {errno}")))
}

fn configure(options: &Args, use_: Use) -> Result<Config, Failure> {
    let mut config = config::load(options, &ProcessEnvironment)?;
    if use_ == Use::Exec {
        let inline = config::inline(&config, &ProcessEnvironment)?;
        config.add(inline);
    }
    log::init(config.log);
    config.check_for(use_)?;
    Ok(config)
}

fn assemble(config: &Config, signals: Signals, use_: Use, subject: Subject) -> Result<Parts<'_>, Failure> {
    let wake = || {
        WakeReceiver::new()
            .map_err(|error| Failure::new(Class::Bug, format!("cannot make an eventfd: {error}")))
    };
    let (jobs, wake) = (Jobs::new(wake()?), wake()?);
    let mut background = Background::new(wake.waker());
    let (wanted, sparable) = (Wanted::of(config), sparable(config));
    let vault = if wanted.is_empty() {
        None
    } else {
        let spared = sparable.iter().map(|(_, id)| id.clone()).collect();
        let settings = VaultSettings::new(config, &|name| ProcessEnvironment.text(name))?;
        Some(VaultSource::start(&settings, &wanted, spared, &mut background, wake.waker())?)
    };
    let sources = Sources::new(config.mount.as_deref(), wanted_files(&config.env), vault).sparing(sparable);
    let board = Board::default();
    *board.lock() = Status { r#use: use_.name(), version: env!("CARGO_PKG_VERSION"), ..Status::default() };
    Ok(Parts {
        listener: if use_ == Use::Init { None } else { listen(config.listen)? },
        default_reaction: default_reaction(use_),
        config,
        sources,
        signals,
        jobs,
        inherited: environment::inherited(std::env::vars_os()),
        wake,
        background,
        board,
        subject,
        state: Keeper::forgetful(),
    })
}

/// Where nothing is configured: a wrapped program is restarted, since nothing else changes its environment;
/// a sidecar writes its outputs and does nothing to anybody.
pub(super) fn default_reaction(use_: Use) -> Reaction {
    match use_ {
        Use::Exec => Reaction::Restart(Stop::DEFAULT),
        Use::Init | Use::Sidecar => Reaction::None,
    }
}

fn listen(listen: Listen) -> Result<Option<TcpListener>, Failure> {
    let Listen::At { address, explicit } = listen else { return Ok(None) };
    match TcpListener::bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if explicit => {
            let message =
                format!("cannot listen at {address}: {error}; set `listen` to another port or to off");
            Err(Failure::new(Class::Unavailable, message))
        }
        Err(error) => {
            // Two agents in one pod is nothing unusual; only the first of them is asked by default.
            tracing::warn!(%address, %error, "no metrics and no status; set `listen` to another port or to off");
            Ok(None)
        }
    }
}

fn finish(end: End) -> Result<ExitCode, Failure> {
    match end {
        End::Set(_) => Ok(ExitCode::OK),
        End::Code(code) => Ok(code),
        End::Because(_, why) => Err(Failure::new(Class::Bug, why)),
    }
}
