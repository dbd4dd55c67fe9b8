//! A secret that is in the mount and in the vault, and a mount that does or does not keep up.
//!
//! Both generations of the CSI driver look the same from inside a pod: `..data` flips, or it does not.

use super::support::{Agent, App, Running, Volume, Workdir, read_env_file, secret};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use serde_json::Value;

const FIRST_PEM: &str = include_str!("../../src/stale/fixtures/first.pem");
const FIRST_PFX: &str = include_str!("../../src/stale/fixtures/first.pfx");

fn vault(secrets: &[(&str, &str)]) -> DevVault {
    let builder = DevVault::builder();
    secrets
        .iter()
        .fold(builder, |builder, (name, label)| builder.secret(name, &secret(label)))
        .start()
        .unwrap()
}

fn agent<'w>(work: &'w Workdir, volume: &Volume, vault: &DevVault, env: &str, stale: &str) -> Agent<'w> {
    Agent::sidecar(work)
        .vault(vault, env)
        .set("MOUNT", volume.text())
        .set("POLL_INTERVAL", "1s")
        .set("STALE_MOUNT", stale)
        .env_file()
}

fn value(work: &Workdir) -> Option<String> {
    read_env_file(&work.path("out/app.env"))?.get("SECRET").cloned()
}

fn wait_for_value(agent: &Running<'_>, work: &Workdir, label: &str) {
    agent.wait_until(&format!("the value {label:?}"), || value(work).filter(|v| *v == secret(label)));
}

fn wait_for_stale(agent: &Running<'_>, variable: &str) -> Value {
    agent.wait_for_status("stale", |status| status["variables"][variable]["stale"] == true)
}

fn metric(agent: &Running<'_>, line: &str) -> bool {
    agent.request("GET", "/metrics").body.lines().any(|l| l == line)
}

fn lines(agent: &Running<'_>, part: &str) -> usize {
    agent.err().lines().filter(|line| line.contains(part)).count()
}

#[test]
fn a_driver_that_has_stopped_is_reported_until_the_mount_catches_up() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("other", "x")]);
    let vault = vault(&[("db", "one"), ("other", "x")]);
    let env = "SECRET=db,AGAIN=db,OTHER=other,ONLY=mount:other";
    let agent = agent(&work, &volume, &vault, env, "1s").start();
    agent.wait_for_status("compared", |status| status["variables"]["SECRET"]["stale"] == false);
    assert!(metric(&agent, "akv_agent_mount_stale{variable=\"SECRET\"} 0"));

    let version = vault.set_secret("db", &secret("two"));
    let problem = agent.wait_for_problem("stale");
    assert!(problem.starts_with("AGAIN, SECRET: the mount's file 'db' is stale: since 2"), "{problem}");
    assert!(problem.contains(&format!("/secrets/db/{version};")), "{problem}");
    assert!(problem.contains("rotation enabled"), "{problem}");
    let status = agent.status();
    for variable in ["SECRET", "AGAIN"] {
        assert_eq!(status["variables"][variable]["stale"], true, "{status:#}");
        assert!(status["variables"][variable]["behindSince"].is_string(), "{status:#}");
    }
    assert_eq!(status["variables"]["OTHER"]["stale"], false, "{status:#}");
    assert_eq!(status["variables"]["ONLY"].get("stale"), None, "{status:#}");
    assert!(metric(&agent, "akv_agent_mount_stale{variable=\"SECRET\"} 1"));
    assert!(metric(&agent, "akv_agent_mount_stale{variable=\"OTHER\"} 0"));
    assert!(
        agent.request("GET", "/metrics").body.contains("akv_agent_mount_behind_since_timestamp_seconds{")
    );
    assert_eq!(value(&work), Some(secret("one")), "a report changes no value");

    volume.rotate(&[("db", "two"), ("other", "x")]);
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
    agent.wait_for_log("the mount's file 'db' has the vault's value again");
    assert!(metric(&agent, "akv_agent_mount_stale{variable=\"SECRET\"} 0"));
    assert!(!agent.request("GET", "/metrics").body.contains("mount_behind_since"));
    assert_eq!(agent.status()["changes"], 1);
    assert_eq!(lines(&agent, "'db' is stale"), 1, "{}", agent.err());
    assert_eq!(lines(&agent, "value again"), 1, "{}", agent.err());
}

#[test]
fn a_driver_that_comes_after_the_poll_is_in_time() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let vault = vault(&[("db", "0")]);
    let app = App::start(&work, "in-time", &["--stop-on", "0"]);
    let agent = agent(&work, &volume, &vault, "SECRET=db", "1h:vault")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "in-time"))
        .start();
    agent.wait_until_ready();
    for count in 1..=3 {
        let label = count.to_string();
        vault.set_secret("db", &secret(&label));
        let behind = |status: &Value| status["variables"]["SECRET"]["behindSince"].is_string();
        let status = agent.wait_for_status("behind", behind);
        assert_eq!(status["variables"]["SECRET"]["stale"], false);
        // The kubelet writes in another order than the driver.
        if count == 2 {
            volume.rotate_as_kubelet(&[("db", &label)]);
        } else {
            volume.rotate(&[("db", &label)]);
        }
        assert_eq!(app.wait_for_signals(count).len(), count);
        wait_for_value(&agent, &work, &label);
        agent.wait_for_status("level", |status| !behind(status));
    }
    assert_eq!(agent.status()["problems"], serde_json::json!([]));
    assert_eq!(lines(&agent, "stale"), 0, "{}", agent.err());
}

