//! The identities that need more than a token file: each gets a token, keeps it across a rotation of what it
//! is proved with, and says what to do where it gets none.

use super::support::{Agent, Setup, requests};
use akv_agent::{failure::Class, source::vault::VaultError};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use std::{fs, path::Path, process::Command, time::Duration};

fn vault() -> DevVault {
    DevVault::builder().secret("a", "1").start().unwrap()
}

/// Nothing but what every service principal has.
fn principal(vault: &DevVault, options: &str) -> Setup {
    Setup::new(vault)
        .without("AZURE_FEDERATED_TOKEN_FILE")
        .yaml(&format!("identity: {{service-principal: {{{options}}}}}"))
        .secret("a")
}

/// Makes the agent ask for a new token, and for a value that it can only have got with that.
fn expect_new_token(vault: &DevVault, agent: &Agent, value: &str) {
    vault.revoke_tokens();
    vault.set_secret("a", value);
    agent.source.refresh();
    agent.wait_for_value("a", value);
}

#[track_caller]
fn expect(problem: &VaultError, class: Class, transient: bool, words: &[&str]) {
    assert_eq!((problem.class, problem.transient), (class, transient), "{problem:?}");
    for words in words {
        assert!(problem.message.contains(words), "{words}: {problem:?}");
    }
}

#[test]
fn a_client_secret_is_read_anew_from_its_file() {
    let vault = vault();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    fs::write(&file, "an-old-secret\n").unwrap();
    let setup = || principal(&vault, &format!("clientSecretFile: {}", file.display()));
    let problem = setup().start().wait_for_problem();
    expect(&problem, Class::Config, false, &["service principal", "AADSTS7000215", "its value, not its id"]);
    assert!(!problem.message.contains("an-old-secret"), "{problem:?}");

    fs::write(&file, format!("{}\n", vault.client_secret())).unwrap();
    let agent = setup().start();
    agent.wait_until_good();
    fs::write(&file, "wrong now").unwrap();
    vault.revoke_tokens();
    agent.source.refresh();
    expect(&agent.wait_for_problem(), Class::Config, false, &["AADSTS7000215"]);
    fs::write(&file, vault.client_secret()).unwrap();
    expect_new_token(&vault, &agent, "2");
}

#[test]
fn a_client_secret_may_be_in_the_variable() {
    let vault = vault();
    let setup = Setup::new(&vault).without("AZURE_FEDERATED_TOKEN_FILE").secret("a");
    setup.var("AZURE_CLIENT_SECRET", vault.client_secret()).start().wait_until_good();
    assert_eq!(requests(&vault, Endpoint::Token).len(), 1);
}

#[test]
fn a_certificate_signs_assertions_and_may_be_replaced() {
    let vault = vault();
    for chain in [false, true] {
        vault.set_secret("a", "1");
        let file = vault.client_certificate_file();
        let options = format!("clientCertificateFile: {}, sendCertificateChain: {chain}", file.display());
        let agent = principal(&vault, &options).start();
        agent.wait_for_value("a", "1");
        vault.rotate_client_certificate().unwrap();
        expect_new_token(&vault, &agent, "2");
    }
}

#[test]
fn a_certificate_may_be_pkcs12_with_a_password() {
    let vault = vault();
    let dir = tempfile::tempdir().unwrap();
    let (file, password) = (dir.path().join("certificate.pfx"), dir.path().join("password"));
    write_pkcs12(&vault.client_certificate_file(), &file, "pass word");
    fs::write(&password, "pass word\n").unwrap();
    let variable = ("AZURE_CLIENT_CERTIFICATE_PATH", file.to_str().unwrap());
    let setup = || principal(&vault, "").var(variable.0, variable.1);
    setup().var("AZURE_CLIENT_CERTIFICATE_PASSWORD", "pass word").start().wait_until_good();

    let options = format!("clientCertificatePasswordFile: {}", password.display());
    principal(&vault, &options).var(variable.0, variable.1).start().wait_until_good();

    for setup in [setup(), setup().var("AZURE_CLIENT_CERTIFICATE_PASSWORD", "canary")] {
        let problem = setup.start().wait_for_problem();
        expect(&problem, Class::Config, false, &["the password is wrong or missing"]);
        assert!(!problem.message.contains("canary"), "{problem:?}");
    }
}

fn write_pkcs12(pem: &Path, file: &Path, password: &str) {
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs12", "-export", "-passout"]).arg(format!("pass:{password}"));
    assert!(openssl.arg("-in").arg(pem).arg("-out").arg(file).status().unwrap().success());
}

#[test]
fn a_certificate_that_is_not_registered_is_named() {
    let vault = vault();
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("old.pem");
    fs::copy(vault.client_certificate_file(), &old).unwrap();
    vault.rotate_client_certificate().unwrap();
    let agent = principal(&vault, &format!("clientCertificateFile: {}", old.display())).start();
    let words = ["AADSTS700027", "registered with the application"];
    expect(&agent.wait_for_problem(), Class::Config, false, &words);
}

/// A vault behind an identity binding.
fn bound() -> DevVault {
    DevVault::builder().secret("a", "1").identity_binding().start().unwrap()
}

/// What the webhook sets for a binding.
fn binding(vault: &DevVault) -> Setup {
    Setup::new(vault)
        .var("AZURE_KUBERNETES_TOKEN_PROXY", vault.token_proxy_url())
        .var("AZURE_KUBERNETES_SNI_NAME", vault.token_proxy_name())
        .var("AZURE_KUBERNETES_CA_FILE", vault.token_proxy_ca_file().to_str().unwrap())
        .secret("a")
}

