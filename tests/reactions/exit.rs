//! The reaction `exit`: the agent ends so that the kubelet restarts what it is told to.

use super::{
    command::rule,
    support::{Agent, Volume, Workdir, test_app},
};

#[test]
fn a_sidecar_ends_with_the_code_once_the_outputs_are_written() {
    for (setting, code) in [("exit:7", 7), ("exit", 42)] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        let sidecar =
            || Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().set("ON_CHANGE", setting).start();
        let agent = sidecar();
        agent.wait_until_ready();
        volume.rotate(&[("db", "two")]);
        let ended = agent.wait().expect(code);
        assert!(work.read("out/app.env").contains("two"), "{}", ended.scene);
        // The next one has no change to react to.
        let agent = sidecar();
        agent.wait_until_ready();
        let passes = agent.status()["passes"].as_u64().unwrap();
        agent.signal(libc::SIGHUP);
        agent.wait_for_status("another pass", |status| status["passes"].as_u64().unwrap() > passes);
        agent.stop().expect(0);
    }
}

#[test]
fn in_exec_the_child_is_stopped_first() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let program = [&*test_app(), "--stop-when", "go", "--code", "3"];
    let agent =
        Agent::exec(&work, &program).mount(&volume, "SECRET=db").yaml("onChange: [{exit: 43}]\n").start();
    let child = agent.wait_for_start(1);
    volume.rotate(&[("db", "two")]);
    assert_eq!(agent.wait_for_signal(libc::SIGTERM), [libc::SIGTERM]);
    work.write("go", "");
    // The code that was asked for and not the child's: it says why all of this ends.
    let ended = agent.wait().expect(43);
    assert!(ended.out.lines().any(|line| line == format!("ended {}", child.pid)), "{}", ended.scene);
    let starts = ended.out.lines().filter(|line| line.starts_with("ready ")).count();
    assert_eq!(starts, 1, "no other child follows\n{}", ended.scene);
}

#[test]
fn what_else_a_change_leads_to_is_done_before() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let rules =
        format!("onChange:\n- {{when: [SECRET], exit: 44}}\n{}", rule("TLS_*", "sleep 0.2; touch ran"));
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db,TLS_KEY=tls").env_file().yaml(&rules).start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two"), ("tls", "two")]);
    let ended = agent.wait().expect(44);
    assert!(work.path("ran").exists(), "{}", ended.scene);
}
