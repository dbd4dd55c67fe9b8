//! Misbehaviour on request, as a client feels it.

mod support;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dev_vault::{Action, DevVault, Endpoint, Fault};
use serde_json::{Value, json};

use support::{Api, PATIENCE, codes};

fn with_secret() -> Api {
    Api::with(DevVault::builder().secret("a", "the whole value"))
}

fn statuses(api: &Api) -> Vec<u16> {
    api.vault.requests().iter().map(|request| request.status).collect()
}

/// What the plain listener sends until it closes the connection, from the first byte on.
fn raw_identity_answer(api: &Api) -> String {
    let mut stream = connect(api);
    write!(
        stream,
        "GET /metadata/identity/oauth2/token?resource=https://vault.azure.net HTTP/1.1\r\nHost: localhost\r\n\
         Metadata: true\r\nConnection: close\r\n\r\n"
    )
    .expect("the request is taken");
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => answer,
    }
}

fn connect(api: &Api) -> TcpStream {
    let url = api.vault.imds_url();
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap_or(&url)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// The announced and the real length of the body.
fn lengths(answer: &str) -> (usize, usize) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("there is a head");
    let announced = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .expect("there is a length");
    (announced, body.len())
}

#[test]
fn statuses_come_with_the_service_s_own_bodies() {
    let api = with_secret();
    let faults = api.vault.faults();
    faults.push(Fault::new(Endpoint::Vault, Action::throttled(Some(7))).times(1));
    faults.push(Fault::new(Endpoint::Vault, Action::status(403)).times(1));
    faults.push(Fault::new(Endpoint::Vault, Action::html(502)).times(1));
    let throttled = api.get("/secrets/a");
    assert_eq!(codes(&throttled), (429, "Throttled".to_owned(), None));
    assert_eq!(throttled.header("retry-after"), Some("7"));
    let forbidden = api.get("/secrets/a");
    assert_eq!(codes(&forbidden), (403, "Forbidden".to_owned(), Some("ForbiddenByRbac".to_owned())));
    let html = api.get("/secrets/a");
    assert_eq!((html.status, html.header("content-type")), (502, Some("text/html")));
    assert_eq!(html.json(), Value::Null);
    faults.push(Fault::new(Endpoint::Vault, Action::status(401)).times(1));
    let unauthorized = api.get("/secrets/a");
    assert!(unauthorized.status == 401 && unauthorized.header("www-authenticate").is_some());
    assert_eq!(api.get("/secrets/a").status, 200);
}

#[test]
fn token_endpoints_fail_in_their_own_words() {
    let api = Api::start();
    api.vault.faults().push(Fault::new(Endpoint::Token, Action::status(503)));
    api.vault.faults().push(Fault::new(Endpoint::Imds, Action::status(410)));
    let url = format!("{}/{}/oauth2/v2.0/token", api.vault.authority(), api.vault.tenant_id());
    let reply = api.client.send("POST", &url, &[], "").expect("an answer");
    assert_eq!((reply.status, &reply.json()["error"]), (503, &json!("temporarily_unavailable")));
    let url = format!("{}/metadata/identity/oauth2/token", api.vault.imds_url());
    let reply = api.client.send("GET", &url, &[], "").expect("an answer");
    assert_eq!((reply.status, &reply.json()["error"]), (410, &json!("gone")));
}

#[test]
fn a_fault_for_one_secret_leaves_the_others_alone() {
    let api = Api::with(DevVault::builder().secret("a", "x").secret("b", "y").secret_in("other", "a", "z"));
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::status(500)).secret("a").vault("default"));
    assert_eq!(api.get("/secrets/A").status, 500);
    assert_eq!(api.get("/secrets/b").status, 200);
    assert_eq!(api.call_at(&api.vault.vault_url("other"), "GET", "/secrets/a", "").status, 200);
    api.vault.faults().clear();
    assert_eq!(api.get("/secrets/a").status, 200);
}

