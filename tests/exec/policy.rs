//! What can be said about how a child is run: its end, its restarts, its signals.

use super::support::{Agent, Running, Volume, Workdir, eventually, process};

fn count(agent: &Running<'_>, line: &str) -> usize {
    agent.out().lines().filter(|other| *other == line).count()
}

#[test]
fn a_child_that_fails_is_started_anew_where_that_is_asked_for() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // It fails the first two times, and then does its work.
    let app = "echo run; echo x >> $LOG; [ $(wc -l < $LOG) -gt 2 ] || exit 5";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {restartPolicy: OnFailure}\n")
        .var("LOG", work.path("log"))
        .start();
    agent.wait_for_problem("the child ended with exit code 5; it is started anew");
    // The second delay is the kubelet's: ten seconds.
    let ended = agent.wait().expect(0);
    assert_eq!(ended.out, "run\nrun\nrun\n");
}

#[test]
fn while_a_failed_child_is_waited_for_a_signal_ends_the_agent_and_a_change_starts_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = "echo run; exit 5";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {restartPolicy: Always}\nprobation: off\n")
        .start();
    agent.wait_until("two starts", || (count(&agent, "run") == 2).then_some(()));
    agent.wait_for_problem("it is started anew");
    volume.rotate(&[("db", "two")]);
    agent.wait_until("the end of a third one", || {
        (agent.err().matches("child ended").count() == 3).then_some(())
    });
    agent.signal(libc::SIGTERM);
    agent.wait().expect(128 + libc::SIGTERM);
}

#[test]
fn a_refresh_while_a_failed_child_is_waited_for_does_not_end_the_agent() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &["sh", "-c", "echo run; exit 5"])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {restartPolicy: Always}\n")
        .start();
    agent.wait_until("two starts", || (count(&agent, "run") == 2).then_some(()));
    agent.wait_for_problem("it is started anew");
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("no child is there that a signal could be forwarded to");
    agent.signal(libc::SIGTERM);
    agent.wait().expect(128 + libc::SIGTERM);
}

#[test]
fn restarts_for_changes_do_not_count_as_failures() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let app = "echo \"runs ${SECRET##*-}\"; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {restartPolicy: Always}\nprobation: off\n")
        .start();
    agent.wait_for_line("runs 0");
    // If they did, the next start would be more than a minute away.
    for value in ["1", "2", "3", "4"] {
        volume.rotate(&[("db", value)]);
        agent.wait_for_line(&format!("runs {value}"));
    }
    let status = agent.wait_for_status("the child", |status| status["child"]["restarts"] == 4);
    let pid = status["child"]["pid"].as_i64().unwrap();
    process::send(pid.try_into().unwrap(), libc::SIGKILL);
    agent.wait_until("the same again", || (count(&agent, "runs 4") == 2).then_some(()));
    agent.stop().expect(0);
}

#[test]
fn a_grace_of_its_own_bounds_the_end() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {grace: 300ms}\n")
        .start();
    agent.wait_for_line("up");
    agent.signal(libc::SIGTERM);
    agent.wait_for_line("asked");
    agent.wait().expect(128 + libc::SIGKILL);
}

#[test]
fn signals_reach_the_whole_group_where_that_is_asked_for() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = "trap 'echo parent' USR1; trap 'exit 0' TERM
               sh -c 'trap \"echo member\" USR1; echo \"up $$\"; while :; do sleep 0.05; done' &
               while :; do wait; done";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {signals: group}\n")
        .start();
    let member = agent.wait_until("the member", || {
        agent.out().lines().find_map(|line| line.strip_prefix("up ")?.parse::<i32>().ok())
    });
    agent.signal(libc::SIGUSR1);
    agent.wait_for_line("parent");
    agent.wait_for_line("member");
    agent.stop().expect(0);
    eventually("the member's end", || (!process::is_running(member)).then_some(()));
}

#[test]
fn restarts_beyond_the_budget_are_put_off_and_the_last_value_still_comes() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let app = "echo \"runs ${SECRET##*-}\"; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let agent = Agent::exec(&work, &["sh", "-c", app])
        .mount(&volume, "SECRET=db")
        .yaml("restartBudget: {free: 2, first: 2s, longest: 2s}\n")
        .start();
    agent.wait_for_line("runs 0");
    for value in ["1", "2"] {
        volume.rotate(&[("db", value)]);
        agent.wait_for_line(&format!("runs {value}"));
    }
    volume.rotate(&[("db", "3")]);
    agent.wait_for_problem("a restart is put off for");
    let status = agent.status();
    assert_eq!(status["owed"][0]["variables"][0], "SECRET", "{status}");
    volume.rotate(&[("db", "4")]);
    agent.wait_for_line("runs 4");
    agent.wait_until_well();
    let ended = agent.stop().expect(0);
    assert_eq!(ended.out, "runs 0\nruns 1\nruns 2\nruns 4\n", "{}", ended.scene);
}
