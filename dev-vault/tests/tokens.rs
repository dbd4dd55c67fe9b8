//! The token endpoints, as a client sees them on the wire.

mod support;

use std::fs;
use std::time::Duration;

use dev_vault::{DevVault, Endpoint, Reply};
use serde_json::json;

use support::Api;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Api {
    fn token(&self, tenant: &str, changes: &[(&str, &str)]) -> Reply {
        let assertion = fs::read_to_string(self.vault.federated_token_file()).expect("the file is there");
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.vault.client_id()),
            ("scope", "https://vault.azure.net/.default"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
        ];
        for change in changes {
            fields.retain(|field| field.0 != change.0);
        }
        fields.extend(changes.iter().filter(|change| !change.1.is_empty()));
        self.post(tenant, &fields)
    }

    fn post(&self, tenant: &str, fields: &[(&str, &str)]) -> Reply {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.vault.authority());
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.client.send("POST", &url, &headers, form(fields)).expect("the endpoint answers")
    }

    fn identity(&self, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Reply {
        let url = format!("{}/metadata/identity/oauth2/token?{}", self.vault.imds_url(), form(query));
        self.client.send("GET", &url, headers, "").expect("the endpoint answers")
    }

    /// The status of a read with this token.
    fn read_with(&self, token: &str) -> u16 {
        let url = format!("{}/secrets/a?api-version=7.6", self.vault.url());
        let authorization = format!("Bearer {token}");
        self.client
            .send("GET", &url, &[("authorization", authorization.as_str())], "")
            .expect("the vault answers")
            .status
    }
}

fn access_token(reply: &Reply) -> String {
    reply.json()["access_token"].as_str().unwrap_or_default().to_owned()
}

fn with_secret() -> Api {
    Api::with(DevVault::builder().secret("a", "x"))
}

#[test]
fn an_assertion_buys_a_token() {
    let api = with_secret();
    let reply = api.token(api.vault.tenant_id(), &[]);
    assert_eq!((reply.status, &reply.json()["expires_in"]), (200, &json!(3600)));
    assert_eq!(api.read_with(&access_token(&reply)), 200);
}

#[test]
fn a_client_secret_buys_a_token() {
    let api = with_secret();
    let no_assertion = [("client_assertion", ""), ("client_assertion_type", "")];
    let with = |secret: &str| {
        let mut changes = no_assertion.to_vec();
        changes.push(("client_secret", secret));
        api.token(api.vault.tenant_id(), &changes)
    };
    assert_eq!(api.read_with(&access_token(&with(api.vault.client_secret()))), 200);
    assert_eq!(with("wrong").json()["error_codes"], json!([7_000_215]));
    assert_eq!(api.token(api.vault.tenant_id(), &no_assertion).json()["error_codes"], json!([7_000_218]));
}

#[test]
fn refusals_carry_the_codes_of_entra() {
    let api = with_secret();
    let tenant = api.vault.tenant_id();
    let token = fs::read_to_string(api.vault.federated_token_file()).expect("the file is there");
    let with_line_end = format!("{token}\n");
    for (reply, status, code, error) in [
        (api.token("elsewhere", &[]), 400, 90002, "invalid_request"),
        (api.token(tenant, &[("client_id", "nobody")]), 400, 700_016, "unauthorized_client"),
        (api.token(tenant, &[("client_assertion", "made-up")]), 401, 700_213, "invalid_client"),
        (api.token(tenant, &[("client_assertion", &with_line_end)]), 401, 700_213, "invalid_client"),
        (api.token(tenant, &[("client_assertion_type", "other")]), 400, 900_023, "invalid_request"),
        (api.token(tenant, &[("scope", "https://vault.azure.net")]), 400, 1_002_012, "invalid_scope"),
        (api.token(tenant, &[("grant_type", "password")]), 400, 70003, "unsupported_grant_type"),
    ] {
        let body = reply.json();
        assert_eq!(
            (reply.status, &body["error_codes"], &body["error"]),
            (status, &json!([code]), &json!(error))
        );
        let description = body["error_description"].as_str().unwrap_or_default();
        assert!(description.starts_with(&format!("AADSTS{code}: ")) && description.contains("\r\n"));
    }
}

