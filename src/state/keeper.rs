//! The state as the loop uses it: read at the start, written when the app has been given something.

use super::{
    State,
    file::{self, LoadError},
};
use crate::{
    config::{Config, EnvName, Reaction},
    fingerprint::Key,
    ordered::Ordered as _,
    snapshot::Snapshot,
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Remembers what the app was given.
#[derive(Debug)]
pub struct Keeper {
    /// Where; `None`: only for as long as this agent runs.
    path: Option<PathBuf>,
    state: State,
    /// Whether the state is that of an agent before this one.
    is_inherited: bool,
    is_saved: bool,
    problem: Option<String>,
}

impl Keeper {
    /// For an app that is started with the newest set by every agent: it can have missed nothing.
    pub fn forgetful() -> Self {
        Self { path: None, state: State::empty(), is_inherited: false, is_saved: true, problem: None }
    }

    /// With what the agent before has left. Where the configuration knows no reaction there is nothing that an
    /// app could miss, and no file.
    pub fn open(config: &Config) -> Self {
        place(config).map_or_else(Self::forgetful, Self::at)
    }

    fn at(path: PathBuf) -> Self {
        let mut keeper = Self { is_saved: false, ..Self::forgetful() };
        match file::load(&path) {
            Ok(state) => (keeper.state, keeper.is_inherited, keeper.is_saved) = (state, true, true),
            // As it is in every new pod.
            Err(LoadError::Absent) => (),
            Err(error) => tracing::warn!(
                "the state file {} {error}; it will be replaced, and whether the app has missed a change is told \
                 by the outputs alone",
                path.display()
            ),
        }
        Self { path: Some(path), ..keeper }
    }

    /// Under which fingerprints are made.
    pub fn key(&self) -> &Key {
        self.state.key()
    }

    /// The variables of which the app is to be told at the first set, because they differ from what it was given.
    /// To be called before the outputs are written; `outputs_differ`: one of them holds something else.
    ///
    /// Where no state explains that, the app may have read whatever it is, and has to be told of everything.
    pub fn missed(&mut self, snapshot: &Snapshot, outputs_differ: bool) -> BTreeSet<EnvName> {
        let mut missed = if self.is_inherited { self.state.missed(snapshot) } else { BTreeSet::new() };
        if missed.is_empty() && outputs_differ {
            self.state.forget();
            missed = snapshot.entries.iter().map(|entry| entry.variable.clone()).into_set();
        }
        if missed.is_empty() {
            return missed;
        }
        // On disk before the outputs no longer show it, should this agent die before the app is told. And where
        // it cannot be noted that the app was told, every agent from now on would tell it again.
        if self.save() || outputs_differ { missed } else { BTreeSet::new() }
    }

    /// The app has this set now, all but the variables of which it has still to be told.
    pub fn record(&mut self, snapshot: &Snapshot, owed: &BTreeSet<EnvName>) {
        if self.path.is_none() {
            return;
        }
        self.is_saved &= !self.state.give(snapshot, owed);
        if !self.is_saved {
            self.save();
        }
    }

    /// Why the next agent will not know what the app was given.
    pub fn problem(&self) -> Option<&String> {
        self.problem.as_ref()
    }

    fn save(&mut self) -> bool {
        let Some(path) = &self.path else { return false };
        let problem = file::save(path, &self.state).err().map(|(step, error)| {
            format!(
                "the state file {} cannot be written: {step}: {error}; an agent that is started anew may tell the \
                 app of a change once more",
                path.display()
            )
        });
        if let Some(problem) = problem.as_ref().filter(|problem| self.problem.as_ref() != Some(problem)) {
            tracing::warn!("{problem}");
        }
        self.is_saved = problem.is_none();
        self.problem = problem;
        self.is_saved
    }
}

/// Where the state of this configuration is kept, if anywhere: in the state directory, else beside the first output; named after that, so that two agents that write to
/// one directory do not take each other's.
pub fn place(config: &Config) -> Option<PathBuf> {
    let reacts = config.on_change.iter().any(|rule| rule.reaction != Reaction::None);
    let output = config.outputs.first().map(|output| output.path.as_path());
    let directory = config.state_dir.as_deref().or_else(|| output?.parent()).filter(|_| reacts)?;
    let mut name = OsString::new();
    if let Some(output) = output.and_then(Path::file_name) {
        name.push(".");
        name.push(output);
    }
    name.push(".akv-agent-state");
    Some(directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{names, set},
        *,
    };
    use crate::config::{Args, load};
    use std::{collections::BTreeMap, fs};
    use tempfile::TempDir;

    fn nowhere_yet() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        (directory, path)
    }

    /// An agent that gives an app this set, and ends.
    fn leave(path: &Path, given: &str) {
        Keeper::at(path.into()).record(&set(given), &BTreeSet::new());
    }

    #[test]
    fn what_is_told_at_the_first_set() {
        // What the agent before has left if there was one, whether the outputs differ, what is told.
        for (what, left, now, outputs_differ, told) in [
            ("a first start", None, "A=1 B=1", false, ""),
            ("a file of nobody knows when", None, "A=1 B=1", true, "A B"),
            ("a new agent, and nothing else", Some("A=1 B=1"), "A=1 B=1", false, ""),
            ("a rotation between two agents", Some("A=1 B=1"), "A=2 B=1", true, "A"),
            ("one that was written but not told", Some("A=1 B=1"), "A=2 B=1", false, "A"),
            ("an output that nobody can explain", Some("A=1 B=1"), "A=1 B=1", true, "A B"),
            ("one that is gone", Some("A=1 B=1"), "A=1", true, "B"),
        ] {
            let (_directory, path) = nowhere_yet();
            if let Some(left) = left {
                leave(&path, left);
            }
            // However often an agent dies before it has told.
            for differ in [outputs_differ, false, false] {
                let told_now = Keeper::at(path.clone()).missed(&set(now), differ);
                assert_eq!(told_now, names(told), "{what}");
            }
            let mut keeper = Keeper::at(path.clone());
            keeper.record(&set(now), &names(told));
            keeper.record(&set(now), &BTreeSet::new());
            assert_eq!(Keeper::at(path).missed(&set(now), false), names(""), "{what}, told");
        }
    }

    #[test]
    fn what_is_owed_when_an_agent_ends_is_told_by_the_next() {
        let (_directory, path) = nowhere_yet();
        Keeper::at(path.clone()).record(&set("A=1 B=1"), &names("A"));
        assert_eq!(Keeper::at(path).missed(&set("A=1 B=1"), false), names("A"));
    }

    #[test]
    fn without_a_file_only_the_outputs_count() {
        let mut keeper = Keeper::forgetful();
        keeper.record(&set("A=1"), &BTreeSet::new());
        assert_eq!(keeper.missed(&set("A=2"), false), names(""));
        assert_eq!(keeper.missed(&set("A=2"), true), names("A"));
        assert_eq!(keeper.problem(), None);
    }

    #[test]
    fn what_cannot_be_noted_as_told_is_not_told_by_every_agent_again() {
        let (directory, path) = nowhere_yet();
        leave(&path, "A=1 B=1");
        // What the temporary file is called; even root cannot remove it as a file.
        let obstacle = directory.path().join(".state.akv-agent-new");
        fs::create_dir(&obstacle).unwrap();
        let mut keeper = Keeper::at(path.clone());
        assert_eq!(keeper.missed(&set("A=2 B=1"), true), names("A"), "the outputs will be equal then");
        assert_eq!(Keeper::at(path.clone()).missed(&set("A=2 B=1"), false), names(""));
        keeper.record(&set("A=2 B=1"), &BTreeSet::new());
        let problem = keeper.problem().unwrap();
        assert!(problem.contains("cannot be written: creating a temporary file"), "{problem}");

        fs::remove_dir(&obstacle).unwrap();
        keeper.record(&set("A=2 B=1"), &BTreeSet::new());
        assert_eq!(keeper.problem(), None, "it is tried again although nothing has changed");
        assert_eq!(Keeper::at(path).missed(&set("A=2 B=1"), false), names(""));
    }

    #[test]
    fn nothing_is_written_where_nothing_is_news() {
        let (_directory, path) = nowhere_yet();
        let mut keeper = Keeper::at(path.clone());
        keeper.record(&set("A=1"), &BTreeSet::new());
        fs::remove_file(&path).unwrap();
        keeper.record(&set("A=1"), &BTreeSet::new());
        keeper.record(&set("A=2"), &names("A"));
        assert!(!path.exists());
        keeper.record(&set("A=2"), &BTreeSet::new());
        assert!(path.exists());
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let (_directory, path) = nowhere_yet();
        fs::write(&path, "{").unwrap();
        leave(&path, "A=1");
        assert_eq!(Keeper::at(path).missed(&set("A=2"), false), names("A"));
    }

    #[test]
    fn where_the_file_is() {
        let outputs = "outputs: [{envFile: /run/app/a.env}, {envFile: /else/b.env}]\n";
        let hup = "onChange: [{signal: HUP}]\ntarget: {process: app}\n";
        for (what, yaml, directory, expected) in [
            ("beside the first output", [outputs, hup], None, Some("/run/app/.a.env.akv-agent-state")),
            (
                "in a directory of its own",
                [outputs, hup],
                Some("/state"),
                Some("/state/.a.env.akv-agent-state"),
            ),
            ("without an output", ["", hup], Some("/state"), Some("/state/.akv-agent-state")),
            ("nowhere to be", ["", hup], None, None),
            ("nothing to react with", [outputs, ""], Some("/state"), None),
            ("not a reaction", [outputs, "onChange: [{none: true}]\n"], Some("/state"), None),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(&file, yaml.concat()).unwrap();
            let mut config = load(&Args { file: Some(file.path().into()) }, &BTreeMap::new()).expect(what);
            config.state_dir = directory.map(PathBuf::from);
            assert_eq!(place(&config).as_deref(), expected.map(Path::new), "{what}");
        }
    }
}
