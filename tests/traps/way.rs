//! Where requests go.

use super::support::{Agent, Workdir, read_env_file, secret};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

fn vault() -> DevVault {
    DevVault::builder().secret("db", &secret("one")).start().unwrap()
}

fn assert_delivered(work: &Workdir) {
    assert_eq!(read_env_file(&work.path("out/app.env")).unwrap()["SECRET"], secret("one"));
}

#[test]
fn a_name_with_dots_never_becomes_a_path() {
    let vault = vault();
    let host = vault.url().replace("https://", "");
    for reference in [
        "../keys/db".to_owned(),
        "..".to_owned(),
        "db/../../keys/db".to_owned(),
        format!("akv://{host}/../keys/db"),
        format!("akv://{host}/%2e%2e/keys/db"),
        format!("akv://{host}/db/../../keys/db"),
        format!("@Microsoft.KeyVault(SecretUri=https://{host}/secrets/../keys/db)"),
        format!("@Microsoft.KeyVault(SecretUri=https://{host}/secrets/%2E%2E/keys/db)"),
        "@Microsoft.KeyVault(VaultName=localhost;SecretName=../keys/db)".to_owned(),
    ] {
        let work = Workdir::new();
        let ended = Agent::init(&work).vault(&vault, &format!("SECRET={reference}")).env_file().finish();
        assert_eq!(ended.code, 78, "{reference}\n{}", ended.scene);
    }
    assert_eq!(vault.requests(), []);
}

#[test]
fn proxy_variables_capture_nothing() {
    let vault = vault();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let captured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&captured);
    thread::spawn(move || {
        for _connection in proxy.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for identity in ["managed", "workload"] {
        let work = Workdir::new();
        let mut agent = Agent::init(&work)
            .vault(&vault, "SECRET=db")
            .env_file()
            .set("IDENTITY", identity)
            .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url());
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            agent = agent.var(name, &url).var(&name.to_lowercase(), &url);
        }
        agent.finish().expect(0);
        assert_delivered(&work);
    }
    assert_eq!(captured.load(Ordering::Relaxed), 0);
}

#[test]
fn an_image_without_ca_files_will_do() {
    let vault = vault();
    let script =
        "for d in /etc/ssl /etc/pki; do [ ! -d $d ] || mount -t tmpfs none $d || exit 1; done; exec \"$@\"";
    let mut bare = vec!["unshare", "--mount"];
    if !nix::unistd::geteuid().is_root() {
        bare.extend(["--user", "--map-root-user"]);
    }
    bare.extend(["sh", "-c", script, "sh"]);
    let agent = |work| {
        Agent::init(work)
            .vault(&vault, "SECRET=db")
            .env_file()
            .var("SSL_CERT_FILE", "/nowhere/ca.pem")
            .var("SSL_CERT_DIR", "/nowhere")
            .under(&bare)
    };
    let work = Workdir::new();
    agent(&work).finish().expect(0);
    assert_delivered(&work);

    // Without any root that would do, that is what it says.
    let work = Workdir::new();
    let ended = agent(&work).set("CA_FILE", "").finish().expect(78);
    let [complaint] = ended.complaints()[..] else { panic!("one line says it all\n{}", ended.scene) };
    assert!(complaint.contains("unknown issuer; name its CA in caFile"), "{}", ended.scene);
}

#[test]
fn the_next_page_of_a_list_is_not_fetched_from_another_host() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("app-db", &secret("one")).start().unwrap();
    let stranger = DevVault::builder().secret("app-db", &secret("stranger")).start().unwrap();
    let page = serde_json::json!({
        "value": [{"id": format!("{}/secrets/app-db", vault.url()), "attributes": {"enabled": true}}],
        "nextLink": format!("{}/secrets?api-version=2025-07-01&$skiptoken=a", stranger.url()),
    });
    let body = Some(page.to_string());
    let action = Action::Status { status: 200, retry_after: None, body, content_type: None };
    vault.faults().push(Fault::new(Endpoint::Vault, action).path("/secrets"));
    // Its certificate would do.
    let ca_file = work.write("ca.pem", format!("{}{}", vault.ca_pem(), stranger.ca_pem()));
    let ended = Agent::init(&work)
        .vault(&vault, "")
        .unset("ENV")
        .set("CA_FILE", ca_file)
        .env_file()
        .set("TIMEOUT", "4s")
        .yaml("envFrom: [{prefix: \"app-\"}]\n")
        .finish();
    assert_ne!(ended.code, 0, "{}", ended.scene);
    assert!(vault.requests().iter().any(|request| request.status == 200), "{}", ended.scene);
    let host = stranger.url().replace("https://", "");
    assert!(ended.err.contains(&host), "it does not name {host}\n{}", ended.scene);
    assert_eq!(stranger.requests(), []);
}
