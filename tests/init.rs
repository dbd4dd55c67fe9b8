//! `akv-agent init`: one pass, the outputs, an exit code.

#![allow(clippy::unwrap_used)]

mod support;

use dev_vault::DevVault;
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};
use support::{Agent, Volume, Workdir, read_env_file, secret};

fn mode(work: &Workdir, name: &str) -> u32 {
    fs::metadata(work.path(name)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn one_pass_writes_the_env_file_and_ends() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let ended = Agent::init(&work).mount(&volume, "SECRET=db,API_KEY=api").env_file().finish().expect(0);
    let expected = format!("export API_KEY='{}'\nexport SECRET='{}'\n", secret("key"), secret("one"));
    assert_eq!(work.read("out/app.env"), expected);
    assert_eq!(mode(&work, "out/app.env"), 0o440);
    assert_eq!(work.names("out"), ["app.env"]);
    assert_eq!(ended.out, "", "nothing is said on standard output");
    assert!(ended.complaints().is_empty(), "{}", ended.scene);
}

#[test]
fn a_vault_and_a_mount_together_fill_one_file() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", r#"{"user":"u","password":"p"}"#).start().unwrap();
    let volume = Volume::new(&work, &[("tls.key", "key")]);
    Agent::init(&work)
        .vault(&vault, "PASSWORD=db#/password,TLS_KEY=mount:tls.key")
        .set("MOUNT", volume.text())
        .env_file()
        .finish()
        .expect(0);
    let expected = format!("export PASSWORD='p'\nexport TLS_KEY='{}'\n", secret("key"));
    assert_eq!(work.read("out/app.env"), expected);
}

#[test]
fn the_mode_can_be_chosen_whatever_the_umask_is() {
    for chosen in ["0400", "0440", "0444", "0600", "0640"] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        Agent::init(&work)
            .mount(&volume, "SECRET=db")
            .env_file()
            .set("ENV_FILE_MODE", chosen)
            .under(&["sh", "-c", "umask 077; exec \"$@\"", "sh"])
            .finish()
            .expect(0);
        assert_eq!(mode(&work, "out/app.env"), u32::from_str_radix(chosen, 8).unwrap());
    }
}

#[test]
fn the_kubelets_format_can_be_chosen() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let value = format!("{}\nsecond \"line\" $HOME \\", secret("first"));
    volume.write_raw(&[("db", &value)]);
    Agent::init(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ENV_FILE_FORMAT", "kubelet")
        .finish()
        .expect(0);
    assert_eq!(work.read("out/app.env"), format!("SECRET='{value}'\n"));
}

#[test]
fn a_shell_reads_back_what_was_written() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let value = "it's \"all\" $HOME `id` $(id) \\ # and\na line\r\n\tmore";
    volume.write_raw(&[("db", value)]);
    Agent::init(&work).mount(&volume, "SECRET=db").env_file().finish().expect(0);
    let script = r#". "$1" && exec printenv SECRET"#;
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(work.path("out/app.env"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{value}\n"));
}

#[test]
fn a_file_that_is_there_is_replaced() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    work.make_dir("out");
    let old = work.write("out/app.env", "export OLD='x'\n");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o666)).unwrap();
    let inode = fs::metadata(&old).unwrap().ino();
    // Who has it open keeps what they have.
    let reader = fs::File::open(&old).unwrap();
    Agent::init(&work).mount(&volume, "SECRET=db").env_file().finish().expect(0);
    assert_eq!(work.read("out/app.env"), format!("export SECRET='{}'\n", secret("one")));
    assert_eq!(mode(&work, "out/app.env"), 0o440);
    assert_ne!(fs::metadata(&old).unwrap().ino(), inode);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "export OLD='x'\n");
}

#[test]
fn a_file_that_is_right_already_is_left_alone() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let run = || {
        Agent::init(&work).mount(&volume, "SECRET=db").env_file().finish().expect(0);
        fs::metadata(work.path("out/app.env")).unwrap().ino()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_link_at_its_place_is_replaced_and_not_followed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    work.make_dir("out");
    let victim = work.write("victim", "untouched");
    symlink(&victim, work.path("out/app.env")).unwrap();
    // Where the temporary file goes is guessed, too.
    for guess in [".app.env.akv-agent-new", "app.env.tmp", ".app.env.tmp"] {
        symlink(&victim, work.path(&format!("out/{guess}"))).unwrap();
    }
    Agent::init(&work).mount(&volume, "SECRET=db").env_file().finish().expect(0);
    assert_eq!(work.read("victim"), "untouched");
    let metadata = fs::symlink_metadata(work.path("out/app.env")).unwrap();
    assert!(metadata.is_file());
    assert_eq!(work.read("out/app.env"), format!("export SECRET='{}'\n", secret("one")));
}

