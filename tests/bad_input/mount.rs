//! Mounts that are not what they should be.

use super::{
    refused,
    support::{Volume, Workdir},
};
use std::fs;

#[test]
fn a_mount_that_is_missing() {
    refused(69, &["SECRET", "/no/such/mount does not exist", "is the volume mounted"], |agent| {
        agent.set("MOUNT", "/no/such/mount").set("ENV", "SECRET=db")
    });
}

#[test]
fn a_mount_that_is_empty() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    refused(69, &["SECRET", &volume.text(), "is empty", "CSI driver"], |agent| {
        agent.mount(&volume, "SECRET=db")
    });
}

#[test]
fn a_mount_that_is_a_file() {
    let work = Workdir::new();
    let file = work.write("file", "");
    refused(78, &[file.to_str().unwrap(), "is not a directory", "subPath"], |agent| {
        agent.set("MOUNT", &file).set("ENV", "SECRET=db")
    });
}

#[test]
fn a_file_that_is_not_in_the_mount() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("other", "x")]);
    refused(69, &["SECRET", "no file 'db'", "SecretProviderClass"], |agent| {
        agent.mount(&volume, "SECRET=db")
    });
}

#[test]
fn a_file_that_is_a_directory() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("nested/db", "x")]);
    refused(69, &["SECRET", "nested is not a regular file"], |agent| {
        agent.mount(&volume, "SECRET=mount:nested")
    });
}

#[test]
fn a_mount_that_may_not_be_read() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let generation = volume.dir().join(volume.generation());
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(generation.join("db"), mode).unwrap();
    };
    set_mode(0o000);
    refused(77, &["SECRET", "cannot read", "db", "denied"], |agent| {
        agent.mount(&volume, "SECRET=db").without_capabilities()
    });
}

#[test]
fn a_field_that_is_not_there() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    volume.write_raw(&[("db", r#"{"user":"canary-7f3a"}"#)]);
    refused(78, &["SECRET", "mount file 'db'", "the JSON has nothing"], |agent| {
        agent.mount(&volume, "SECRET=db#/password")
    });
}

#[test]
fn a_field_of_what_is_no_json() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "not json")]);
    refused(78, &["SECRET", "mount file 'db'", "JSON"], |agent| agent.mount(&volume, "SECRET=db#/password"));
}

#[test]
fn a_value_with_a_nul_byte() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    volume.write_raw(&[("db", "canary-7f3a\0more")]);
    refused(78, &["SECRET", "mount file 'db'", "NUL"], |agent| agent.mount(&volume, "SECRET=db"));
}
