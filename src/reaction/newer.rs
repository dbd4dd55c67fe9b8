//! Whether an app has been started anew, all of it, so that it has read what was there before.

use super::{
    process::{BootTime, StartTime, Stat},
    target,
};
use crate::config::Target;
use nix::unistd::getpid;
use std::cell::LazyCell;

/// More generations than a pod's processes have. A process that ends while it is looked at can have its number
/// go to another one, and only then could a walk not end.
const DEEPEST: usize = 64;

/// Whether every process that `target` means was started after `moment`, and with it whatever has started it in
/// its container, which may have read the environment for it. In doubt it was not.
pub fn is_newer(target: &Target, moment: BootTime) -> bool {
    // Most signals follow within a tick of the kernel's clock, and then there is nothing to look at.
    if BootTime::now().is_ok_and(|now| !StartTime::of(now).is_after(moment)) {
        return false;
    }
    let ours = LazyCell::new(|| ancestors(getpid().as_raw()));
    let look = |pid| Stat::of(pid).map(|stat| (stat.parent, stat.started.is_after(moment)));
    target::look(target)
        .is_ok_and(|found| found.iter().all(|it| is_family_newer(it.pid, |pid| ours.contains(&pid), look)))
}

/// The process itself and those above it.
fn ancestors(pid: i32) -> Vec<i32> {
    let parent = |pid: &i32| Stat::of(*pid).map(|stat| stat.parent);
    std::iter::successors(Some(pid), parent).take(DEEPEST).collect()
}

/// `look` gives the parent of a process, and whether it was started after the moment; `is_ours`, whether it is the
/// agent or one of its ancestors. The walk ends where a
/// container's first process has no parent, and outside containers at an ancestor of the agent itself.
fn is_family_newer(
    pid: i32,
    is_ours: impl Fn(i32) -> bool,
    look: impl Fn(i32) -> Option<(i32, bool)>,
) -> bool {
    let mut next = pid;
    for _ in 0..DEEPEST {
        match look(next) {
            Some((parent, true)) if parent == 0 || is_ours(parent) => return true,
            Some((parent, true)) => next = parent,
            Some((_, false)) | None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn an_app_is_as_old_as_the_oldest_that_started_it() {
        // Who is whose parent, and who is new. The agent is 50, started by 40.
        type Family<'a> = &'a [(i32, i32, bool)];
        let cases: [(&str, Family<'_>, bool); 9] = [
            ("a container's only process", &[(7, 0, true)], true),
            ("an old one", &[(7, 0, false)], false),
            ("started by a script", &[(7, 6, true), (6, 5, true), (5, 0, true)], true),
            ("by one that has been there before", &[(7, 6, true), (6, 5, true), (5, 0, false)], false),
            ("adopted by the pod's first process", &[(7, 1, true), (1, 0, false)], false),
            ("beside the agent", &[(7, 40, true), (40, 0, false)], true),
            ("an old one beside it", &[(7, 40, false), (40, 0, false)], false),
            ("gone", &[], false),
            ("never ending", &[(7, 6, true), (6, 7, true)], false),
        ];
        for (what, family, expected) in cases {
            let look = |pid| family.iter().find(|(child, ..)| *child == pid).map(|(_, up, new)| (*up, *new));
            assert_eq!(is_family_newer(7, |pid| [50, 40].contains(&pid), look), expected, "{what}");
        }
    }

    #[test]
    fn an_ancestor_is_found_as_far_as_it_can_be_seen() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let found = ancestors(child.id().try_into().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found[1], getpid().as_raw());
        assert_eq!(found[2], nix::unistd::getppid().as_raw());
    }

    #[test]
    fn nobody_is_not_newer() {
        let target = Target::Process("no-such-process-anywhere".into());
        assert!(!is_newer(&target, BootTime::from_boot(std::time::Duration::ZERO)));
    }
}