#[test]
fn a_fifo_at_its_place_does_not_hang_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    work.make_dir("out");
    nix::unistd::mkfifo(&work.path("out/app.env"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    Agent::init(&work).mount(&volume, "SECRET=db").env_file().finish().expect(0);
    assert!(read_env_file(&work.path("out/app.env")).is_some());
}

#[test]
fn nothing_is_written_while_a_variable_is_missing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    work.make_dir("out");
    work.write("out/app.env", "export SECRET='before'\n");
    let ended = Agent::init(&work)
        .mount(&volume, "SECRET=db,FIRST=absent,SECOND=absent-too")
        .env_file()
        .set("TIMEOUT", "300ms")
        .finish()
        .expect(69);
    assert_eq!(work.read("out/app.env"), "export SECRET='before'\n");
    assert_eq!(work.names("out"), ["app.env"]);
    let complaints = ended.complaints();
    assert_eq!(complaints.len(), 1, "{}", ended.scene);
    assert!(
        complaints[0].contains("FIRST") && complaints[0].contains("SECOND"),
        "all of them: {complaints:?}"
    );
    assert!(!complaints[0].contains("SECRET"), "only what is missing: {complaints:?}");
}

#[test]
fn it_waits_for_a_set_that_is_not_complete_yet() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::init(&work).mount(&volume, "SECRET=db,LATE=late").env_file().start();
    agent.wait_for_log("no file 'late'");
    assert!(!work.path("out/app.env").exists());
    volume.rotate(&[("db", "one"), ("late", "two")]);
    agent.wait().expect(0);
    assert_eq!(read_env_file(&work.path("out/app.env")).unwrap()["LATE"], secret("two"));
}

#[test]
fn a_configuration_file_says_it_all() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let directory = work.make_dir("out");
    let yaml = format!(
        "mount: {}\nenv:\n  SECRET: db\noutputs:\n- envFile: {}/pod.env\n  format: kubelet\n  mode: \"0444\"\n",
        volume.text(),
        directory.display()
    );
    let written = format!("SECRET='{}'\n", secret("one"));
    Agent::init(&work).yaml(&yaml).finish().expect(0);
    assert_eq!(work.read("out/pod.env"), written);
    assert_eq!(mode(&work, "out/pod.env"), 0o444);
    fs::remove_file(work.path("out/pod.env")).unwrap();
    Agent::init(&work).set("CONFIG", work.path("config.yaml")).finish().expect(0);
    assert_eq!(work.read("out/pod.env"), written);
}

#[test]
fn the_environment_wins_over_the_file() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("other", "two")]);
    let directory = work.make_dir("out");
    let yaml = format!(
        "mount: /no/such/mount\nenv: {{SECRET: db, KEPT: other}}\noutputs: [{{envFile: {}/pod.env, format: kubelet}}]\n",
        directory.display()
    );
    Agent::init(&work)
        .yaml(&yaml)
        .set("MOUNT", volume.text())
        .set("ENV", "SECRET=other,NEW=db")
        .set("ENV_FILE_FORMAT", "shell")
        .finish()
        .expect(0);
    let found = read_env_file(&work.path("out/pod.env")).unwrap();
    let expected = [("KEPT", "two"), ("NEW", "one"), ("SECRET", "two")];
    let expected = expected.map(|(name, label)| (name.to_owned(), secret(label)));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_signal_ends_it_before_its_time() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = Agent::init(&work).mount(&volume, "SECRET=db").env_file().start();
    agent.wait_for_log("is empty");
    agent.signal(libc::SIGTERM);
    agent.wait().expect(143);
}

#[test]
fn it_does_not_listen() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = Agent::init(&work).mount(&volume, "SECRET=db").env_file().start();
    agent.wait_for_log("is empty");
    assert!(std::net::TcpStream::connect(agent.address()).is_err());
}

#[test]
fn json_logs_are_json() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let ended = Agent::init(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("LOG_FORMAT", "json")
        .finish()
        .expect(0);
    assert!(!ended.err.is_empty());
    for line in ended.err.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["time"].is_string() && line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