#[test]
fn an_answer_that_is_older_than_the_mount_proves_nothing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let vault = vault(&[("db", "one")]);
    let agent = agent(&work, &volume, &vault, "SECRET=db", "20ms:vault").set("POLL_INTERVAL", "1h").start();
    agent.wait_for_status("compared", |status| status["variables"]["SECRET"]["stale"] == false);
    vault.clear_requests();
    volume.rotate(&[("db", "two")]);
    wait_for_value(&agent, &work, "two");
    let passes = agent.status()["passes"].as_u64().unwrap();
    let status =
        agent.wait_for_status("several looks", |status| status["passes"].as_u64() > Some(passes + 5));
    assert_eq!(status["variables"]["SECRET"]["stale"], false, "{status:#}");
    assert_eq!(vault.requests().len(), 0, "the next round is soon enough");

    // The vault is asked, and it does not have what the mount has.
    agent.signal(libc::SIGHUP);
    wait_for_stale(&agent, "SECRET");
    wait_for_value(&agent, &work, "one");
    vault.set_secret("db", &secret("two"));
    agent.signal(libc::SIGHUP);
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
}

#[test]
fn the_vault_counts_instead_where_it_is_trusted_and_each_change_is_told_once() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let vault = vault(&[("db", "one")]);
    let app = App::start(&work, "instead", &["--stop-on", "0"]);
    let agent = agent(&work, &volume, &vault, "SECRET=db", "1s:vault")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "instead"))
        .start();
    wait_for_value(&agent, &work, "one");
    vault.set_secret("db", &secret("two"));
    assert_eq!(app.wait_for_signals(1).len(), 1);
    wait_for_value(&agent, &work, "two");
    let problem = agent.wait_for_problem("stale");
    assert!(problem.contains("the vault's value is used instead"), "{problem}");
    let source = agent.status()["variables"]["SECRET"]["source"].to_string();
    assert!(source.contains("/secrets/db"), "{source}");

    // The driver still does not come, and the vault moves on.
    vault.set_secret("db", &secret("three"));
    assert_eq!(app.wait_for_signals(2).len(), 2);
    wait_for_value(&agent, &work, "three");

    // It comes with what the app has.
    volume.rotate(&[("db", "three")]);
    agent.wait_until_well();
    let status = agent.status();
    assert_eq!(status["variables"]["SECRET"]["source"], "mount file 'db'");
    assert_eq!(status["changes"], 2);

    // It comes with something that the vault does not have: for now that is what counts.
    volume.rotate(&[("db", "four")]);
    assert_eq!(app.wait_for_signals(3).len(), 3);
    wait_for_value(&agent, &work, "four");
    wait_for_stale(&agent, "SECRET");
    wait_for_value(&agent, &work, "three");
    // Before the next one is sent: two signals of a kind that wait to be taken are one.
    assert_eq!(app.wait_for_signals(4).len(), 4);
    volume.rotate(&[("db", "five")]);
    agent.wait_for_log("which was stale, has changed and counts again");
    vault.set_secret("db", &secret("five"));
    agent.wait_until_well();
    wait_for_value(&agent, &work, "five");
    let status = agent.wait_for_status("all told", |status| status["reactions"] == status["changes"]);
    assert_eq!(status["changes"], 5, "{status:#}");
    assert_eq!(app.wait_for_signals(5).len(), 5);
    agent.stop().expect(0);
}

#[test]
fn another_form_of_the_same_is_no_difference() {
    let hex =
        |label: &str| secret(label).bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let work = Workdir::new();
    let certificate = &FIRST_PEM[FIRST_PEM.find("-----BEGIN CERTIFICATE").unwrap()..];
    let volume = Volume::empty(&work);
    let one = secret("one");
    let files = [("control", &*one), ("db", &one), ("web", FIRST_PEM), ("leaf", certificate), ("gone", &one)];
    volume.write_raw(&files);
    let vault = DevVault::builder()
        .secret("control", &secret("two"))
        .secret("db", &hex("one"))
        .secret("web", FIRST_PFX)
        .secret("leaf", FIRST_PFX)
        .start()
        .unwrap();
    let env = "CONTROL=control,SECRET=db,WEB=web,LEAF=leaf,GONE=gone";
    let agent = agent(&work, &volume, &vault, env, "1s:vault").start();
    // Once this one is stale, the others would be too.
    let status = wait_for_stale(&agent, "CONTROL");
    for variable in ["SECRET", "WEB", "LEAF"] {
        assert_eq!(status["variables"][variable]["stale"], false, "{variable}: {status:#}");
    }
    assert_eq!(status["variables"]["GONE"].get("stale"), None, "the vault has no such secret: {status:#}");
    assert_eq!(value(&work), Some(secret("one")));

    // And where there is a difference, the vault's value is used in the mount's form.
    vault.set_secret("db", &hex("two"));
    wait_for_value(&agent, &work, "two");
    let status = agent.status();
    assert_eq!(status["variables"]["SECRET"]["stale"], true);
    assert_eq!(status["variables"]["WEB"]["stale"], false);
}

