//! What the black-box tests share: an agent under test, the world around it, and waiting with a time limit.
//!
//! A test describes an agent with [`Agent`], starts it, and looks at nothing but what a user sees: files,
//! signals, exit codes, output, and the listener's answers. Every secret is made by [`secret`], so that the
//! harness can tell when one of them turns up where none may be.
#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod agent;
mod app;
mod canary;
mod env_file;
mod http;
mod memory;
pub(crate) mod openssl;
pub(crate) mod process;
mod running;
mod scene;
mod volume;
mod wait;
mod work;

pub(crate) use agent::{Agent, free_address};
pub(crate) use app::{App, LEAVE_GROUP, Ready, test_app};
pub(crate) use canary::{assert_clean, secret};
pub(crate) use env_file::{parse_env_file, read_env_file};
pub(crate) use http::Answer;
pub(crate) use memory::{Memory, awkward};
pub(crate) use openssl::Openssl;
pub(crate) use running::{Finished, Running};
pub(crate) use volume::Volume;
pub(crate) use wait::{PATIENCE, SayDone, eventually};
pub(crate) use work::Workdir;
