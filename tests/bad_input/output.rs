//! Outputs that cannot be made.

use super::support::{Agent, Finished, Volume, Workdir, secret};
use std::{fs, os::unix::fs::PermissionsExt as _};

/// Runs each use with an output; all must end with 73, or 125 in `exec`, and one line.
fn refused(words: &[&str], with: impl Fn(Agent<'_>) -> Agent<'_>) {
    for command in ["init", "sidecar", "exec"] {
        let work = Workdir::new();
        let (agent, code) = match command {
            "exec" => (Agent::exec(&work, &["touch", "started"]), 125),
            command => (Agent::new(&work, command), 73),
        };
        let ended: Finished = with(agent).finish().expect(code);
        let complaints = ended.complaints();
        assert_eq!(complaints.len(), 1, "{command}: one line says it all\n{}", ended.scene);
        for word in words {
            assert!(complaints[0].contains(word), "{command}: {word:?} is not in the line\n{}", ended.scene);
        }
        assert!(!work.path("started").exists(), "{}", ended.scene);
    }
}

#[test]
fn a_directory_that_is_missing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let file = work.path("absent/app.env");
    refused(&["cannot write", file.to_str().unwrap(), "No such file or directory"], |agent| {
        agent.mount(&volume, "SECRET=db").set("ENV_FILE", &file)
    });
}

#[test]
fn a_directory_that_may_not_be_written() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let directory = work.make_dir("locked");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).unwrap();
    let file = directory.join("app.env");
    refused(&["cannot write", file.to_str().unwrap(), "denied"], |agent| {
        agent.mount(&volume, "SECRET=db").set("ENV_FILE", &file).without_capabilities()
    });
}

#[test]
fn a_directory_that_is_none() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    work.write("file", "");
    refused(&["cannot write", "file/app.env", "Not a directory"], |agent| {
        agent.mount(&volume, "SECRET=db").set("ENV_FILE", work.path("file/app.env"))
    });
}

#[test]
fn a_directory_in_the_files_place() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    work.make_dir("out/app.env");
    refused(&["cannot write", "out/app.env"], |agent| {
        agent.mount(&volume, "SECRET=db").set("ENV_FILE", work.path("out/app.env"))
    });
    assert_eq!(work.names("out"), ["app.env"]);
}

#[test]
fn what_the_kubelets_format_cannot_express() {
    for (value, words) in [
        ("canary-7f3a it's", "a single quote"),
        ("canary-7f3a\r\nline", "a carriage return"),
        ("", "an empty value"),
    ] {
        let work = Workdir::new();
        let volume = Volume::empty(&work);
        volume.write_raw(&[("db", value)]);
        let directory = work.make_dir("out");
        refused(&["SECRET", "pod.env", "'kubelet' cannot express", words], |agent| {
            agent
                .mount(&volume, "SECRET=db")
                .set("ENV_FILE", directory.join("pod.env"))
                .set("ENV_FILE_FORMAT", "kubelet")
        });
        assert!(work.names("out").is_empty());
    }
}

#[test]
fn bytes_that_are_no_text_in_the_kubelets_format() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    volume.write_raw(&[("db", b"\xff\xfe")]);
    refused(&["SECRET", "not UTF-8", "exec"], |agent| {
        agent
            .mount(&volume, "SECRET=db")
            .set("ENV_FILE", work.path("pod.env"))
            .set("ENV_FILE_FORMAT", "kubelet")
    });
}

#[test]
fn a_file_that_is_too_large_for_the_kubelet() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let value = format!("{}{}", secret("large"), "x".repeat(31 << 10));
    volume.write_raw(&[("db", &value)]);
    refused(&["pod.env", "64 KiB"], |agent| {
        agent
            .mount(&volume, "A=db,B=db,C=db")
            .set("ENV_FILE", work.path("pod.env"))
            .set("ENV_FILE_FORMAT", "kubelet")
    });
}