#[test]
fn a_vault_that_fails_says_nothing_about_the_mount() {
    // The first is about the vault as a whole, the other about one secret.
    for code in [503, 403] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        let vault = vault(&[("db", "one")]);
        let agent = agent(&work, &volume, &vault, "SECRET=db", "20ms").start();
        agent.wait_for_status("compared", |status| status["variables"]["SECRET"]["stale"] == false);
        vault.faults().push(Fault::new(Endpoint::Vault, Action::status(code)));
        vault.clear_requests();
        // The second request is not sent before the answer to the first has been taken in.
        agent.wait_until("two failures", || (vault.requests().len() >= 2).then_some(()));
        volume.rotate(&[("db", "two")]);
        wait_for_value(&agent, &work, "two");
        vault.clear_requests();
        agent.wait_until("one more", || (vault.requests().len() >= 2).then_some(()));
        let status = agent.status();
        assert_eq!(status["variables"]["SECRET"]["stale"], false, "{code}: {status:#}");
        vault.faults().clear();
        wait_for_stale(&agent, "SECRET");
        vault.set_secret("db", &secret("two"));
        agent.wait_until_well();
    }
}

#[test]
fn without_a_comparison_nothing_is_said() {
    for setting in [("STALE_MOUNT", "off"), ("POLL_INTERVAL", "off")] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one"), ("late", "x")]);
        let vault = vault(&[("db", "two"), ("api", "api")]);
        let agent =
            agent(&work, &volume, &vault, "SECRET=db,API=api", "1ms").set(setting.0, setting.1).start();
        // Its round is over with the answer for this one.
        agent.wait_for_status("the vault", |status| {
            status["ready"] == true && status["vault"]["lastSuccess"].is_string()
        });
        volume.rotate(&[("db", "one"), ("late", "y")]);
        agent.wait_for_generation(&volume.generation());
        let status = agent.status();
        assert_eq!(status["variables"]["SECRET"].get("stale"), None, "{status:#}");
        assert_eq!(status["problems"], serde_json::json!([]));
        assert!(!agent.request("GET", "/metrics").body.contains("mount_stale"));
    }
}

#[test]
fn check_shows_a_difference() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("other", "x")]);
    let vault = vault(&[("db", "one"), ("other", "x")]);
    let version = vault.set_secret("db", &secret("two"));
    let check = |stale: &str| {
        let agent = Agent::new(&work, "check").vault(&vault, "SECRET=db,OTHER=other").env_file();
        agent.set("MOUNT", volume.text()).set("STALE_MOUNT", stale).finish().expect(0)
    };
    let checked = check("7m");
    let notes: Vec<_> = checked.out.lines().filter(|line| line.starts_with("note ")).collect();
    let expected = format!(
        "note  SECRET: the mount's file 'db' differs from {}/secrets/db/{version}; it would be stale after 420s",
        vault.url()
    );
    assert_eq!(notes, [expected], "{}", checked.scene);
    assert!(!check("off").out.contains("note "), "nothing is compared");
}

#[test]
fn without_a_poll_the_vault_is_asked_only_for_what_the_mount_lacks() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("other", "x")]);
    let vault = vault(&[("db", "vault"), ("api", "api")]);
    let start = |env| agent(&work, &volume, &vault, env, "1ms:vault").set("POLL_INTERVAL", "off").start();
    let agent = start("SECRET=db");
    wait_for_value(&agent, &work, "one");
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("a refresh was asked for");
    volume.rotate(&[("db", "two"), ("other", "x")]);
    wait_for_value(&agent, &work, "two");
    assert_eq!(vault.requests().len(), 0, "not even for a token");

    volume.rotate(&[("other", "x")]);
    wait_for_value(&agent, &work, "vault");
    volume.rotate(&[("db", "three"), ("other", "x")]);
    wait_for_value(&agent, &work, "three");
    agent.stop().expect(0);

    let asked = |name: &str| vault.requests().iter().filter(|r| r.path.contains(name)).count();
    // What only the vault has is asked for, and nothing besides.
    volume.rotate(&[("db", "four")]);
    vault.clear_requests();
    let agent = start("SECRET=db,API=api");
    wait_for_value(&agent, &work, "four");
    agent.wait_for_status("its round", |status| status["vault"]["lastSuccess"].is_string());
    assert_eq!((asked("/secrets/api"), asked("/secrets/db")), (1, 0));
    agent.signal(libc::SIGHUP);
    agent.wait_until("another round", || (asked("/secrets/api") == 2).then_some(()));
    agent.signal(libc::SIGHUP);
    agent.wait_until("a third round", || (asked("/secrets/api") == 3).then_some(()));
    assert_eq!(asked("/secrets/db"), 0, "nor on request");
}
