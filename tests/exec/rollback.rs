//! A set that the child cannot live with is taken back, and not tried again until it changes.

use super::support::{Agent, Running, Volume, Workdir, eventually, process};

/// An app that ends at once when its password is a wrong one, and tells which one it runs with.
const APP: &str = "case $SECRET in *wrong*) echo \"refused ${SECRET##*-}\"; exit 3;; esac
                   echo \"runs ${SECRET##*-}\"
                   trap 'exit 0' TERM; trap : HUP
                   while :; do sleep 0.05; done";

fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str, app: &str) -> Running<'w> {
    let agent = Agent::exec(work, &["sh", "-c", app]).mount(volume, "SECRET=db").yaml(yaml).env_file();
    let agent = agent.start();
    agent.wait_until_ready();
    agent
}

fn count(agent: &Running<'_>, line: &str) -> usize {
    agent.out().lines().filter(|other| *other == line).count()
}

#[test]
fn a_wrong_password_is_taken_back_and_a_corrected_one_is_taken() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let agent = start(&work, &volume, "", APP);
    agent.wait_for_line("runs first");
    let good = work.read("out/app.env");

    volume.rotate(&[("db", "wrong")]);
    agent.wait_until("the old one is back", || (count(&agent, "runs first") == 2).then_some(()));
    let status = agent.wait_for_status("the rejected set", |status| status["rejected"].is_object());
    let reason = status["rejected"]["reason"].as_str().unwrap();
    assert!(reason.contains("the child ended with exit code 3"), "{reason}");
    assert!(reason.contains("it differs in SECRET"), "{reason}");
    assert_eq!(status["rollbacks"], 1);
    assert_eq!(status["child"]["set"], status["set"], "the child has the set that is out");
    assert_ne!(status["rejected"]["set"], status["set"]);
    assert_eq!(work.read("out/app.env"), good, "the env file is back as well");
    let metrics = agent.request("GET", "/metrics").body;
    assert!(metrics.contains("\nakv_agent_set_rejected 1\n"), "{metrics}");
    assert!(metrics.contains("\nakv_agent_rollbacks_total 1\n"), "{metrics}");

    // The same again is no other set, whoever asks for it.
    let passes = status["passes"].as_u64().unwrap();
    agent.signal(libc::SIGHUP);
    agent.wait_for_status("another pass", |status| status["passes"].as_u64().unwrap() > passes);
    volume.rotate(&[("db", "wrong"), ("other", "one")]);
    agent.wait_for_status("two more", |status| status["passes"].as_u64().unwrap() > passes + 1);
    assert_eq!(count(&agent, "refused wrong"), 1, "{}", agent.scene());

    volume.rotate(&[("db", "third")]);
    agent.wait_for_line("runs third");
    let status = agent.wait_for_status("nothing rejected", |status| status["rejected"].is_null());
    assert_eq!(status["child"]["onProbation"], true);
    agent.stop().expect(0);
}

#[test]
fn another_wrong_password_is_taken_back_as_well() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let agent = start(&work, &volume, "", APP);
    agent.wait_for_line("runs first");
    for (round, label) in ["wrong1", "wrong2", "wrong3"].into_iter().enumerate() {
        volume.rotate(&[("db", label)]);
        agent.wait_for_line(&format!("refused {label}"));
        agent.wait_until("the first is back", || (count(&agent, "runs first") == round + 2).then_some(()));
    }
    let status = agent.wait_for_status("all counted", |status| status["rollbacks"] == 3);
    assert_eq!(status["ready"], true);
    agent.stop().expect(0);
}

#[test]
fn what_the_failed_child_has_left_behind_is_gone_before_the_old_set_comes_back() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let app = "case $SECRET in *wrong*) sh -c 'trap \"\" TERM; echo helper $$; sleep 600' & \
               while ! grep -q helper $OUT; do sleep 0.02; done; exit 3;; esac
               echo \"runs ${SECRET##*-}\"; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {grace: 200ms}}]\n")
        .var("OUT", work.path("agent-0.out"))
        .start();
    agent.wait_until_ready();
    agent.wait_for_line("runs first");
    volume.rotate(&[("db", "wrong")]);
    let helper = agent.wait_until("the helper", || {
        agent.out().lines().find_map(|line| line.strip_prefix("helper ")?.parse::<i32>().ok())
    });
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
    eventually("the helper is gone", || (!process::is_running(helper)).then_some(()));
    agent.stop().expect(0);
}

