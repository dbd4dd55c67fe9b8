//! What is in the env file, and what stays in it when something goes wrong.

use super::support::{Agent, App, Running, Volume, Workdir, secret};
use std::{fs, os::unix::fs::PermissionsExt as _};

fn shell(variable: &str, label: &str) -> String {
    format!("export {variable}='{}'\n", secret(label))
}

fn wait_for_content(agent: &Running<'_>, work: &Workdir, content: &str) {
    agent.wait_until(&format!("an env file with {content:?}"), || {
        (work.read("out/app.env") == content).then_some(())
    });
}

#[test]
fn the_env_file_is_written_and_follows_the_mount() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db,API_KEY=api").env_file().start();
    let content = |label| shell("API_KEY", "key") + &shell("SECRET", label);
    wait_for_content(&agent, &work, &content("one"));
    for label in ["two", "three"] {
        volume.rotate(&[("db", label), ("api", "key")]);
        wait_for_content(&agent, &work, &content(label));
    }
    assert_eq!(work.names("out"), ["app.env"], "nothing is left beside it");
    let mode = fs::metadata(work.path("out/app.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o440);
    agent.stop().expect(0);
    assert_eq!(work.read("out/app.env"), content("three"), "it outlives the agent");
}

#[test]
fn several_files_in_several_formats_are_one_set() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let directory = work.make_dir("out");
    let yaml = format!(
        "outputs:\n- {{envFile: {0}/app.env, mode: \"0400\"}}\n- {{envFile: {0}/pod.env, format: kubelet}}\n",
        directory.display()
    );
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").yaml(&yaml).start();
    for label in ["one", "two"] {
        if label == "two" {
            volume.rotate(&[("db", label)]);
        }
        wait_for_content(&agent, &work, &shell("SECRET", label));
        let kubelet = format!("SECRET='{}'\n", secret(label));
        agent.wait_until("the other format", || (work.read("out/pod.env") == kubelet).then_some(()));
    }
    let mode = fs::metadata(work.path("out/app.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o400);
}

#[test]
fn a_value_that_one_format_cannot_express_leaves_all_files_as_they_are() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let directory = work.make_dir("out");
    let yaml = format!(
        "outputs:\n- {{envFile: {0}/app.env}}\n- {{envFile: {0}/pod.env, format: kubelet}}\n",
        directory.display()
    );
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").yaml(&yaml).start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "it's new")]);
    let problem = agent.wait_for_problem("cannot express a single quote");
    assert!(problem.contains("SECRET") && problem.contains("pod.env"), "{problem}");
    assert_eq!(work.read("out/app.env"), shell("SECRET", "one"));
    assert_eq!(work.read("out/pod.env"), format!("SECRET='{}'\n", secret("one")));
    volume.rotate(&[("db", "two")]);
    wait_for_content(&agent, &work, &shell("SECRET", "two"));
    agent.wait_until_well();
}

#[test]
fn an_output_directory_that_vanishes_is_reported_and_caught_up_with() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
    agent.wait_until_ready();
    fs::rename(work.path("out"), work.path("away")).unwrap();
    volume.rotate(&[("db", "two")]);
    let problem = agent.wait_for_problem("cannot write");
    assert!(problem.contains("out/app.env"), "{problem}");
    assert_eq!(work.read("away/app.env"), shell("SECRET", "one"), "the last good one");
    fs::rename(work.path("away"), work.path("out")).unwrap();
    wait_for_content(&agent, &work, &shell("SECRET", "two"));
    agent.wait_until_well();
}

#[test]
fn an_output_directory_that_becomes_read_only_keeps_the_last_good_file() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().without_capabilities().start();
    agent.wait_until_ready();
    let set_mode = |mode| fs::set_permissions(work.path("out"), fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o555);
    volume.rotate(&[("db", "two")]);
    let problem = agent.wait_for_problem("cannot write");
    assert!(problem.to_lowercase().contains("permission denied"), "{problem}");
    assert_eq!(work.read("out/app.env"), shell("SECRET", "one"));
    set_mode(0o755);
    wait_for_content(&agent, &work, &shell("SECRET", "two"));
    agent.wait_until_well();
    assert_eq!(work.names("out"), ["app.env"]);
}

#[test]
fn a_target_is_told_once_the_file_is_there_and_not_before() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "late-file", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "late-file"))
        .start();
    agent.wait_until_ready();
    fs::rename(work.path("out"), work.path("away")).unwrap();
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("cannot write");
    assert!(app.signals().is_empty(), "a failed output stops the reaction");
    fs::rename(work.path("away"), work.path("out")).unwrap();
    app.wait_for_signals(1);
    assert_eq!(work.read("out/app.env"), shell("SECRET", "two"));
    volume.rotate(&[("db", "three")]);
    assert_eq!(app.wait_for_signals(2), [libc::SIGHUP, libc::SIGHUP]);
}