#[test]
fn a_cut_connection_leaves_no_answer() {
    let api = with_secret();
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::Cut).times(1));
    let url = format!("{}/secrets/a?api-version=7.6", api.vault.url());
    let authorization = format!("Bearer {}", api.vault.issue_token());
    let headers = [("authorization", authorization.as_str())];
    assert!(api.client.send("GET", &url, &headers, "").is_err());
    assert_eq!(statuses(&api), [0]);
    assert!(api.client.send("GET", &url, &headers, "").is_ok_and(|reply| reply.status == 200));

    api.vault.faults().push(Fault::new(Endpoint::Imds, Action::Cut).times(1));
    assert_eq!(raw_identity_answer(&api), "");
}

#[test]
fn a_body_can_be_cut_or_truncated() {
    let api = with_secret();
    let (announced, complete) = lengths(&raw_identity_answer(&api));
    assert_eq!(announced, complete);

    api.vault.faults().push(Fault::new(Endpoint::Imds, Action::CutBody).times(1));
    let (announced, sent) = lengths(&raw_identity_answer(&api));
    assert_eq!((announced, sent), (complete, complete / 2));

    api.vault.faults().push(Fault::new(Endpoint::Imds, Action::Truncate).times(1));
    let (announced, sent) = lengths(&raw_identity_answer(&api));
    assert_eq!((announced, sent), (complete / 2, complete / 2));

    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::Truncate).times(1));
    let reply = api.get("/secrets/a");
    assert_eq!((reply.status, reply.json()), (200, Value::Null));
}

#[test]
fn a_request_whose_body_is_cut_has_still_been_done() {
    let api = with_secret();
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::CutBody).method("PUT"));
    let url = format!("{}/secrets/a?api-version=7.6", api.vault.url());
    let authorization = format!("Bearer {}", api.vault.issue_token());
    let put = api.client.send("PUT", &url, &[("authorization", &authorization)], r#"{"value":"new"}"#);
    assert!(put.is_err());
    assert_eq!(api.get("/secrets/a").json()["value"], "new");
}

#[test]
fn json_of_the_wrong_shape_is_still_json() {
    let api = with_secret();
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::WrongShape));
    let reply = api.get("/secrets/a");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json; charset=utf-8")));
    assert!(reply.json().is_array());
}

#[test]
fn a_slow_body_arrives_whole() {
    let api = with_secret();
    let pause = Duration::from_millis(20);
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::slow_body(pause, 5)));
    let start = Instant::now();
    assert_eq!(api.get("/secrets/a").json()["value"], "the whole value");
    assert!(start.elapsed() >= pause * 4);
}

#[test]
fn a_value_and_a_token_can_be_of_any_size() {
    let api = with_secret();
    let size = 100_000;
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::Enlarge { bytes: size }).times(1));
    let value = api.get("/secrets/a").json()["value"].clone();
    assert!(
        value.as_str().is_some_and(|value| value.len() == size && value.starts_with("the whole valuethe "))
    );

    api.vault.faults().push(Fault::new(Endpoint::Token, Action::Enlarge { bytes: size }));
    let url = format!("{}/{}/oauth2/v2.0/token", api.vault.authority(), api.vault.tenant_id());
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https://vault.azure.net/.default",
        api.vault.client_id(),
        api.vault.client_secret()
    );
    let reply = api.client.send("POST", &url, &[], form).expect("an answer").json();
    let token = reply["access_token"].as_str().expect("a token");
    assert_eq!(token.len(), size);
    let secret = format!("{}/secrets/a?api-version=7.6", api.vault.url());
    let authorization = format!("Bearer {token}");
    let reply = api.client.send("GET", &secret, &[("authorization", &authorization)], "").expect("an answer");
    assert_eq!(reply.json()["value"], "the whole value");
}

