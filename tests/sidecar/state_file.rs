//! The file in which an agent leaves to the next one what the app was given.

use super::support::{Agent, App, Running, Volume, Workdir, assert_clean, eventually, secret};
use ring::digest;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

const FILE: &str = "out/.app.env.akv-agent-state";

/// Two variables with a signal each.
fn start<'w>(work: &'w Workdir, volume: &Volume, app: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "A=a,B=b")
        .env_file()
        .yaml("onChange: [{when: A, signal: HUP}, {when: B, signal: USR1}]\n")
        .set("TARGET", App::target(work, app))
        .start();
    agent.wait_until_idle();
    agent
}

/// A change of `A`, seen by no agent.
fn change(volume: &Volume) {
    volume.rotate(&[("a", "2"), ("b", "1")]);
}

#[test]
fn it_is_the_agents_own_and_holds_no_value_and_nothing_to_try_values_out_on() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
    let agent = start(&work, &volume, "shows-nothing");
    let before = eventually("a state", || Some(work.read(FILE)).filter(|text| !text.is_empty()));
    assert_eq!(work.names("out"), [".app.env.akv-agent-state", "app.env"], "nothing else is left beside it");
    let mode = fs::metadata(work.path(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    // Two variables with one value do not show that they have it.
    let json: serde_json::Value = serde_json::from_str(&before).unwrap();
    assert_ne!(json["given"]["A"], json["given"]["B"]);
    assert_eq!(json["given"].as_object().unwrap().len(), 2);

    volume.rotate(&[("a", "2"), ("b", "2")]);
    let app = App::start(&work, "shows-nothing", &["--stop-on", "0"]);
    agent.wait_until("another state", || (work.read(FILE) != before).then_some(()));
    drop(app);
    for text in [before, work.read(FILE)] {
        assert_clean(FILE, &text);
        for label in ["1", "2"] {
            let value = secret(label);
            assert!(!text.contains(&value));
            for algorithm in [&digest::SHA256, &digest::SHA512, &digest::SHA1_FOR_LEGACY_USE_ONLY] {
                let hash = digest::digest(algorithm, value.as_bytes());
                let hex = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
                for form in [&hex[..16], &base64(hash.as_ref())[..16]] {
                    assert!(!text.to_lowercase().contains(&form.to_lowercase()), "an unkeyed digest: {text}");
                }
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64Unpadded, Encoding as _};
    Base64Unpadded::encode_string(bytes)
}

/// Puts something else in the place of a good state.
type Spoil = fn(&Path);

/// What it is, how it gets there, and what the agent says of it.
const SPOILED: [(&str, Spoil, &str); 8] = [
    ("lost", |path| fs::remove_file(path).unwrap(), ""),
    ("empty", |path| fs::write(path, "").unwrap(), "is damaged"),
    (
        "cut off",
        |path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, &text[..text.len() / 2]).unwrap();
        },
        "is damaged",
    ),
    ("garbage", |path| fs::write(path, [0xff; 4096]).unwrap(), "is damaged"),
    (
        "of another version",
        |path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, text.replace("\"version\":1", "\"version\":2")).unwrap();
        },
        "has version 2 of its format",
    ),
    (
        "a link to a good one",
        |path| {
            fs::rename(path, path.with_file_name("victim")).unwrap();
            symlink("victim", path).unwrap();
        },
        "is a symbolic link",
    ),
    (
        "a FIFO",
        |path| {
            fs::remove_file(path).unwrap();
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        },
        "is not a regular file",
    ),
    (
        "huge",
        |path| fs::File::options().write(true).open(path).unwrap().set_len(1 << 40).unwrap(),
        "is larger",
    ),
];

