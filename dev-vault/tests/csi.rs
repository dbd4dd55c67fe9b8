//! The volume's layout and what a watcher sees of its changes, against the driver's order of operations.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dev_vault::csi::{Mount, Written};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tempfile::TempDir;

/// What inotify reports on the volume's directory, with the changing part of names left out.
struct Watch(Inotify);

impl Watch {
    fn on(path: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).expect("inotify works");
        let everything = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE_SELF;
        inotify.add_watch(path, everything).expect("the directory can be watched");
        Self(inotify)
    }

    /// All that has happened: the kernel queues an event before the call that caused it returns.
    fn events(&self) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.0.read_events() {
                Ok(events) => seen.extend(events.into_iter().map(|event| {
                    let name = event.name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    let stamped = name.starts_with("..2");
                    let flags: Vec<_> = event
                        .mask
                        .iter_names()
                        .map(|(flag, _)| flag.trim_start_matches("IN_").to_owned())
                        .collect();
                    format!("{} {}", flags.join("|"), if stamped { "..ts" } else { &name })
                })),
                Err(Errno::EAGAIN) => return seen,
                Err(error) => panic!("inotify: {error}"),
            }
        }
    }
}

fn volume() -> (TempDir, Mount) {
    let dir = TempDir::new().expect("a temporary directory");
    let mount = Mount::create(dir.path().join("secrets-store")).expect("a volume");
    (dir, mount)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .expect("the directory is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn read(mount: &Mount, name: &str) -> String {
    fs::read_to_string(mount.dir().join(name)).expect("the file is there")
}

const FIRST: [(&str, &str); 2] = [("ExamplePassword", "old"), ("dir/b", "b")];

#[test]
fn the_layout_is_that_of_the_driver() {
    let (_dir, mount) = volume();
    assert_eq!(mount.write(&FIRST).expect("written"), Written::Switched);
    let names = names(mount.dir());
    let target = fs::read_link(mount.dir().join("..data")).expect("a link");
    let target = target.to_str().expect("a name in ASCII");
    assert_eq!(names, [target, "..data", "ExamplePassword", "dir"]);
    assert_eq!(
        target
            .bytes()
            .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte })
            .take(22)
            .collect::<Vec<_>>(),
        b"..0000_00_00_00_00_00."
    );
    for (link, to) in [("ExamplePassword", "..data/ExamplePassword"), ("dir", "..data/dir")] {
        assert_eq!(fs::read_link(mount.dir().join(link)).expect("a link"), Path::new(to));
    }
    assert_eq!((read(&mount, "ExamplePassword"), read(&mount, "dir/b")), ("old".into(), "b".into()));
    let mode = |name: &str| fs::metadata(mount.dir().join(name)).expect("it is there").permissions().mode();
    assert_eq!((mode("..data") & 0o777, mode("ExamplePassword") & 0o777), (0o755, 0o644));
}

#[test]
fn a_watcher_sees_the_first_write_and_a_change() {
    let (_dir, mount) = volume();
    let watch = Watch::on(mount.dir());
    mount.write(&FIRST).expect("written");
    assert_eq!(
        watch.events(),
        [
            "CREATE|ISDIR ..ts",
            "ATTRIB|ISDIR ..ts",
            "CREATE ExamplePassword",
            "CREATE dir",
            "CREATE ..data_tmp",
            "MOVED_FROM ..data_tmp",
            "MOVED_TO ..data",
        ]
    );
    mount.write(&[("ExamplePassword", "new"), ("dir/b", "b")]).expect("written");
    assert_eq!(
        watch.events(),
        [
            "CREATE|ISDIR ..ts",
            "ATTRIB|ISDIR ..ts",
            "CREATE ..data_tmp",
            "MOVED_FROM ..data_tmp",
            "MOVED_TO ..data",
            "DELETE|ISDIR ..ts",
        ]
    );
    assert_eq!(read(&mount, "ExamplePassword"), "new");
}

