//! Why the kernel does not let the agent signal a process, and what would help. kill(2).

use super::sight;
use std::{fmt, fs, io};

/// `CAP_KILL`: may signal whomever.
const MAY_KILL: u64 = 1 << 5;

/// A process that the agent may not signal.
#[derive(Debug)]
pub struct Refusal {
    /// Which.
    pub pid: i32,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// The agent is somebody else, and is not allowed to signal anybody.
    OtherUser { agent: Credentials, process: Credentials },
    /// It may by all that can be seen from here, and yet it may not.
    Forbidden,
    /// Something else.
    Error(io::Error),
}

/// As whom a process runs, so far as kill(2) asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Credentials {
    real: u32,
    effective: u32,
    saved: u32,
    capabilities: u64,
}

impl Refusal {
    /// Looks into what the kernel said.
    pub(super) fn new(pid: i32, error: io::Error) -> Self {
        let cause = match error.raw_os_error() {
            Some(libc::EPERM) => cause(Credentials::of("self"), Credentials::of(&pid.to_string())),
            _ => Cause::Error(error),
        };
        Self { pid, cause }
    }
}

fn cause(agent: Option<Credentials>, process: Option<Credentials>) -> Cause {
    match (agent, process) {
        (Some(agent), Some(process)) if !agent.may_signal(process) => Cause::OtherUser { agent, process },
        _ => Cause::Forbidden,
    }
}

impl Credentials {
    fn of(process: &str) -> Option<Self> {
        Self::parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{process}/status")).ok()?))
    }

    fn parse(status: &str) -> Option<Self> {
        let mut uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace();
        let mut uid = || uids.next()?.parse().ok();
        Some(Self {
            real: uid()?,
            effective: uid()?,
            saved: uid()?,
            capabilities: sight::capabilities(status),
        })
    }

    /// The kernel's rule. Whoever has changed to another user is still reached by the one that started it.
    fn may_signal(self, other: Self) -> bool {
        let is_same = |uid| uid == other.real || uid == other.saved;
        self.capabilities & MAY_KILL != 0 || is_same(self.real) || is_same(self.effective)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.pid;
        match &self.cause {
            Cause::OtherUser { agent, process } => {
                write!(f, "may not signal process {pid}: it runs as user {}", process.real)?;
                if process.saved != process.real {
                    write!(f, " (saved {})", process.saved)?;
                }
                write!(f, ", the agent as user {} without the capability KILL; ", agent.effective)?;
                // A container runtime takes added capabilities from every other user at the exec.
                f.write_str(
                    "give both the same `runAsUser`, or the agent that capability, which in Kubernetes only user \
                     0 can have (SYS_PTRACE is not needed)",
                )
            }
            Cause::Forbidden => write!(
                f,
                "may not signal process {pid}, although its user does not forbid it: a security module such as \
                 SELinux, a seccomp profile or another user namespace does"
            ),
            Cause::Error(error) => write!(f, "cannot signal process {pid}: {error}"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    const fn user(real: u32, effective: u32, saved: u32, capabilities: u64) -> Credentials {
        Credentials { real, effective, saved, capabilities }
    }

    const AGENT: Credentials = user(65532, 65532, 65532, 0);

    #[test]
    fn the_rule_is_the_kernels() {
        let root = user(0, 0, 0, 0);
        for (agent, process, may) in [
            (AGENT, AGENT, true),
            (AGENT, user(1000, 1000, 1000, 0), false),
            // Only the effective one differs: it still belongs to the one that started it.
            (AGENT, user(65532, 0, 0, 0), true),
            (AGENT, user(0, 0, 65532, 0), true),
            // What it may do at the moment does not make it ours.
            (AGENT, user(0, 65532, 0, 0), false),
            (user(1000, 65532, 1000, 0), user(1000, 1000, 1000, 0), true),
            (user(65532, 1000, 65532, 0), user(1000, 1000, 1000, 0), true),
            // The agent's saved one gives no right.
            (user(65532, 65532, 1000, 0), user(1000, 1000, 1000, 0), false),
            (AGENT, root, false),
            // A container's root without capabilities is a user like any other.
            (root, AGENT, false),
            (user(65532, 65532, 65532, MAY_KILL), root, true),
            // CAP_SYS_PTRACE and all that are not KILL.
            (user(65532, 65532, 65532, !MAY_KILL), root, false),
        ] {
            assert_eq!(agent.may_signal(process), may, "{agent:?} {process:?}");
        }
    }

    #[test]
    fn the_kernels_words_are_read() {
        let status = "Name:\tapp\nPid:\t7\nUid:\t1\t2\t3\t4\nGid:\t5\t5\t5\t5\nCapPrm:\t0000000000000000\n\
                      CapEff:\t0000000000000020\n";
        assert_eq!(Credentials::parse(status), Some(user(1, 2, 3, MAY_KILL)));
        assert_eq!(Credentials::parse("Uid:\t1\t2\t3\t4\n"), Some(user(1, 2, 3, 0)));
        for broken in ["", "Name:\tapp\n", "Uid:\t1\t2\n", "Uid:\t1\tx\t3\t4\n"] {
            assert_eq!(Credentials::parse(broken), None, "{broken:?}");
        }
        let own = Credentials::of("self").unwrap();
        assert_eq!(own.effective, nix::unistd::geteuid().as_raw());
        assert!(own.may_signal(own));
    }

    #[test]
    fn both_users_and_both_remedies_are_named() {
        let text = |agent, process| Refusal { pid: 7, cause: cause(agent, process) }.to_string();
        assert_eq!(
            text(Some(AGENT), Some(user(1000, 1000, 1000, 0))),
            "may not signal process 7: it runs as user 1000, the agent as user 65532 without the capability \
             KILL; give both the same `runAsUser`, or the agent that capability, which in Kubernetes only user \
             0 can have (SYS_PTRACE is not needed)"
        );
        let changed = text(Some(AGENT), Some(user(0, 0, 1000, 0)));
        assert!(changed.contains("it runs as user 0 (saved 1000), the agent"), "{changed}");
        // By uids it should be allowed, or nobody knows.
        for process in [Some(AGENT), None] {
            let text = text(Some(AGENT), process);
            assert!(text.contains("SELinux") && !text.contains("runAsUser"), "{text}");
        }
        let error = Refusal::new(7, io::Error::from_raw_os_error(libc::EMFILE)).to_string();
        assert!(error.starts_with("cannot signal process 7: ") && error.contains("os error 24"), "{error}");
    }
}
