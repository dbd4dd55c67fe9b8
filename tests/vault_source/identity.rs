//! How a token is got, lost and got again.

use super::support::{Setup, problem_of, requests, value_of, wait_for_requests};
use akv_agent::failure::Class;
use dev_vault::{Action, DevVault, Endpoint, Fault};
use std::{fs, time::Duration};

#[test]
fn a_revoked_token_is_replaced_at_once() {
    let vault = DevVault::builder().secret("a", "1").secret("b", "2").start().unwrap();
    let agent = Setup::new(&vault).secret("a").secret("b").start();
    agent.wait_until_good();
    vault.revoke_tokens();
    vault.set_secret("a", "3");
    vault.clear_requests();
    agent.source.refresh();
    agent.wait_for_value("a", "3");
    agent.wait_until_good();
    assert_eq!(requests(&vault, Endpoint::Token).len(), 1);
    let refused = requests(&vault, Endpoint::Vault).iter().filter(|request| request.status == 401).count();
    assert!((1..=2).contains(&refused), "{refused}");
}

#[test]
fn a_token_that_stays_refused_is_reported_and_not_asked_for_without_end() {
    let vault =
        DevVault::builder().secret("a", "1").challenge_resource("https://elsewhere.example").start().unwrap();
    let agent = Setup::new(&vault).secret("a").start();
    let problem = agent.wait_for_problem();
    assert_eq!((problem.class, problem.transient), (Class::Permission, false));
    assert!(problem.message.contains("refuses a new token of workload identity"), "{problem:?}");
    assert!(problem.message.contains("it wants one for https://elsewhere.example"), "{problem:?}");
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 2);
}

#[test]
fn the_token_file_is_read_anew_and_without_its_line_end() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let file = vault.federated_token_file();
    let end_with_newline = || {
        let token = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{}\n", token.trim())).unwrap();
    };
    end_with_newline();
    let agent = Setup::new(&vault).secret("a").start();
    agent.wait_until_good();
    vault.rotate_federated_token().unwrap();
    end_with_newline();
    vault.revoke_tokens();
    vault.set_secret("a", "2");
    agent.source.refresh();
    agent.wait_for_value("a", "2");
}

#[test]
fn a_missing_token_file_is_named() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let agent = Setup::new(&vault).var("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token").secret("a").start();
    let problem = agent.wait_for_problem();
    assert_eq!((problem.class, problem.transient), (Class::Config, false));
    assert!(problem.message.contains("the token file /nowhere/token cannot be read"), "{problem:?}");
    assert!(requests(&vault, Endpoint::Token).is_empty());
}

#[test]
fn an_unknown_client_is_waited_for() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let stranger = "57a46e12-0000-4000-8000-000000000000";
    let agent = Setup::new(&vault).var("AZURE_CLIENT_ID", stranger).secret("a").start();
    let problem = agent.wait_for_problem();
    assert_eq!((problem.class, problem.transient), (Class::Permission, true));
    assert!(problem.message.contains(stranger) && problem.message.contains("AADSTS700016"), "{problem:?}");
    assert!(!problem.message.contains("Trace ID"), "{problem:?}");
    assert!(requests(&vault, Endpoint::Vault).is_empty());
}

#[test]
fn entra_may_fail_for_a_while() {
    let vault = DevVault::builder().secret("a", "1").secret("b", "2").start().unwrap();
    vault.faults().push(Fault::new(Endpoint::Token, Action::html(503)).times(1));
    let agent = Setup::new(&vault).secret("a").secret("b").start();
    let problem = agent.wait_for_problem();
    assert!(problem.transient && problem.message.contains("Entra failed (HTTP 503"), "{problem:?}");
    let seen = agent.source.latest();
    assert!(
        problem_of(&seen, "a").contains("Entra failed") && problem_of(&seen, "b").contains("Entra failed")
    );
    agent.wait_until_good();
    // Both secrets waited for the same token, the first time as well.
    assert_eq!(requests(&vault, Endpoint::Token).len(), 2);
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 2);
}

#[test]
fn a_token_is_renewed_while_the_old_one_still_works() {
    let vault = DevVault::builder().secret("a", "1").token_lifetime(Duration::from_secs(6)).start().unwrap();
    let agent = Setup::new(&vault).var("AKV_AGENT_POLL_INTERVAL", "1s").secret("a").start();
    agent.wait_until_good();
    // The renewal, due after three seconds, fails; nobody notices.
    vault.faults().push(Fault::new(Endpoint::Token, Action::status(503)).times(1));
    wait_for_requests(&vault, Endpoint::Token, 3);
    let asked = requests(&vault, Endpoint::Vault);
    assert!(asked.iter().all(|request| request.status == 200), "{asked:#?}");
    assert_eq!(agent.source.latest().problem, None);
}