#[test]
fn an_expired_certificate_is_refused_for_its_age() {
    let vault = DevVault::builder().expired().start().expect("the vault starts");
    let error = vault.client().expect("a client").send("GET", &vault.url(), &[], "").expect_err("refused");
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn latency_hits_the_challenge_too() {
    let api = with_secret();
    let delay = Duration::from_millis(30);
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::latency(delay)));
    let url = format!("{}/secrets/a?api-version=7.6", api.vault.url());
    let start = Instant::now();
    assert!(api.client.send("GET", &url, &[], "").is_ok_and(|reply| reply.status == 401));
    assert!(start.elapsed() >= delay);
}

#[test]
fn faults_are_managed_over_http_as_well() {
    let api = with_secret();
    let faults = format!("{}/dev-vault/faults", api.vault.imds_url());
    let requests = format!("{}/dev-vault/requests", api.vault.imds_url());
    let fault = json!({"endpoint": "vault", "times": 3, "action": {"status": {"status": 503}}});
    assert_eq!(api.send("PUT", &faults, &fault.to_string()).status, 204);
    assert_eq!(api.get("/secrets/a").status, 503);
    let left = api.send("GET", &faults, "").json();
    assert_eq!((left.as_array().map(Vec::len), &left[0]["times"]), (Some(1), &json!(2)));
    let two = json!([{"endpoint": "vault", "action": "truncate"}, {"endpoint": "token", "action": "cut"}]);
    assert_eq!(api.send("PUT", &faults, &two.to_string()).status, 204);
    assert_eq!(api.vault.faults().list().len(), 2);
    assert_eq!(api.send("DELETE", &faults, "").status, 204);
    assert_eq!(api.vault.faults().list(), []);
    let wrong = api.send("PUT", &faults, r#"{"endpoint": "vault", "action": "explode"}"#);
    assert!(wrong.status == 400 && String::from_utf8_lossy(&wrong.body).contains("explode"));

    let seen = api.send("GET", &requests, "").json();
    assert_eq!((seen.as_array().map(Vec::len), &seen[0]["status"]), (Some(1), &json!(503)));
    assert_eq!(api.send("DELETE", &requests, "").status, 204);
    assert_eq!(api.vault.requests(), []);
    assert_eq!(api.send("POST", &format!("{}/dev-vault/revoke", api.vault.imds_url()), "").status, 204);
    assert_eq!(api.get("/secrets/a").status, 401);
}

#[test]
fn a_test_can_wait_for_a_request() {
    let api = with_secret();
    assert_eq!(api.vault.wait_for_request(|_| true, Duration::ZERO), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| api.vault.wait_for_request(|one| one.path == "/secrets/a", PATIENCE));
        let url = format!("{}/secrets/a?api-version=7.6", api.vault.url());
        let client = api.vault.client().expect("a client");
        client.send("GET", &url, &[], "").expect("an answer");
        let seen = waiting.join().expect("the waiting thread ends").expect("the request was seen");
        assert_eq!((seen.status, seen.query.as_str()), (401, "api-version=7.6"));
    });
}

#[test]
fn a_connection_serves_more_than_one_request() {
    let api = Api::start();
    let mut stream = connect(&api);
    let mut answers = BufReader::new(stream.try_clone().expect("the socket can be shared"));
    for _ in 0..2 {
        write!(stream, "GET /dev-vault/faults HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is taken");
        let mut status = String::new();
        answers.read_line(&mut status).expect("an answer");
        assert_eq!(status, "HTTP/1.1 200 OK\r\n");
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            answers.read_line(&mut line).expect("a header");
        }
        let mut body = [0; 2];
        answers.read_exact(&mut body).expect("a body");
        assert_eq!(&body, b"[]");
    }
}

#[test]
fn dropping_the_vault_closes_its_ports() {
    let api = Api::start();
    let Api { vault, client, .. } = api;
    let (url, dir) = (vault.url(), vault.dir().to_owned());
    assert!(client.send("GET", &url, &[], "").is_ok());
    drop(vault);
    assert!(client.send("GET", &url, &[], "").is_err());
    assert!(!dir.exists());
}
