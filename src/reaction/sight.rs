//! How far the agent sees: whether the processes of other containers are visible to it at all.

use super::process;
use nix::unistd::getpid;
use std::fs;

/// Whose processes `/proc` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Those of other containers too, or there is nothing that speaks against it.
    Others,
    /// Only those of the agent's own container.
    OwnContainer,
    /// Only those of the agent's own user: `/proc` is mounted so.
    OwnUser,
}

/// The inode number of the machine's own PID namespace, `PROC_PID_INIT_INO` of the kernel's `proc_ns.h`.
const OF_THE_MACHINE: &str = "pid:[4026531836]";

/// `CAP_SYS_PTRACE`: a `/proc` that hides processes shows them to whoever has it.
const SEES_HIDDEN: u64 = 1 << 19;

/// What is known of it.
#[derive(Debug, Clone, Copy)]
struct Facts<'a> {
    /// The agent's own process id.
    pid: i32,
    /// What `/proc/self/ns/pid` points to.
    namespace: &'a str,
    /// `/proc/self/mountinfo`.
    mounts: &'a str,
    /// `/proc/self/status`.
    status: &'a str,
    /// The agent's own control groups.
    groups: &'a str,
}

impl Sight {
    /// As it is now.
    pub fn now() -> Self {
        let read = |path: &str| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let own = |file: &str| read(&format!("/proc/self/{file}")).unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let facts = Facts {
            pid: getpid().as_raw(),
            namespace: &namespace.to_string_lossy(),
            mounts: &own("mountinfo"),
            status: &own("status"),
            groups: &own("cgroup"),
        };
        let others = process::all().into_iter().flatten().filter(|pid| *pid != facts.pid);
        Self::of(facts, others.filter_map(|pid| read(&format!("/proc/{pid}/cgroup")).ok()))
    }

    /// A container has control groups of its own, the pause container of a shared PID namespace included, so one
    /// process with others is proof. Where all have the same, they are those of one container, unless they are
    /// the machine's. Where a kernel has no such groups, an agent that is not PID 1 shares its namespace.
    fn of(facts: Facts<'_>, mut others: impl Iterator<Item = String>) -> Self {
        if hides(facts.mounts, facts.status) {
            return Self::OwnUser;
        }
        let is_known = !facts.groups.trim().is_empty();
        let is_alone = is_known || facts.pid == 1;
        if facts.namespace == OF_THE_MACHINE || !is_alone || others.any(|groups| groups != facts.groups) {
            return Self::Others;
        }
        Self::OwnContainer
    }

    /// What follows for a process that was not found, to be put behind it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Others => "",
            Self::OwnContainer => {
                "; only this container's processes are visible: set `shareProcessNamespace: true` in the pod"
            }
            Self::OwnUser => {
                "; /proc is mounted with `hidepid` and hides other users' processes: run the agent with the \
                 app's `runAsUser`"
            }
        }
    }
}

/// Whether `/proc` hides processes: the last of its mounts, which covers the others, has `hidepid` set, and the
/// agent is none of those that see everything all the same. proc(5).
fn hides(mounts: &str, status: &str) -> bool {
    let mount = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/proc"));
    let options = mount.and_then(|line| line.rsplit(' ').next()).unwrap_or_default();
    let option = |name: &str| options.split(',').find_map(|option| option.strip_prefix(name));
    let group = option("gid=").unwrap_or("0");
    match option("hidepid=") {
        None | Some("0" | "off") => false,
        _ if capabilities(status) & SEES_HIDDEN != 0 => false,
        Some("4" | "ptraceable") => true,
        Some(_) => !groups(status).any(|own| own == group),
    }
}

/// The groups that count for files.
fn groups(status: &str) -> impl Iterator<Item = &str> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let of_files = field("Gid:").split_ascii_whitespace().nth(3);
    of_files.into_iter().chain(field("Groups:").split_ascii_whitespace())
}

