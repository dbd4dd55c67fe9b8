//! What can be wrong with selections.

use super::{
    configured, env_file, labelled,
    support::{Agent, Workdir, secret},
    wait_for,
};
use dev_vault::{DEFAULT_VAULT, DevVault};

#[test]
fn two_secrets_for_one_variable_are_an_error_that_names_both() {
    let vault = DevVault::builder()
        .secret("app-db", &secret("one"))
        .secret("x-app-db", &secret("two"))
        .secret_in("other", "app-db", &secret("three"))
        .start()
        .unwrap();
    let (here, there) = (vault.url(), vault.vault_url("other"));
    for (second, other) in [
        ("prefix: x-, naming: \"{REST}\"".to_owned(), format!("{here}/secrets/x-app-db ")),
        (format!("prefix: app-, vault: \"{there}\""), format!("{there}/secrets/app-db ")),
    ] {
        let work = Workdir::new();
        let yaml = format!("envFrom: [{{prefix: app-}}, {{{second}}}]\n");
        let ended = configured(Agent::init(&work), &vault, &yaml).finish().expect(78);
        let complaints = ended.complaints().join("\n");
        for id in [format!("{here}/secrets/app-db "), other] {
            assert!(complaints.contains(&id), "it does not name {id}\n{}", ended.scene);
        }
        assert!(!work.path("out/app.env").exists(), "{}", ended.scene);
        // A variable that is named is nobody else's.
        let yaml = format!("env: {{APP_DB: x-app-db}}\n{yaml}");
        configured(Agent::init(&work), &vault, &yaml).finish().expect(0);
        assert_eq!(env_file(&work), Some(labelled(&[("APP_DB", "two")])));
    }
}

#[test]
fn a_collision_that_comes_later_leaves_the_set_as_it_is() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("app-db", &secret("one")).start().unwrap();
    let yaml = "envFrom: [{prefix: app-}, {prefix: x-, naming: \"{REST}\"}]\n";
    let agent = configured(Agent::sidecar(&work), &vault, yaml).start();
    wait_for(&agent, &work, &[("APP_DB", "one")]);
    vault.set_secret("x-app-db", &secret("two"));
    let problem = agent.wait_for_problem("APP_DB: both");
    assert!(problem.contains("/secrets/app-db ") && problem.contains("/secrets/x-app-db "), "{problem}");
    assert_eq!(env_file(&work), Some(labelled(&[("APP_DB", "one")])));
    vault.delete_secret("x-app-db");
    agent.wait_until_well();
}

#[test]
fn who_may_not_list_is_told_the_role_and_waited_for() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("app-db", &secret("one")).forbid("secrets/list").start().unwrap();
    let agent = configured(Agent::sidecar(&work), &vault, "envFrom: {prefix: app-}\n").start();
    let problem = agent.wait_for_problem("may not list secrets");
    assert!(problem.contains("'Key Vault Secrets User' on the whole vault"), "{problem}");
    assert!(!work.path("out/app.env").exists());
    vault.vault(DEFAULT_VAULT).allow("secrets/list");
    wait_for(&agent, &work, &[("APP_DB", "one")]);
    agent.wait_until_well();
    // The right can be taken away again: what is known stays.
    vault.vault(DEFAULT_VAULT).forbid("secrets/list");
    agent.wait_for_problem("may not list secrets");
    assert_eq!(env_file(&work), Some(labelled(&[("APP_DB", "one")])));
}

#[test]
fn init_gives_up_on_a_list_that_stays_forbidden() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("app-db", &secret("one")).forbid("secrets/list").start().unwrap();
    let agent = configured(Agent::init(&work), &vault, "envFrom: {prefix: app-}\n").set("TIMEOUT", "2s");
    let ended = agent.finish().expect(77);
    let complaints = ended.complaints().join("\n");
    assert!(complaints.contains("'Key Vault Secrets User' on the whole vault"), "{}", ended.scene);
}