#[test]
fn an_identity_binding_gets_its_token_from_the_proxy_alone() {
    let vault = bound();
    let agent = binding(&vault).start();
    agent.wait_until_good();
    let asked = requests(&vault, Endpoint::Token);
    assert_eq!(asked.len(), 1);
    let path = format!("/dev-vault/proxy/{}/oauth2/v2.0/token", vault.tenant_id());
    assert_eq!(asked[0].path, path);

    // Its authority is replaced, and so is the file.
    vault.rotate_token_proxy_ca().unwrap();
    vault.rotate_federated_token().unwrap();
    expect_new_token(&vault, &agent, "2");
}

#[test]
fn a_token_proxy_may_be_configured() {
    let vault = bound();
    Setup::new(&vault)
        .yaml("identity:\n  identity-binding:")
        .yaml(&format!("    tokenProxy: {}", vault.token_proxy_url()))
        .yaml(&format!("    proxyServerName: {}", vault.token_proxy_name()))
        .yaml(&format!("    proxyCaFile: {}", vault.token_proxy_ca_file().display()))
        .secret("a")
        .start()
        .wait_until_good();
}

#[test]
fn a_token_proxy_must_be_the_one_that_is_meant() {
    let vault = bound();
    // The authority that the vault's own certificate is from counts for nothing here.
    let ca_file = vault.ca_file();
    let agent = binding(&vault).var("AZURE_KUBERNETES_CA_FILE", ca_file.to_str().unwrap()).start();
    expect(&agent.wait_for_problem(), Class::Unavailable, true, &["AZURE_KUBERNETES_CA_FILE"]);
    let agent = binding(&vault).without("AZURE_KUBERNETES_CA_FILE").start();
    expect(&agent.wait_for_problem(), Class::Unavailable, true, &["token proxy"]);
    let agent = binding(&vault).var("AZURE_KUBERNETES_SNI_NAME", "elsewhere.example").start();
    expect(&agent.wait_for_problem(), Class::Unavailable, true, &["TLS"]);
    assert!(requests(&vault, Endpoint::Token).is_empty());
}

#[test]
fn an_assertion_for_a_binding_leads_to_the_binding() {
    let vault = bound();
    let agent = Setup::new(&vault).secret("a").start();
    let words = ["AADSTS700212", "use `identity: identity-binding`"];
    expect(&agent.wait_for_problem(), Class::Config, false, &words);
}

#[test]
fn a_missing_federated_credential_is_described() {
    let vault = vault();
    let dir = tempfile::tempdir().unwrap();
    let stale = dir.path().join("token");
    fs::copy(vault.federated_token_file(), &stale).unwrap();
    vault.rotate_federated_token().unwrap();
    let agent =
        Setup::new(&vault).var("AZURE_FEDERATED_TOKEN_FILE", stale.to_str().unwrap()).secret("a").start();
    let words = [
        "subject system:serviceaccount:default:app",
        "issuer https://issuer.example/",
        "audience api://AzureADTokenExchange",
    ];
    expect(&agent.wait_for_problem(), Class::Permission, true, &words);
}

fn managed(vault: &DevVault, yaml: &str) -> Setup {
    Setup::new(vault)
        .without("AZURE_FEDERATED_TOKEN_FILE")
        .without("AZURE_CLIENT_ID")
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
        .yaml(yaml)
        .secret("a")
}

#[test]
fn a_managed_identity_has_three_names() {
    let vault = vault();
    for (key, id) in [
        ("clientId", vault.client_id()),
        ("objectId", vault.object_id()),
        ("resourceId", vault.resource_id()),
    ] {
        for kind in ["managed", "pod-identity"] {
            vault.clear_requests();
            managed(&vault, &format!("identity: {{{kind}: {{{key}: {id}}}}}")).start().wait_until_good();
            let asked = &requests(&vault, Endpoint::Imds)[0];
            let id = id.rsplit('/').next().unwrap();
            assert!(asked.query.contains(id) && asked.status == 200, "{asked:?}");
        }
    }
}

#[test]
fn the_end_of_a_token_may_be_a_number() {
    let vault = vault();
    let answer = serde_json::json!({
        "access_token": vault.issue_token(),
        "expires_on": 4_000_000_000_u64,
        "resource": "https://vault.azure.net",
        "token_type": "Bearer",
    });
    let action =
        Action::Status { status: 200, retry_after: None, body: Some(answer.to_string()), content_type: None };
    vault.faults().push(Fault::new(Endpoint::Imds, action));
    managed(&vault, "identity: managed").start().wait_until_good();
}

#[test]
fn a_pod_identity_is_waited_for_until_it_is_assigned() {
    let vault = vault();
    for status in [404, 403] {
        let body = "no AzureAssignedIdentity found for pod:default/app";
        let action =
            Action::Status { status, retry_after: None, body: Some(body.into()), content_type: None };
        vault.faults().push(Fault::new(Endpoint::Imds, action).times(1));
        let agent = managed(&vault, "identity: pod-identity").start();
        let problem = agent.wait_for_problem();
        expect(
            &problem,
            Class::Permission,
            true,
            &["pod identity: ", "aadpodidbinding", "AzureIdentityBinding"],
        );
        agent.wait_until_good();
    }
}

/// NMI holds a request until the identity is there, for longer than any other answer may take.
#[test]
fn an_answer_of_pod_identity_may_take_its_time() {
    let vault = vault();
    let held = Action::latency(Duration::from_secs(21));
    vault.faults().push(Fault::new(Endpoint::Imds, held).times(1));
    let agent = managed(&vault, "identity: pod-identity").start();
    let seen = agent.wait_for(Duration::from_secs(40), |seen| seen.rounds > 0 && seen.problem.is_none());
    assert_eq!(super::support::value_of(&seen, "a").as_deref(), Some("1"));
    assert_eq!(requests(&vault, Endpoint::Imds).len(), 1);
}