#[test]
fn a_managed_identity_gets_its_token_from_imds() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let setup = || {
        Setup::new(&vault)
            .without("AZURE_FEDERATED_TOKEN_FILE")
            .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
            .secret("a")
    };
    setup().start().wait_until_good();
    let asked = requests(&vault, Endpoint::Imds);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].query.contains(&format!("client_id={}", vault.client_id())), "{asked:?}");
    assert!(requests(&vault, Endpoint::Token).is_empty());

    vault.clear_requests();
    setup().without("AZURE_CLIENT_ID").start().wait_until_good();
    assert!(!requests(&vault, Endpoint::Imds)[0].query.contains("client_id"));
}

#[test]
fn imds_may_not_be_ready() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    vault.faults().push(Fault::new(Endpoint::Imds, Action::status(404)).times(1));
    let agent = Setup::new(&vault)
        .yaml("identity: managed")
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
        .secret("a")
        .start();
    let problem = agent.wait_for_problem();
    assert!(problem.transient && problem.message.contains("IMDS is not ready (HTTP 404"), "{problem:?}");
    agent.wait_until_good();
    assert_eq!(requests(&vault, Endpoint::Imds).len(), 2);
}

#[test]
fn an_identity_that_is_not_assigned_is_named() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let stranger = "57a46e12-0000-4000-8000-000000000000";
    let agent = Setup::new(&vault)
        .yaml(&format!("identity: {{managed: {{clientId: {stranger}}}}}"))
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
        .secret("a")
        .start();
    let problem = agent.wait_for_problem();
    assert_eq!(problem.class, Class::Permission);
    assert!(
        problem.message.starts_with(&format!("managed identity {stranger}: IMDS gives no token")),
        "{problem:?}"
    );
}

#[test]
fn each_vault_is_asked_by_its_own_identity() {
    let vault =
        DevVault::builder().secret("a", "1").secret_in("other", "b", "2").secret_in("third", "c", "3");
    let vault = vault.start().unwrap();
    let (other, third) = (vault.vault_url("other"), vault.vault_url("third"));
    let reference = |url: &str, name: &str| format!("akv://{}/{name}", url.strip_prefix("https://").unwrap());
    let stranger = "57a46e12-0000-4000-8000-000000000000";
    let agent = Setup::new(&vault)
        .yaml("vaults:")
        .yaml(&format!("  {other}: {{identity: managed}}"))
        .yaml(&format!("  {third}: {{identity: {{managed: {{clientId: {stranger}}}}}}}"))
        // Nothing refers to it, so nobody needs its token.
        .yaml("  unused: {identity: {workload: {tokenFile: /nowhere}}}")
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
        .secret("a")
        .secret(reference(&other, "b"))
        .secret(reference(&third, "c"))
        .start();
    let seen = agent.wait_until(|seen| seen.rounds > 0);
    assert_eq!(value_of(&seen, "a").as_deref(), Some("1"));
    assert_eq!(value_of(&seen, "b").as_deref(), Some("2"));
    assert!(problem_of(&seen, "c").starts_with(&format!("managed identity {stranger}: ")));
    assert_eq!(requests(&vault, Endpoint::Token).len(), 1);
    let asked = requests(&vault, Endpoint::Imds);
    assert!(asked.iter().any(|request| request.query.contains(&format!("client_id={}", vault.client_id()))));
    assert!(asked.iter().any(|request| request.query.contains(&format!("client_id={stranger}"))));
}

#[test]
fn vaults_with_the_same_identity_share_one_token() {
    let vault = DevVault::builder().secret("a", "1").secret_in("other", "b", "2").start().unwrap();
    let other = vault.vault_url("other");
    let agent = Setup::new(&vault)
        // Written otherwise, and yet the same.
        .yaml(&format!("vaults: {{{other}: {{identity: workload}}}}"))
        .secret("a")
        .secret(format!("akv://{}/b", other.strip_prefix("https://").unwrap()))
        .start();
    agent.wait_until_good();
    assert_eq!(requests(&vault, Endpoint::Token).len(), 1);
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 2);
}
