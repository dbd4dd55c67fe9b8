//! What an operator, a probe and a scraper see.

use super::support::{Agent, App, Running, Volume, Workdir, eventually, secret};
use dev_vault::{Attributes, DevVault};
use nix::{
    sys::{ptrace, wait::waitpid},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    time::Instant,
};

fn start<'w>(work: &'w Workdir, volume: &Volume) -> Running<'w> {
    Agent::sidecar(work).mount(volume, "SECRET=db,API_KEY=api").env_file().start()
}

/// The sample lines of one metric.
fn samples<'a>(metrics: &'a str, name: &str) -> Vec<&'a str> {
    metrics.lines().filter(|line| line.starts_with(&format!("akv_agent_{name}"))).collect()
}

#[test]
fn probes_follow_the_first_set() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = start(&work, &volume);
    let live = agent.request("GET", "/livez");
    assert_eq!((live.status, &*live.body), (200, "ok\n"));
    agent.wait_for_problem("is empty");
    let ready = agent.request("GET", "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("SECRET") && ready.body.contains("API_KEY"), "{}", ready.body);
    assert!(agent.request("GET", "/metrics").body.contains("akv_agent_ready 0\n"));
    volume.rotate(&[("db", "one"), ("api", "key")]);
    agent.wait_until("ready", || (agent.request("GET", "/readyz").status == 200).then_some(()));
    // Once ready, always ready: what is missing now does not take the app's set away.
    volume.rotate(&[("db", "one")]);
    agent.wait_for_problem("API_KEY");
    assert_eq!(agent.request("GET", "/readyz").status, 200);
    assert_eq!(agent.request("GET", "/livez").status, 200);
}

#[test]
fn the_status_tells_all_but_the_values() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = start(&work, &volume);
    agent.wait_until_ready();
    let answer = agent.request("GET", "/v1/status");
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let status = answer.json();
    assert_eq!(status["use"], "sidecar");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ready"], true);
    assert_eq!(status["problems"], json!([]));
    assert_eq!(status["mount"], json!({"generation": volume.generation(), "watch": "inotify"}));
    assert_eq!(status["variables"]["SECRET"]["source"], "mount file 'db'");
    assert!(is_time(&status["variables"]["API_KEY"]["changed"]), "{status:#}");
    assert_eq!((&status["changes"], &status["reactions"]), (&json!(0), &json!(0)));
    assert_eq!((status.get("child"), status.get("vault")), (None, None), "neither is used");

    volume.rotate(&[("db", "two"), ("api", "key")]);
    let status = agent.wait_for_status("the change", |status| status["changes"] == 1);
    assert_eq!(status["mount"]["generation"], volume.generation());
}

fn is_time(value: &Value) -> bool {
    let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
    value.as_str().is_some_and(|text| text.chars().map(digits).eq("0000-00-00T00:00:00Z".chars()))
}

#[test]
fn a_secret_of_a_vault_has_version_and_expiry_in_the_status() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("old")).start().unwrap();
    let version = vault.set_secret("db", &secret("new"));
    let dates = Attributes { enabled: Some(true), nbf: None, exp: Some(4_102_444_800) };
    vault.set_attributes("db", dates);
    let agent = Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().start();
    agent.wait_until_ready();
    let status = agent.status();
    let variable = &status["variables"]["SECRET"];
    assert_eq!(variable["source"], format!("{}/secrets/db", vault.url()));
    assert_eq!(variable["version"], version);
    assert_eq!(variable["expires"], "2100-01-01T00:00:00Z");
    assert_eq!(status["vault"]["requests"], 1);
    assert!(is_time(&status["vault"]["lastSuccess"]), "{status:#}");
    assert_eq!(status.get("mount"), None);
    let metrics = agent.request("GET", "/metrics").body;
    assert_eq!(samples(&metrics, "vault_requests_total"), ["akv_agent_vault_requests_total 1"]);
    // One for the token and one for the secret; here both come from one host.
    let host = vault.url().replace("https://", "");
    let answers = format!("akv_agent_http_requests_total{{host=\"{host}\",code=\"200\"}} 2");
    assert_eq!(samples(&metrics, "http_requests_total"), [answers]);
    assert_eq!(
        samples(&metrics, "variable_expires_timestamp_seconds"),
        ["akv_agent_variable_expires_timestamp_seconds{variable=\"SECRET\"} 4102444800"]
    );
}

