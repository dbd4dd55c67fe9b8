//! Vaults that say no, and vaults that cannot be reached.

use super::{
    refused,
    support::{Agent, Workdir, secret},
};
use dev_vault::{Action, Attributes, DevVault, Endpoint, Fault};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// What waiting does not heal must end the agent as soon as the vault has said it, long before the limit.
fn refused_at_once(code: i32, words: &[&str], with: impl Fn(Agent<'_>) -> Agent<'_>) {
    let begin = Instant::now();
    refused(code, words, |agent| with(agent.set("TIMEOUT", "15s")));
    assert!(begin.elapsed() < Duration::from_secs(15), "it waited for what cannot come");
}

/// For what could pass, after a first answer that comes sooner than this also on a busy machine.
const GIVES_UP: &str = "2s";

fn vault() -> DevVault {
    DevVault::builder().secret("db", &secret("one")).start().unwrap()
}

fn forbidden(code: &str) -> Fault {
    let body =
        format!(r#"{{"error":{{"code":"Forbidden","message":"no","innererror":{{"code":"{code}"}}}}}}"#);
    let action = Action::Status { status: 403, retry_after: None, body: Some(body), content_type: None };
    Fault::new(Endpoint::Vault, action)
}

#[test]
fn a_secret_that_may_not_be_read() {
    for (code, remedy) in [("ForbiddenByRbac", "Key Vault Secrets User"), ("AccessDenied", "access policy")] {
        let vault = vault();
        vault.faults().push(forbidden(code));
        // A new right takes some minutes to be known everywhere, so this one is waited for.
        refused(77, &["SECRET", "/secrets/db", "may not read", remedy], |agent| {
            agent.vault(&vault, "SECRET=db").set("TIMEOUT", GIVES_UP)
        });
    }
}

#[test]
fn an_address_that_the_vaults_network_rules_refuse() {
    let vault = vault();
    vault.faults().push(forbidden("ForbiddenByFirewall"));
    refused_at_once(77, &["SECRET", "/secrets/db", "network rules", "private endpoint"], |agent| {
        agent.vault(&vault, "SECRET=db")
    });
}

#[test]
fn a_secret_that_is_not_there() {
    let vault = vault();
    refused_at_once(69, &["SECRET", "/secrets/absent", "no such secret", "create it"], |agent| {
        agent.vault(&vault, "SECRET=absent")
    });
}

#[test]
fn a_secret_that_is_disabled() {
    let vault = vault();
    vault.set_attributes("db", Attributes { enabled: Some(false), ..Attributes::default() });
    refused_at_once(69, &["SECRET", "/secrets/db", "is disabled", "enable it"], |agent| {
        agent.vault(&vault, "SECRET=db")
    });
}

#[test]
fn a_version_that_is_not_there() {
    let vault = vault();
    let version = "0123456789abcdef0123456789abcdef";
    refused_at_once(69, &["SECRET", "/secrets/db", "no such secret"], |agent| {
        agent.vault(&vault, &format!("SECRET=db/{version}"))
    });
}

#[test]
fn a_value_with_a_nul_byte() {
    let vault = DevVault::builder().secret("db", "canary-7f3a\0more").start().unwrap();
    refused(78, &["SECRET", "/secrets/db", "NUL"], |agent| {
        agent.vault(&vault, "SECRET=db").set("TIMEOUT", GIVES_UP)
    });
}

#[test]
fn a_certificate_of_an_unknown_issuer() {
    let vault = vault();
    refused_at_once(78, &["certificate of localhost", "unknown issuer", "caFile"], |agent| {
        agent.vault(&vault, "SECRET=db").set("CA_FILE", "")
    });
    let stranger = DevVault::builder().start().unwrap();
    refused_at_once(78, &["certificate of localhost", "caFile"], |agent| {
        agent.vault(&vault, "SECRET=db").set("CA_FILE", stranger.ca_file())
    });
}

#[test]
fn a_ca_file_that_is_none() {
    let vault = vault();
    refused_at_once(78, &["caFile", "/no/such/ca.pem"], |agent| {
        agent.vault(&vault, "SECRET=db").set("CA_FILE", "/no/such/ca.pem")
    });
    let token = vault.federated_token_file();
    refused_at_once(78, &["caFile", "no certificate"], |agent| {
        agent.vault(&vault, "SECRET=db").set("CA_FILE", &token)
    });
}

#[test]
fn a_name_that_resolves_nowhere() {
    let vault = vault();
    let work = Workdir::new();
    // A name server that never answers, in place of the machine's own: what a test asks for stays here.
    let resolver = work.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    let script = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", resolver.display());
    let mut unshare = vec!["unshare", "--mount"];
    if !nix::unistd::geteuid().is_root() {
        unshare.extend(["--user", "--map-root-user"]);
    }
    unshare.extend(["sh", "-c", &script, "sh"]);
    // RFC 6761 promises that nobody ever has a name under `invalid`.
    let url = "https://no-such-vault.invalid";
    refused(69, &["SECRET", "no-such-vault.invalid does not resolve", "check the vault's name"], |agent| {
        agent.vault(&vault, "SECRET=db").set("VAULT", url).set("TIMEOUT", "3s").under(&unshare)
    });
}

#[test]
fn a_vault_that_nobody_serves() {
    let vault = vault();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    refused(69, &["SECRET", "cannot connect to localhost", "private endpoint"], |agent| {
        agent
            .vault(&vault, "SECRET=db")
            .set("TIMEOUT", GIVES_UP)
            .set("VAULT", format!("https://localhost:{port}"))
    });
}

#[test]
fn an_identity_that_entra_does_not_know() {
    let vault = vault();
    refused(77, &["SECRET", "workload identity", "client id"], |agent| {
        agent
            .vault(&vault, "SECRET=db")
            .set("TIMEOUT", GIVES_UP)
            .var("AZURE_CLIENT_ID", "57a46e12-0000-4000-8000-000000000000")
    });
}

#[test]
fn an_identity_without_a_token_file() {
    let vault = vault();
    refused_at_once(78, &["SECRET", "/no/such/token", "AZURE_FEDERATED_TOKEN_FILE"], |agent| {
        agent.vault(&vault, "SECRET=db").var("AZURE_FEDERATED_TOKEN_FILE", "/no/such/token")
    });
}

#[test]
fn half_an_identity() {
    let vault = vault();
    refused_at_once(78, &["identity", "AZURE_TENANT_ID", "azure.workload.identity/use"], |agent| {
        agent.vault(&vault, "SECRET=db").var("AZURE_TENANT_ID", "")
    });
}

#[test]
fn a_vault_that_is_out_of_order() {
    let vault = vault();
    vault.faults().push(Fault::new(Endpoint::Vault, Action::status(503)));
    refused(69, &["SECRET", "HTTP 503"], |agent| agent.vault(&vault, "SECRET=db").set("TIMEOUT", GIVES_UP));
}