#[test]
fn only_the_present_federated_token_counts() {
    let api = with_secret();
    let old = fs::read_to_string(api.vault.federated_token_file()).expect("the file is there");
    api.vault.rotate_federated_token().expect("the file can be written");
    let tenant = api.vault.tenant_id();
    assert_eq!(api.token(tenant, &[("client_assertion", &old)]).status, 401);
    assert_eq!(api.token(tenant, &[]).status, 200);
    fs::remove_file(api.vault.federated_token_file()).expect("the file is there");
    assert_eq!(api.post(tenant, &[("grant_type", "client_credentials")]).status, 400);
    let empty = [
        ("grant_type", "client_credentials"),
        ("client_id", api.vault.client_id()),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", ""),
    ];
    assert_eq!(api.post(tenant, &empty).json()["error_codes"], json!([700_213]));
}

#[test]
fn a_token_counts_for_its_resource_until_it_expires_or_is_revoked() {
    let api = with_secret();
    let tenant = api.vault.tenant_id();
    let foreign = api.token(tenant, &[("scope", "https://management.azure.com/.default")]);
    assert_eq!((foreign.status, api.read_with(&access_token(&foreign))), (200, 401));
    let token = access_token(&api.token(tenant, &[]));
    assert_eq!(api.read_with(&token), 200);
    api.vault.revoke_tokens();
    assert_eq!(api.read_with(&token), 401);
    assert_eq!(api.read_with(&access_token(&api.token(tenant, &[]))), 200);

    let brief = Api::with(DevVault::builder().secret("a", "x").token_lifetime(Duration::ZERO));
    assert_eq!(brief.read_with(&access_token(&brief.token(brief.vault.tenant_id(), &[]))), 401);
}

#[test]
fn imds_answers_with_strings() {
    let api = Api::with(DevVault::builder().secret("a", "x").token_lifetime(Duration::from_secs(600)));
    let metadata = [("metadata", "true")];
    let resource = ("resource", "https://vault.azure.net");
    for query in [
        vec![resource],
        vec![resource, ("client_id", api.vault.client_id())],
        vec![resource, ("object_id", api.vault.object_id())],
        vec![resource, ("msi_res_id", api.vault.resource_id())],
    ] {
        let reply = api.identity(&query, &metadata);
        let body = reply.json();
        assert_eq!((reply.status, &body["expires_in"]), (200, &json!("600")), "{query:?}");
        let seconds = |name: &str| body[name].as_str().and_then(|text| text.parse::<i64>().ok());
        assert_eq!(seconds("expires_on").zip(seconds("not_before")).map(|(on, from)| on - from), Some(600));
        assert_eq!(
            (&body["token_type"], &body["resource"], &body["client_id"]),
            (&json!("Bearer"), &json!("https://vault.azure.net"), &json!(api.vault.client_id()))
        );
        assert_eq!(api.read_with(&access_token(&reply)), 200);
    }
}

#[test]
fn imds_refuses_what_it_does_not_know() {
    let api = Api::start();
    let metadata = [("metadata", "true")];
    let resource = ("resource", "https://vault.azure.net");
    let unknown = api.identity(&[resource, ("client_id", "nobody")], &metadata);
    assert_eq!(
        (unknown.status, unknown.json()),
        (400, json!({"error": "invalid_request", "error_description": "Identity not found"}))
    );
    assert_eq!(api.identity(&[resource], &[]).status, 400);
    assert_eq!(api.identity(&[], &metadata).status, 400);
    let seen: Vec<_> = api.vault.requests().iter().map(|one| (one.endpoint, one.status)).collect();
    assert_eq!(seen, [(Endpoint::Imds, 400); 3]);
}

#[test]
fn app_service_wants_its_header() {
    let api = with_secret();
    let url = format!("{}?resource=https://vault.azure.net", api.vault.identity_endpoint());
    let send = |headers: &[(&str, &str)]| api.client.send("GET", &url, headers, "").expect("an answer");
    assert_eq!(send(&[("metadata", "true")]).status, 401);
    let reply = send(&[("X-IDENTITY-HEADER", api.vault.identity_header())]);
    assert_eq!(reply.status, 200);
    assert_eq!(api.read_with(&access_token(&reply)), 200);
}
