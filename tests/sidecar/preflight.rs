//! What a sidecar says of its target before there is anything to tell it.

use super::{
    support::{Agent, App, Running, Volume, Workdir, process},
    telling::{install, is_not_root, start_stranger},
};
use serde_json::{Value, json};

fn sidecar<'w>(work: &'w Workdir, volume: &Volume, target: String) -> Agent<'w> {
    Agent::sidecar(work).mount(volume, "SECRET=db").set("ON_CHANGE", "signal:HUP").set("TARGET", target)
}

fn check<'w>(work: &'w Workdir, volume: &Volume, target: String) -> Agent<'w> {
    Agent::new(work, "check").mount(volume, "SECRET=db").set("ON_CHANGE", "signal:HUP").set("TARGET", target)
}

fn ready(agent: Agent<'_>) -> Running<'_> {
    let agent = agent.start();
    agent.wait_until_ready();
    agent
}

fn of_the_status(agent: &Running<'_>, what: &str) -> (Value, String) {
    let status = agent.status();
    (status["target"][what].clone(), format!("{status:#}\n{}", agent.scene()))
}

#[test]
fn an_app_that_is_not_there_yet_is_no_problem_and_is_noticed_when_it_comes() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let target = App::target(&work, "comes-later");
    let agent = ready(sidecar(&work, &volume, target.clone()));
    agent.wait_for_log("no process is called 'comes-later-");
    let (state, scene) = of_the_status(&agent, "state");
    assert_eq!(state, "absent", "{scene}");
    assert_eq!(agent.status()["problems"], json!([]));
    let ended = check(&work, &volume, target.clone()).finish().expect(0);
    assert!(ended.out.contains(&format!("note  {target}: no process is called")), "{}", ended.scene);

    let app = App::start(&work, "comes-later", &["--stop-on", "0"]);
    agent.wait_for_log(&format!("the target is process {}", app.pid()));
    let status = agent.wait_for_status("reachable", |status| status["target"]["state"] == "reachable");
    assert_eq!(status["target"]["pids"], json!([app.pid()]), "{status:#}");
    assert_eq!(status["target"]["target"], target, "{status:#}");
    let ended = check(&work, &volume, target.clone()).finish().expect(0);
    let line = format!("ok    {target}: the target is process {}\n", app.pid());
    assert!(ended.out.contains(&line), "{}", ended.scene);
    assert!(app.signals().is_empty(), "a look is no signal");

    // Once found, it is looked for when it is needed, or when somebody asks.
    let pid = app.pid();
    drop(app);
    assert!(!process::is_running(pid));
    let (state, scene) = of_the_status(&agent, "state");
    assert_eq!(state, "absent", "{scene}");
}

#[test]
fn several_are_counted() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let apps = [(); 3].map(|()| App::start(&work, "several", &["--stop-on", "0"]));
    let agent = ready(sidecar(&work, &volume, App::target(&work, "several")));
    agent.wait_for_log("the target is 3 processes: ");
    let mut pids = apps.each_ref().map(App::pid);
    pids.sort_unstable();
    let (told, scene) = of_the_status(&agent, "pids");
    assert_eq!(told, json!(pids), "{scene}");
}

#[test]
fn another_user_is_told_of_at_the_start_with_the_remedies() {
    if is_not_root() {
        return;
    }
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    install(&work, "other-user");
    let stranger = start_stranger(&work, "other-user");
    let target = App::target(&work, "other-user");
    let words = format!(
        "may not signal process {}: it runs as user 65534, the agent as user 0 without the capability KILL; give \
         both the same `runAsUser`, or the agent that capability, which in Kubernetes only user 0 can have (SYS_PTRACE is not needed)",
        stranger.pid()
    );
    let agent = ready(sidecar(&work, &volume, target.clone()).without_capabilities());
    agent.wait_for_log(&words);
    let status = agent.status();
    assert_eq!(status["target"]["state"], "unreachable", "{status:#}");
    assert_eq!(status["problems"], json!([format!("a signal to {target} would not arrive: {words}")]));
    assert!(agent.request("GET", "/metrics").body.contains("\nakv_agent_problems 1\n"));
    let ended = check(&work, &volume, target.clone()).without_capabilities().finish().expect(77);
    assert!(
        ended.out.contains(&format!("FAIL  {target}: a signal would not arrive: {words}")),
        "{}",
        ended.scene
    );

    // Tried in earnest, it fails for the same reason, which is told once.
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("the app was not told of a change");
    let status = agent.status();
    assert_eq!(status["problems"].as_array().unwrap().len(), 1, "{status:#}");
    assert!(!work.read("stranger").contains("signal"));
}

#[test]
fn the_capability_to_kill_is_enough_for_another_user() {
    if is_not_root() {
        return;
    }
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    install(&work, "allowed");
    let stranger = start_stranger(&work, "allowed");
    let agent = sidecar(&work, &volume, App::target(&work, "allowed"));
    let agent = ready(agent.under(&["setpriv", "--bounding-set=-all,+kill", "--inh-caps=-all"]));
    agent.wait_for_log(&format!("the target is process {}", stranger.pid()));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_status("the reaction", |status| status["reactions"] == 1);
    agent.wait_until("the signal", || work.read("stranger").contains("signal 1").then_some(()));
}

#[test]
fn a_pid_namespace_of_its_own_is_recognised() {
    if is_not_root() {
        return;
    }
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "elsewhere", &["--stop-on", "0"]);
    let own_id = work.write("app.pid", "1");
    let some_id = work.write("other.pid", app.pid().to_string());
    let alone: &[&str] = &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    for (target, words) in [
        (App::target(&work, "elsewhere"), "no process is called"),
        (format!("pidfile:{}", own_id.display()), "holds the id of the agent itself"),
        (format!("pidfile:{}", some_id.display()), "no process has it any more"),
        (format!("pidfile:{}", work.text("missing.pid")), "cannot read the pid file"),
    ] {
        let agent = ready(sidecar(&work, &volume, target).under(alone));
        agent.wait_for_log("set `shareProcessNamespace: true`");
        let (state, scene) = of_the_status(&agent, "state");
        assert_eq!(state, "unreachable", "{scene}");
        let problem = agent.wait_for_problem(words);
        assert!(problem.contains("only this container's processes are visible"), "{problem}");
    }
}

#[test]
fn a_proc_that_cannot_be_used_is_recognised() {
    if is_not_root() {
        return;
    }
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    install(&work, "hidden");
    let _stranger = start_stranger(&work, "hidden");
    let in_shell = |script: &'static str| ["unshare", "--mount", "sh", "-c", script, "sh"];
    // Members of group 0 see everything all the same.
    let hidden = in_shell(
        "mount -t proc -o hidepid=2 proc /proc && exec setpriv --regid=65534 --clear-groups \
         --bounding-set=-all --inh-caps=-all \"$@\"",
    );
    let covered = in_shell("mount -t tmpfs none /proc && exec \"$@\"");
    // Numbers as outside, where another process may have the number that is meant.
    let foreign: &[&str] = &["unshare", "--pid", "--fork", "--kill-child"];
    for (wrapper, words) in [
        (&hidden[..], "mounted with `hidepid`"),
        (&covered[..], "cannot look for processes in /proc"),
        (foreign, "it is that of another PID namespace"),
    ] {
        let agent = ready(sidecar(&work, &volume, App::target(&work, "hidden")).under(wrapper));
        agent.wait_for_log(words);
        let (state, scene) = of_the_status(&agent, "state");
        assert_eq!(state, "unreachable", "{scene}");
        agent.wait_for_problem(words);
    }
    assert!(!work.read("stranger").contains("signal"));
}