#[test]
fn a_failed_child_that_is_gone_with_all_of_its_group_is_followed_by_one_with_the_old_set() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let app = "case $SECRET in *second*) sleep 1000 & echo \"helper $!\";; esac
               echo \"runs ${SECRET##*-}\"; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let agent = start(&work, &volume, "", app);
    agent.wait_for_line("runs first");
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    let helper = agent.out().lines().find_map(|line| line.strip_prefix("helper ")?.parse::<i32>().ok());
    agent.wait_for_status("the second is tried", |status| status["child"]["onProbation"] == true);
    let child = agent.child();
    // It learns of all these ends at once, and of that of the child first.
    agent.signal(libc::SIGSTOP);
    process::send(-child, libc::SIGKILL);
    for pid in [child, helper.unwrap()] {
        agent.wait_until("the end of the group", || (!process::is_running(pid)).then_some(()));
    }
    agent.signal(libc::SIGCONT);
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
    agent.wait_for_status("the rejected set", |status| {
        status["rejected"].is_object() && status["child"]["set"] == status["set"]
    });
    agent.stop().expect(0);
}

#[test]
fn a_child_that_ends_well_or_is_told_to_end_proves_nothing_against_its_set() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let app = "case $SECRET in *second*) exit 0;; esac
               echo \"runs ${SECRET##*-}\"; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let agent = start(&work, &volume, "", app);
    agent.wait_for_line("runs first");
    volume.rotate(&[("db", "second")]);
    agent.wait().expect(0);

    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let agent = start(&work, &volume, "", APP);
    agent.wait_for_line("runs first");
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    agent.stop().expect(0);
}

#[test]
fn without_a_change_a_child_that_dies_ends_the_agent_with_its_code() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "wrong")]);
    let agent = Agent::exec(&work, &["sh", "-c", APP]).mount(&volume, "SECRET=db").start();
    let ended = agent.wait().expect(3);
    assert_eq!(ended.out, "refused wrong\n");
}

#[test]
fn a_child_that_dies_of_a_reload_gets_the_old_set_back() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    // It reads its env file anew, as it was told to.
    let app = "load() { . $FILE; case $SECRET in *wrong*) echo refused; exit 3;; esac; echo \"has ${SECRET##*-}\"; }
               trap load HUP; trap 'exit 0' TERM; load; while :; do sleep 0.05; done";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{signal: HUP}]\n")
        .env_file()
        .var("FILE", work.path("out/app.env"))
        .start();
    agent.wait_until_ready();
    agent.wait_for_line("has first");
    volume.rotate(&[("db", "wrong")]);
    agent.wait_for_line("refused");
    agent.wait_until("the first is back", || (count(&agent, "has first") == 2).then_some(()));
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("has second");
    agent.stop().expect(0);
}

#[test]
fn whoever_was_told_of_the_bad_set_is_told_that_it_is_taken_back() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    // A rotation of both, of which one is wrong; a command takes the other one from the env file.
    let told = work.path("told");
    let yaml = format!(
        "onChange:\n  - {{when: [API_KEY], command: [cp, {}, {}]}}\n  - restart: true\n",
        work.path("out/app.env").display(),
        told.display()
    );
    let agent = Agent::exec(&work, &["sh", "-c", APP])
        .mount(&volume, "SECRET=db,API_KEY=api")
        .yaml(&yaml)
        .env_file()
        .start();
    agent.wait_until_ready();
    agent.wait_for_line("runs first");
    let good = work.read("out/app.env");
    volume.rotate(&[("db", "wrong"), ("api", "two")]);
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
    agent.wait_until("the command has run again", || {
        let status = agent.status();
        // Once for the bad set, once for the good one; the restart is the third.
        (status["reactions"] == 3 && work.read("told") == good).then_some(())
    });
    agent.stop().expect(0);
}

#[test]
fn a_set_that_comes_again_after_another_one_is_tried_again() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let agent = start(&work, &volume, "", APP);
    agent.wait_for_line("runs first");
    volume.rotate(&[("db", "wrong")]);
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    volume.rotate(&[("db", "wrong")]);
    agent.wait_until("tried again", || (count(&agent, "refused wrong") == 2).then_some(()));
    // The second had not proved itself yet.
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 3).then_some(()));
    agent.stop().expect(0);
}
