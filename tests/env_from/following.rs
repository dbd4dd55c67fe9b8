//! What changes in the vault changes the env file, and nothing else is asked for.

use super::{
    DISABLED, ENABLED, configured, skipped,
    support::{Agent, App, Running, Workdir, secret},
    wait_for,
};
use dev_vault::{DEFAULT_VAULT, DevVault};

const YAML: &str = "envFrom: {prefix: app-}\n";

/// The requests for the list, and for the secret of this name.
fn requests(vault: &DevVault, name: &str) -> (usize, usize) {
    let count = |path: &str| {
        let requests = vault.requests().into_iter();
        requests.filter(|request| request.path.trim_end_matches('/') == path).count()
    };
    (count("/secrets"), count(&format!("/secrets/{name}")))
}

/// Waits until the vault has been listed this many more times. A round begins when the one before is over, so all
/// that follows from the lists before the last one has been done.
fn wait_for_lists(agent: &Running<'_>, vault: &DevVault, more: usize) {
    let wanted = requests(vault, "").0 + more;
    agent.wait_until(&format!("{more} more lists"), || (requests(vault, "").0 >= wanted).then_some(()));
}

#[test]
fn what_comes_changes_and_goes_is_told_once_each() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("app-db", &secret("one")).start().unwrap();
    let app = App::start(&work, "found-app", &["--stop-on", "0"]);
    let agent = configured(Agent::sidecar(&work), &vault, YAML)
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "found-app"))
        .start();
    wait_for(&agent, &work, &[("APP_DB", "one")]);
    let mut told = 0;
    let mut expect = |variables: &[(&str, &str)]| {
        told += 1;
        wait_for(&agent, &work, variables);
        assert_eq!(app.wait_for_signals(told), vec![libc::SIGHUP; told]);
        // Rounds that find no change tell nothing.
        wait_for_lists(&agent, &vault, 2);
        assert_eq!(app.signals().len(), told, "{}", agent.scene());
    };
    vault.set_secret("app-new", &secret("new"));
    expect(&[("APP_DB", "one"), ("APP_NEW", "new")]);
    vault.set_secret("app-db", &secret("two"));
    expect(&[("APP_DB", "two"), ("APP_NEW", "new")]);
    vault.delete_secret("app-new");
    expect(&[("APP_DB", "two")]);
    vault.set_secret("other", &secret("other"));
    wait_for_lists(&agent, &vault, 2);
    assert_eq!(app.signals().len(), 3, "{}", agent.scene());
    agent.wait_until_well();
}

#[test]
fn what_is_disabled_goes_and_comes_back() {
    let work = Workdir::new();
    let vault =
        DevVault::builder().secret("app-a", &secret("a")).secret("app-b", &secret("b")).start().unwrap();
    let agent = configured(Agent::sidecar(&work), &vault, YAML).start();
    wait_for(&agent, &work, &[("APP_A", "a"), ("APP_B", "b")]);
    vault.set_attributes("app-b", DISABLED);
    wait_for(&agent, &work, &[("APP_A", "a")]);
    agent.wait_until("what is left out", || (!skipped(&agent).is_empty()).then_some(()));
    vault.set_attributes("app-b", ENABLED);
    wait_for(&agent, &work, &[("APP_A", "a"), ("APP_B", "b")]);
    agent.wait_until("nothing left out", || skipped(&agent).is_empty().then_some(()));
}

#[test]
fn tags_that_change_choose_anew() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("a", &secret("a")).secret("b", &secret("b")).start().unwrap();
    let default = vault.vault(DEFAULT_VAULT);
    default.set_tags("a", &[("env", "prod")]);
    let agent = configured(Agent::sidecar(&work), &vault, "envFrom: {tags: {env: prod}}\n").start();
    wait_for(&agent, &work, &[("A", "a")]);
    default.set_tags("b", &[("env", "prod")]);
    wait_for(&agent, &work, &[("A", "a"), ("B", "b")]);
    default.set_tags("a", &[("env", "test")]);
    wait_for(&agent, &work, &[("B", "b")]);
}

#[test]
fn what_the_list_shows_unchanged_is_not_asked_for_again() {
    let work = Workdir::new();
    let vault =
        DevVault::builder().secret("app-a", &secret("a")).secret("app-b", &secret("one")).start().unwrap();
    let agent = configured(Agent::sidecar(&work), &vault, YAML).start();
    wait_for(&agent, &work, &[("APP_A", "a"), ("APP_B", "one")]);
    // The first rounds ask again: a list tells the time of a change in whole seconds only.
    agent.wait_until("a list after which nothing is asked for", || {
        let requests = vault.requests();
        let last = requests.iter().rev().take(2).map(|request| request.path.trim_end_matches('/'));
        last.eq(["/secrets"; 2]).then_some(())
    });
    vault.clear_requests();
    wait_for_lists(&agent, &vault, 3);
    assert_eq!((requests(&vault, "app-a").1, requests(&vault, "app-b").1), (0, 0));
    vault.set_secret("app-b", &secret("two"));
    wait_for(&agent, &work, &[("APP_A", "a"), ("APP_B", "two")]);
    assert_eq!(requests(&vault, "app-a").1, 0);
    assert!(requests(&vault, "app-b").1 > 0);
}
