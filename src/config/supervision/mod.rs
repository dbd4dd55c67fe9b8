//! `exec`, `probation` and `restartBudget`: how the child of `exec` is run, how often it is restarted, and when
//! a new set counts as good.

mod read;

pub(super) use read::{budget, exec, probation};

use super::{reaction::Stop, request::Check};
use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

/// How the child of `exec` is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Who gets the signals that the agent gets.
    pub signals: Recipients,
    /// From the first SIGTERM that is forwarded to SIGKILL for the child's process group; `None` leaves that
    /// to who sent it, as the kubelet does it.
    pub grace: Option<Duration>,
    /// What follows when the child ends of its own accord.
    pub restart_policy: RestartPolicy,
    /// What the kernel sends the child should the agent die without a chance to stop it.
    pub parent_death_signal: Option<i32>,
    /// Sockets that are opened once and handed to every child, in this order.
    pub listen: Vec<Socket>,
    /// When a new set counts as good; `None`: at once.
    pub probation: Option<Probation>,
    /// How often changes may restart the child; `None`: without a limit.
    pub budget: Option<RestartBudget>,
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartBudget {
    /// How often at once.
    pub free: u32,
    /// How long to wait before the next time; doubled each time.
    pub first: Duration,
    /// But no longer than this.
    pub longest: Duration,
    /// After this long without any, all of it is forgotten.
    pub calm: Duration,
}

/// A socket on which the child's clients are waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// By which the child can tell it from the others.
    pub name: String,
    /// Where it listens.
    pub endpoint: Endpoint,
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// At an address of the network.
    Tcp(SocketAddr),
    /// At a place in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Who gets the signals that the agent gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recipients {
    /// The child alone.
    #[default]
    Child,
    /// Its whole process group.
    Group,
}

/// What follows when the child ends of its own accord, by the names that Kubernetes has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// The agent ends as the child did, and the kubelet does what the pod says.
    #[default]
    Never,
    /// It is started anew unless it ended with code 0.
    OnFailure,
    /// It is started anew.
    Always,
}

/// How a set proves to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probation {
    /// The child has to live for this long after it got the set.
    pub time: Duration,
    /// What has to pass at the end of that time, if anything.
    pub check: Option<Check>,
    /// Between two tries of the check.
    pub interval: Duration,
    /// How a child is stopped that fails the check and was not told how to stop by its reaction.
    pub stop: Stop,
}

impl Default for Exec {
    fn default() -> Self {
        Self {
            signals: Recipients::default(),
            grace: None,
            restart_policy: RestartPolicy::default(),
            parent_death_signal: None,
            listen: Vec::new(),
            probation: Some(Probation::default()),
            budget: Some(RestartBudget::default()),
        }
    }
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self {
            free: 10,
            first: Duration::from_secs(10),
            longest: Duration::from_secs(5 * 60),
            calm: Duration::from_secs(10 * 60),
        }
    }
}

impl Default for Probation {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            check: None,
            interval: Duration::from_secs(1),
            stop: Stop::DEFAULT,
        }
    }
}