#[test]
fn one_that_cannot_be_used_is_replaced_and_the_outputs_tell_what_was_missed() {
    for (what, spoil, said) in SPOILED {
        for changed in [false, true] {
            let work = Workdir::new();
            let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
            let app = App::start(&work, "spoiled", &["--stop-on", "0"]);
            start(&work, &volume, "spoiled").stop().expect(0);
            let path = work.path(FILE);
            spoil(&path);
            if changed {
                change(&volume);
            }
            let ended = start(&work, &volume, "spoiled").stop().expect(0);
            if said.is_empty() {
                assert!(!ended.err.contains("WARN"), "{what}: {}", ended.scene);
            } else {
                assert!(ended.err.contains(said), "{what}: {}", ended.scene);
                assert!(ended.err.contains("it will be replaced"), "{what}: {}", ended.scene);
            }
            // Which of them changed is not known any more.
            let expected: &[i32] = if changed { &[libc::SIGHUP, libc::SIGUSR1] } else { &[] };
            assert_eq!(app.wait_for_signals(expected.len()), expected, "{what}");
            assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
            let given: serde_json::Value = serde_json::from_str(&work.read(FILE)).unwrap();
            assert_eq!(given["given"].as_object().unwrap().len(), 2, "{what}");
            // And good again.
            let ended = start(&work, &volume, "spoiled").stop().expect(0);
            assert!(!ended.err.contains("WARN"), "{what}: {}", ended.scene);
            assert_eq!(app.signals(), expected, "{what}");
        }
    }
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
    work.make_dir("out");
    let victim = work.write("victim", "untouched");
    for name in [".app.env.akv-agent-state", "..app.env.akv-agent-state.akv-agent-new"] {
        symlink(&victim, work.path(&format!("out/{name}"))).unwrap();
    }
    start(&work, &volume, "no-link").stop().expect(0);
    assert_eq!(fs::read_to_string(victim).unwrap(), "untouched");
    assert_eq!(work.names("out"), [".app.env.akv-agent-state", "app.env"]);
}

#[test]
fn what_somebody_else_wrote_is_not_believed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
    start(&work, &volume, "foreign").stop().expect(0);
    if std::os::unix::fs::chown(work.path(FILE), Some(65534), None).is_err() {
        assert!(!nix::unistd::geteuid().is_root(), "only root can make a file another user's");
        return;
    }
    let ended = start(&work, &volume, "foreign").stop().expect(0);
    assert!(ended.err.contains("belongs to user 65534"), "{}", ended.scene);
}

#[test]
fn one_that_cannot_be_written_is_a_problem_and_no_obstacle() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
    let app = App::start(&work, "unwritable", &["--stop-on", "0"]);
    start(&work, &volume, "unwritable").stop().expect(0);
    // In the place of the temporary file, where a directory stops even root.
    let obstacle = work.make_dir("out/..app.env.akv-agent-state.akv-agent-new");

    let agent = start(&work, &volume, "unwritable");
    change(&volume);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    agent.wait_for_problem("akv-agent-state cannot be written");
    drop(agent);
    // What was told is not in the state, but it is not told again and again for that.
    for _ in 0..2 {
        let agent = start(&work, &volume, "unwritable");
        agent.wait_for_problem("akv-agent-state cannot be written");
        agent.stop().expect(0);
    }
    volume.rotate(&[("a", "2"), ("b", "2")]);
    let agent = start(&work, &volume, "unwritable");
    app.wait_for_signals(2);
    fs::remove_dir(obstacle).unwrap();
    agent.signal(libc::SIGHUP);
    agent.wait_until_well();
    agent.stop().expect(0);
    start(&work, &volume, "unwritable").stop().expect(0);
    let mut signals = app.signals();
    signals.sort_unstable();
    assert_eq!(
        signals,
        [libc::SIGHUP, libc::SIGHUP, libc::SIGUSR1],
        "A, then A and B, which differ from the state"
    );
}

#[test]
fn there_is_none_where_nobody_is_ever_told() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
    let agent = || Agent::sidecar(&work).mount(&volume, "A=a,B=b").env_file();
    for agent in [agent(), agent().set("ON_CHANGE", "none")] {
        let agent = agent.start();
        agent.wait_until_ready();
        agent.stop().expect(0);
        assert_eq!(work.names("out"), ["app.env"]);
    }
}

#[test]
fn check_says_what_there_is_and_leaves_it_alone() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "1"), ("b", "1")]);
    let check = || {
        let agent = Agent::new(&work, "check").mount(&volume, "A=a,B=b").env_file();
        agent.set("ON_CHANGE", "signal:HUP").set("TARGET", App::target(&work, "checked"))
    };
    let ended = check().finish().expect(0);
    assert!(!ended.out.contains("akv-agent-state"), "{}", ended.out);
    start(&work, &volume, "checked").stop().expect(0);
    let ended = check().finish().expect(0);
    assert!(ended.out.contains("what the app was given is known"), "{}", ended.out);
    fs::write(work.path(FILE), "{").unwrap();
    let ended = check().finish().expect(0);
    assert!(ended.out.contains("note") && ended.out.contains("is damaged"), "{}", ended.out);
    assert_eq!(work.read(FILE), "{");
    let ended = check().set("STATE_DIR", work.path("absent")).finish().expect(73);
    assert!(ended.out.contains("FAIL  stateDir"), "{}", ended.out);
}