#[test]
fn metrics_are_in_prometheus_text_format() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let app = App::start(&work, "metrics-app", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db,API_KEY=api")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "metrics-app"))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two"), ("api", "key")]);
    app.wait_for_signals(1);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    let answer = agent.request("GET", "/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let metrics = answer.body;
    for (name, sample) in [
        ("ready", "akv_agent_ready 1"),
        ("problems", "akv_agent_problems 0"),
        ("changes_total", "akv_agent_changes_total 1"),
        ("reactions_total", "akv_agent_reactions_total{reaction=\"signal\",result=\"success\"} 1"),
    ] {
        assert_eq!(samples(&metrics, name)[0], sample, "{metrics}");
        assert!(metrics.contains(&format!("# HELP akv_agent_{name} ")), "{metrics}");
        assert!(metrics.contains(&format!("# TYPE akv_agent_{name} ")), "{metrics}");
    }
    assert_eq!(samples(&metrics, "build_info").len(), 1);
    assert_eq!(samples(&metrics, "variable_changed_timestamp_seconds").len(), 2);
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("akv_agent_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn other_requests_are_refused_politely() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = start(&work, &volume);
    for (method, path, status) in [
        ("GET", "/nonsense", 404),
        ("GET", "/v1/refresh", 405),
        ("POST", "/v1/status", 405),
        ("DELETE", "/metrics", 405),
        ("HEAD", "/livez", 200),
        ("POST", "/", 405),
        ("HEAD", "/", 200),
        ("POST", "/v1/refresh", 200),
        ("POST", "/v1/refresh?wait=false", 202),
        ("POST", "/v1/refresh?timeout=6m", 400),
    ] {
        let answer = agent.request(method, path);
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 405 {
            let allowed = if path == "/v1/refresh" { "allow: post" } else { "allow: get, head" };
            assert!(answer.head.contains(allowed), "{}", answer.head);
        }
    }
}

#[test]
fn the_page_shows_the_status_to_people() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db,API_KEY=api")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", "process:<b>&'\"")
        .start();
    agent.wait_until_ready();
    let page = agent.request("GET", "/");
    assert_eq!(page.status, 200);
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none';",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
    ] {
        assert!(page.head.contains(header), "{}", page.head);
    }
    for part in
        [env!("CARGO_PKG_VERSION"), "SECRET", "API_KEY", "mount file &#39;db&#39;", &volume.generation()]
    {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    volume.rotate(&[("db", "two"), ("api", "key")]);
    agent.wait_for_problem("<b>");
    let page = agent.request("GET", "/").body;
    assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>"), "{page}");
    assert_eq!(agent.status()["target"]["target"], "process:<b>&'\"");
}

#[test]
fn what_a_web_page_can_send_is_refused() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = start(&work, &volume);
    agent.wait_until_ready();
    let foreign = [("Host", "evil.example:9808")];
    for (method, path) in [("GET", "/"), ("GET", "/v1/status"), ("POST", "/v1/refresh")] {
        let answer = agent.request_with(method, path, &foreign);
        assert_eq!(answer.status, 421, "{path}");
        assert!(!answer.body.contains("SECRET") && !answer.body.contains("evil"), "{}", answer.body);
    }
    // A kubelet and a scraper name the pod as they know it.
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(agent.request_with("GET", path, &foreign).status, 200, "{path}");
    }
    for host in ["localhost:9808", "127.0.0.1:9808", "[::1]"] {
        assert_eq!(agent.request_with("GET", "/v1/status", &[("Host", host)]).status, 200, "{host}");
    }
    for (header, status) in [
        (("Origin", "http://localhost:9808"), 403),
        (("Content-Type", "application/x-www-form-urlencoded"), 415),
        (("Content-Type", "text/plain"), 415),
    ] {
        assert_eq!(agent.request_with("POST", "/v1/refresh", &[header]).status, status, "{header:?}");
    }
    assert_eq!(agent.status()["refreshes"], 0);
}

/// Stops a program's main thread, as a file system does that no longer answers. Its other threads go on.
fn hang_main_thread(agent: &Running<'_>) -> nix::Result<Pid> {
    let main = Pid::from_raw(agent.pid());
    ptrace::seize(main, ptrace::Options::empty())?;
    ptrace::interrupt(main)?;
    waitpid(main, None)?;
    agent.signal(libc::SIGHUP);
    // A file of the mount, whatever it does before.
    while !opens_a_file(main) {
        ptrace::syscall(main, None)?;
        waitpid(main, None)?;
    }
    Ok(main)
}

