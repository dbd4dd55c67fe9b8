//! `status` and `probe`: what the agent that runs in this pod says.

use super::Ended;
use crate::{
    ask,
    cli::Probe,
    config::{self, Args, Listen},
    failure::{Class, ExitCode, Failure},
    view::View,
};
use std::{net::SocketAddr, time::SystemTime};

/// Shows the agent's status: as JSON, or as people read it.
pub(super) fn status(options: &Args, json: bool) -> Result<ExitCode, Failure> {
    let address = address(options)?;
    let answer = ask::get(address, "/v1/status").map_err(|error| unreachable(address, &error))?;
    if answer.status != 200 {
        let message = format!("the agent at {address} answered {}", answer.status);
        return Err(Failure::new(Class::Unavailable, message));
    }
    super::print(&if json {
        answer.body + "\n"
    } else {
        let status = serde_json::from_str(&answer.body).map_err(|_| odd(address))?;
        View::of(&status, SystemTime::now()).ok_or_else(|| odd(address))?.to_string()
    })?;
    Ok(ExitCode::OK)
}

/// 0 or 1, as exec probes want it.
pub(super) fn probe(options: &Args, which: Probe) -> Ended {
    let path = match which {
        Probe::Live => "/livez",
        Probe::Ready => "/readyz",
    };
    let failed = |message: String| Err((ExitCode(1), message));
    let address = match address(options) {
        Ok(address) => address,
        Err(failure) => return failed(failure.message),
    };
    match ask::get(address, path) {
        Ok(answer) if answer.status == 200 => Ok(ExitCode::OK),
        Ok(answer) => failed(answer.body.trim_end().replace('\n', "; ")),
        Err(error) => failed(unreachable(address, &error).message),
    }
}

fn address(options: &Args) -> Result<SocketAddr, Failure> {
    match config::listen(options, &config::ProcessEnvironment) {
        Listen::At { address, .. } => Ok(address),
        Listen::Off => {
            Err(Failure::new(Class::Config, "the agent's listener is off; set `listen` to ask it anything"))
        }
    }
}

fn unreachable(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::new(Class::Unavailable, format!("no agent answers at {address}: {error}"))
}

fn odd(address: SocketAddr) -> Failure {
    Failure::new(Class::Unavailable, format!("what answers at {address} is no akv-agent"))
}
