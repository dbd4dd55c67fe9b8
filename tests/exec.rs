//! `akv-agent exec`: a program with secrets in its environment, under a parent that it need not notice.

#![allow(clippy::unwrap_used)]

#[path = "exec/change.rs"]
mod change;
#[path = "exec/code.rs"]
mod code;
#[path = "exec/ending.rs"]
mod ending;
#[path = "exec/environment.rs"]
mod environment;
#[path = "exec/interleaved.rs"]
mod interleaved;
#[path = "exec/job_control.rs"]
mod job_control;
#[path = "exec/listen.rs"]
mod listen;
#[path = "exec/loggers.rs"]
mod loggers;
#[path = "exec/parent.rs"]
mod parent;
#[path = "exec/policy.rs"]
mod policy;
#[path = "exec/probation.rs"]
mod probation;
#[path = "exec/proven.rs"]
mod proven;
#[path = "exec/replace.rs"]
mod replace;
#[path = "exec/restart.rs"]
mod restart;
#[path = "exec/rollback.rs"]
mod rollback;
#[path = "exec/signal.rs"]
mod signal;
#[path = "exec/spawn.rs"]
mod spawn;
mod support;
#[path = "exec/terminal.rs"]
mod terminal;
#[path = "exec/trouble.rs"]
mod trouble;
#[path = "exec/verdict.rs"]
mod verdict;
