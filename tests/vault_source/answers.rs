//! What a vault can answer, and what becomes of it.

use super::support::{Setup, is_good, problem_of, requests, state, value_of};
use akv_agent::failure::Class;
use dev_vault::{Action, Attributes, DEFAULT_VAULT, DevVault, Endpoint, Fault};
use std::time::{Duration, Instant};

fn fault(action: Action) -> Fault {
    Fault::new(Endpoint::Vault, action)
}

#[test]
fn a_disabled_or_deleted_secret_keeps_its_last_good_value() {
    let vault = DevVault::builder().secret("db", "1").secret("api", "2").secret("live", "3").start().unwrap();
    let agent = Setup::new(&vault).secret("db").secret("api").secret("live").start();
    agent.wait_until_good();
    vault.set_attributes("db", Attributes { enabled: Some(false), ..Attributes::default() });
    vault.delete_secret("api");
    vault.set_secret("live", "4");
    agent.source.refresh();
    let seen = agent.wait_for_value("live", "4");
    assert_eq!(value_of(&seen, "db").as_deref(), Some("1"));
    assert!(problem_of(&seen, "db").contains("SecretDisabled"));
    assert_eq!(value_of(&seen, "api").as_deref(), Some("2"));
    assert!(problem_of(&seen, "api").contains("SecretNotFound"));
    assert!(is_good(state(&seen, "live")));
    assert_eq!(seen.problem, None);

    vault.vault(DEFAULT_VAULT).recover_secret("api");
    vault.set_attributes("db", Attributes { enabled: Some(true), ..Attributes::default() });
    agent.source.refresh();
    agent.wait_until_good();
}

#[test]
fn a_missing_or_forbidden_secret_does_not_hold_up_the_others() {
    let vault = DevVault::builder().secret("db", "1").secret("secured", "2").start().unwrap();
    let forbidden =
        r#"{"error":{"code":"Forbidden","message":"no\r\n","innererror":{"code":"ForbiddenByRbac"}}}"#;
    vault.faults().push(
        fault(Action::Status {
            status: 403,
            retry_after: None,
            body: Some(forbidden.into()),
            content_type: None,
        })
        .secret("secured"),
    );
    let agent = Setup::new(&vault).secret("db").secret("secured").secret("absent").start();
    let seen = agent.wait_until(|seen| seen.rounds > 0);
    assert!(is_good(state(&seen, "db")));
    assert_eq!(seen.problem, None);
    for (name, class, transient, words) in [
        ("secured", Class::Permission, true, "may not read secrets (ForbiddenByRbac); assign it the role"),
        ("absent", Class::Unavailable, false, "no such secret (HTTP 404 SecretNotFound"),
    ] {
        let problem = state(&seen, name).problem.as_ref().unwrap();
        assert_eq!((problem.class, problem.transient), (class, transient), "{problem:?}");
        assert!(problem.message.starts_with(&format!("{}/secrets/{name}: ", vault.url())), "{problem:?}");
        assert!(problem.message.contains(words), "{problem:?}");
    }

    // What may still be allowed is asked for again long before the next poll, and only that.
    vault.faults().clear();
    agent.wait_until(|seen| is_good(state(seen, "secured")));
    let asked =
        |path| requests(&vault, Endpoint::Vault).iter().filter(|request| request.path == path).count();
    assert_eq!((asked("/secrets/db/"), asked("/secrets/absent/")), (1, 1));

    // What is not there is asked for again with the next round.
    vault.set_secret("absent", "3");
    agent.source.refresh();
    agent.wait_until_good();
}

#[test]
fn a_throttled_round_goes_on_where_it_stopped_and_not_before_its_time() {
    let vault = DevVault::builder().secret("a", "1").secret("b", "2").secret("c", "3").start().unwrap();
    vault.faults().push(fault(Action::throttled(Some(3))).secret("b").times(1));
    let agent = Setup::new(&vault).secret("a").secret("b").secret("c").start();
    let problem = agent.wait_for_problem();
    let throttled = Instant::now();
    assert!(problem.transient && problem.message.contains("HTTP 429 Throttled"), "{problem:?}");
    let seen = agent.source.latest();
    assert!(is_good(state(&seen, "a")) && is_good(state(&seen, "c")));
    assert!(state(&seen, "b").good.is_none());
    assert_eq!(seen.last_success, None);

    agent.wait_until_good();
    assert!(throttled.elapsed() > Duration::from_millis(2_500), "{:?}", throttled.elapsed());
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 4);
}

#[test]
fn a_request_to_refresh_does_not_break_into_retry_after() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let agent = Setup::new(&vault).secret("a").start();
    agent.wait_until_good();
    vault.faults().push(fault(Action::throttled(Some(3))).times(1));
    agent.source.refresh();
    agent.wait_for_problem();
    let throttled = Instant::now();
    agent.source.refresh();
    let seen = agent.wait_until_good();
    assert!(throttled.elapsed() > Duration::from_millis(2_500), "{:?}", throttled.elapsed());
    assert_eq!(seen.requests, 3);
}

#[test]
fn whatever_a_broken_vault_sends_the_last_good_value_stays() {
    let canary = "canary-7f3a";
    let vault = DevVault::builder().secret("db", canary).start().unwrap();
    let agent = Setup::new(&vault).secret("db").start();
    agent.wait_for_value("db", canary);
    let quoting = format!(r#"{{"value":["{canary}"],"id":"{canary}"}}"#);
    let status = |status, body: &str| Action::Status {
        status,
        retry_after: None,
        body: Some(body.into()),
        content_type: None,
    };
    for (action, words) in [
        (Action::status(500), "HTTP 500"),
        (Action::html(502), "HTTP 502: the answer is a web page"),
        (status(503, canary), "HTTP 503: the answer is not JSON"),
        (status(200, &quoting), "not what Key Vault sends"),
        (status(200, &" ".repeat(1 << 21)), "longer than 1048576 bytes"),
        (status(302, ""), "unexpected answer (HTTP 302"),
        (Action::Cut, "the connection was cut before the answer"),
        (Action::CutBody, "the connection was cut in the middle of the answer"),
        (Action::Truncate, "not what Key Vault sends"),
        (Action::html(500), "HTTP 500: the answer is a web page"),
        (Action::WrongShape, "not what Key Vault sends"),
        (status(200, "{}"), "the answer names no version"),
    ] {
        vault.faults().replace(vec![fault(action.clone())]);
        agent.source.refresh();
        let seen = agent.wait_until(|seen| {
            state(seen, "db").problem.as_ref().is_some_and(|problem| problem.message.contains(words))
        });
        assert!(!problem_of(&seen, "db").contains(canary), "{action:?}: {}", problem_of(&seen, "db"));
        assert_eq!(value_of(&seen, "db").as_deref(), Some(canary), "{action:?}");
    }
    vault.faults().clear();
    agent.source.refresh();
    agent.wait_until_good();
}

#[test]
fn a_body_that_dribbles_in_is_read() {
    let vault = DevVault::builder().secret("db", "slow").start().unwrap();
    vault.faults().push(fault(Action::slow_body(Duration::from_millis(5), 10)));
    let agent = Setup::new(&vault).secret("db").start();
    agent.wait_for_value("db", "slow");
}