/// `CapEff` of `/proc/PID/status`.
pub(super) fn capabilities(status: &str) -> u64 {
    let field = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    field.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "22 27 0:21 / / rw - overlay overlay rw\n23 22 0:22 / /proc rw,nosuid - proc proc rw\n";
    const STATUS: &str = "Gid:\t0\t0\t0\t7\nGroups:\t8 9 \nCapEff:\t0000000000000000\n";
    const IN_A_POD: Facts<'_> =
        Facts { pid: 7, namespace: "pid:[4026532841]", mounts: PLAIN, status: STATUS, groups: "0::/\n" };

    fn with(facts: Facts<'_>, others: &[&str]) -> Sight {
        Sight::of(facts, others.iter().map(|groups| (*groups).to_owned()))
    }

    #[test]
    fn another_containers_process_is_proof_of_a_shared_namespace() {
        let own = "0::/\n";
        for (pid, others, sight) in [
            // The pause container, then the app.
            (7, &["0::/../0123\n"][..], Sight::Others),
            (7, &[own, "0::/../0123\n", "0::/../4567\n"], Sight::Others),
            // An app that has joined the agent's namespace.
            (1, &["0::/../4567\n"], Sight::Others),
            (1, &[], Sight::OwnContainer),
            // A probe.
            (1, &[own], Sight::OwnContainer),
            // Under an init of the same container.
            (7, &[own], Sight::OwnContainer),
        ] {
            let facts = Facts { pid, ..IN_A_POD };
            assert_eq!(with(facts, others), sight, "{pid} {others:?}");
        }
    }

    #[test]
    fn on_a_machine_without_containers_nobody_is_out_of_sight() {
        let facts = Facts { namespace: OF_THE_MACHINE, ..IN_A_POD };
        assert_eq!(with(facts, &["0::/\n"]), Sight::Others);
    }

    #[test]
    fn without_control_groups_the_first_process_is_taken_to_be_alone() {
        for (pid, sight) in [(1, Sight::OwnContainer), (7, Sight::Others)] {
            let facts = Facts { pid, groups: "", ..IN_A_POD };
            assert_eq!(with(facts, &[""]), sight, "{pid}");
        }
    }

    #[test]
    fn processes_can_be_hidden_by_the_mount_of_proc() {
        let mount =
            |options: &str| format!("{PLAIN}30 22 0:30 / /proc rw shared:1 - proc proc rw{options}\n");
        for (options, sight) in [
            ("", Sight::Others),
            (",hidepid=0", Sight::Others),
            (",hidepid=off", Sight::Others),
            (",hidepid=2", Sight::OwnUser),
            (",hidepid=invisible", Sight::OwnUser),
            (",gid=6,hidepid=noaccess,subset=pid", Sight::OwnUser),
            (",hidepid=ptraceable", Sight::OwnUser),
            // Members of a group see everything, unless only debuggers do.
            (",gid=7,hidepid=invisible", Sight::Others),
            (",gid=9,hidepid=noaccess", Sight::Others),
            (",gid=7,hidepid=ptraceable", Sight::OwnUser),
        ] {
            let mounts = mount(options);
            let facts = Facts { mounts: &mounts, ..IN_A_POD };
            assert_eq!(with(facts, &["0::/../0123\n"]), sight, "{options}");
        }
        let mounts = mount(",hidepid=2");
        for (status, sight) in [
            ("Gid:\t0\t0\t0\t7\nGroups:\t\nCapEff:\t0000000000080000\n", Sight::Others),
            // KILL is another one.
            ("Gid:\t0\t0\t0\t7\nGroups:\t\nCapEff:\t0000000000000020\n", Sight::OwnUser),
            ("Gid:\t7\t7\t7\t0\nGroups:\t\nCapEff:\t0000000000000000\n", Sight::Others),
        ] {
            let facts = Facts { mounts: &mounts, status, ..IN_A_POD };
            assert_eq!(with(facts, &["0::/../0123\n"]), sight, "{status}");
        }
        let covered = mount(",hidepid=2") + "31 22 0:31 / /proc rw - proc proc rw\n";
        let facts = Facts { mounts: &covered, ..IN_A_POD };
        assert_eq!(with(facts, &["0::/../0123\n"]), Sight::Others, "the last mount is the one that is seen");
        let elsewhere = "30 22 0:30 / /mnt/proc rw - proc proc rw,hidepid=2\n";
        let facts = Facts { mounts: elsewhere, ..IN_A_POD };
        assert_eq!(with(facts, &["0::/../0123\n"]), Sight::Others);
    }
}
