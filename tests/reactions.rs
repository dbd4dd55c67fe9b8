//! What follows a change besides signals and restarts: requests, commands, the agent's own end, and the proof
//! that the app took it.

#![allow(clippy::unwrap_used)]

#[path = "reactions/command.rs"]
mod command;
#[path = "reactions/exit.rs"]
mod exit;
#[path = "reactions/order.rs"]
mod order;
#[path = "reactions/request.rs"]
mod request;
#[path = "reactions/retry.rs"]
mod retry;
#[path = "reactions/server.rs"]
mod server;
mod support;
#[path = "reactions/verify.rs"]
mod verify;