#[test]
fn the_same_set_again_touches_nothing() {
    let (_dir, mount) = volume();
    mount.write(&FIRST).expect("written");
    let watch = Watch::on(mount.dir());
    let changed = || fs::metadata(mount.dir()).and_then(|data| data.modified()).expect("it is there");
    let before = changed();
    assert_eq!(mount.write(&FIRST).expect("written"), Written::Unchanged);
    let again = Mount::create(mount.dir()).expect("a volume goes on").file_mode(0o600);
    assert_eq!(again.write(&FIRST).expect("written"), Written::Unchanged);
    assert_eq!(watch.events(), [""; 0]);
    assert_eq!(changed(), before);
}

#[test]
fn a_new_name_dangles_before_the_switch_and_an_old_one_goes_after_it() {
    let (_dir, mount) = volume();
    mount.write(&FIRST).expect("written");
    let watch = Watch::on(mount.dir());
    let link = mount.dir().join("c");
    let written = mount.write_paused(&[("ExamplePassword", "old"), ("c", "c")], || {
        assert!(link.is_symlink() && !link.exists());
        assert!(mount.dir().join("dir/b").exists());
        assert_eq!(
            watch.events(),
            ["CREATE|ISDIR ..ts", "ATTRIB|ISDIR ..ts", "CREATE c", "CREATE ..data_tmp"]
        );
    });
    assert_eq!(written.expect("written"), Written::Switched);
    assert_eq!(
        watch.events(),
        ["MOVED_FROM ..data_tmp", "MOVED_TO ..data", "DELETE dir", "DELETE|ISDIR ..ts"]
    );
    assert_eq!(read(&mount, "c"), "c");
    assert!(!mount.dir().join("dir").is_symlink());
}

#[test]
fn the_kubelet_links_new_names_after_the_switch() {
    let (_dir, mount) = volume();
    mount.write_as_kubelet(&FIRST).expect("written");
    let watch = Watch::on(mount.dir());
    let set = [("ExamplePassword", "old"), ("dir/b", "b"), ("c", "c")];
    assert_eq!(mount.write_as_kubelet(&set).expect("written"), Written::Switched);
    assert_eq!(
        watch.events(),
        [
            "CREATE|ISDIR ..ts",
            "ATTRIB|ISDIR ..ts",
            "CREATE ..data_tmp",
            "MOVED_FROM ..data_tmp",
            "MOVED_TO ..data",
            "CREATE c",
            "DELETE|ISDIR ..ts",
        ]
    );
}

#[test]
fn a_nested_file_goes_without_its_directory_s_link() {
    let (_dir, mount) = volume();
    mount.write(&[("dir/a", "a"), ("dir/b", "b")]).expect("written");
    let watch = Watch::on(mount.dir());
    mount.write(&[("dir/a", "a")]).expect("written");
    assert!(!watch.events().iter().any(|event| event.starts_with("DELETE dir")));
    assert_eq!(names(&mount.dir().join("dir")), ["a"]);
}

#[test]
fn a_watch_on_the_file_itself_dies_with_the_first_switch() {
    let (_dir, mount) = volume();
    mount.write(&FIRST).expect("written");
    let watch = Watch::on(&mount.dir().join("ExamplePassword"));
    mount.write(&[("ExamplePassword", "1")]).expect("written");
    assert_eq!(watch.events(), ["ATTRIB ", "DELETE_SELF ", "IGNORED "]);
    mount.write(&[("ExamplePassword", "2")]).expect("written");
    assert_eq!(watch.events(), [""; 0]);
}

#[test]
fn names_that_the_driver_refuses_are_refused() {
    let (_dir, mount) = volume();
    let long = "x".repeat(256);
    for name in ["", "/a", "../a", "a/../b", "..a", "./a", "a//b", "a/", long.as_str()] {
        assert!(mount.write(&[(name, "x")]).is_err(), "{name}");
    }
    assert_eq!(names(mount.dir()), [""; 0]);
}