/// Whether it is stopped in the system call that opens a file. `/proc/PID/syscall`, proc(5).
fn opens_a_file(main: Pid) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{main}/syscall")).unwrap();
    let number = call.split(' ').next().and_then(|number| number.parse().ok());
    number.is_some_and(|number| [libc::SYS_openat, libc::SYS_openat2].contains(&number))
}

#[test]
fn an_agent_whose_loop_hangs_is_not_alive() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = start(&work, &volume);
    agent.wait_until_ready();
    let main = match hang_main_thread(&agent) {
        Ok(main) => main,
        Err(errno) => {
            // Not by a macro, whose output is shown only if the test fails.
            let _ = writeln!(io::stderr(), "skipped: the agent cannot be traced: {errno}");
            return;
        }
    };
    let live = || agent.request("GET", "/livez");
    assert_eq!(live().status, 200, "it may take its time");
    let answer = agent.wait_until("it is too long", || Some(live()).filter(|answer| answer.status == 503));
    assert!(answer.body.starts_with("the agent has been busy with one thing for 1"), "{}", answer.body);
    let address = agent.address().to_string();
    let probe = || Agent::new(&work, "probe").argument("live").set("LISTEN", &address).finish();
    let probed = probe().expect(1);
    assert!(probed.complaints()[0].contains("busy with one thing"), "{}", probed.scene);
    let refreshed = agent.request("POST", "/v1/refresh?timeout=1ms");
    assert_eq!(refreshed.status, 503, "{}", refreshed.body);
    ptrace::detach(main, None).unwrap();
    agent.wait_until("it turns again", || (live().status == 200).then_some(()));
    probe().expect(0);
    agent.stop().expect(0);
}

#[test]
fn an_address_in_use_is_an_error_if_it_was_asked_for() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let taken = TcpListener::bind(super::support::free_address()).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let agent = || Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().set("LISTEN", &address);
    let ended = agent().finish().expect(69);
    let complaints = ended.complaints();
    assert_eq!(complaints.len(), 1, "{}", ended.scene);
    assert!(complaints[0].contains(&address) && complaints[0].contains("`listen`"), "{complaints:?}");
    assert!(!work.path("out/app.env").exists());
}

#[test]
fn the_default_address_in_use_is_only_a_warning() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // Another agent on this machine may have it for a while; then it is its turn first.
    let taken = eventually("the default address", || TcpListener::bind("127.0.0.1:9808").ok());
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().unset("LISTEN").start();
    agent.wait_for_log("127.0.0.1:9808");
    agent.wait_until("the env file", || work.path("out/app.env").exists().then_some(()));
    assert!(agent.err().contains("WARN"), "{}", agent.err());
    agent.stop().expect(0);
    drop(taken);
}

#[test]
fn without_a_listener_everything_else_works() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().set("LISTEN", "off").start();
    for label in ["one", "two"] {
        if label == "two" {
            volume.rotate(&[("db", label)]);
        }
        let content = format!("export SECRET='{}'\n", secret(label));
        agent.wait_until(label, || (work.read("out/app.env") == content).then_some(()));
    }
    agent.stop().expect(0);
}

#[test]
fn a_server_that_cannot_be_started_is_started_later() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = start(&work, &volume);
    agent.wait_for_log("snapshot applied");
    let limit = |descriptors: &str| {
        let pid = agent.pid().to_string();
        let limited =
            Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={descriptors}:")]).status();
        assert!(limited.unwrap().success());
    };
    // None is free below it, and it is as many as the loop waits on at once.
    limit("5");
    let asked = Instant::now();
    let _client = TcpStream::connect(agent.address()).unwrap();
    let tries = || agent.err().matches("status cannot be served").count();
    agent.wait_until("a second try", || (tries() >= 2).then_some(()));
    let tries = tries();
    assert!(tries as u64 <= 1 + asked.elapsed().as_secs(), "{}", agent.scene());
    limit("1024");
    agent.wait_until_ready();
    assert!(!agent.err().contains("poll failed"), "{}", agent.scene());
}

#[test]
fn many_clients_at_once_get_their_answers() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("api", "key")]);
    let agent = start(&work, &volume);
    agent.wait_until_ready();
    // Some connect and say nothing, as a port scan does.
    let silent: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(agent.address()).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(agent.request("GET", "/livez").status, 200);
                }
            });
        }
    });
    drop(silent);
}
