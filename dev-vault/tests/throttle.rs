//! The limit on transactions, as a client feels it.

mod support;

use std::time::Duration;

use dev_vault::{Action, DevVault, Endpoint, Fault, Throttle, Traffic};
use serde_json::json;

use support::{Api, codes};

/// One window is longer than any test.
const HOUR: Duration = Duration::from_secs(60 * 60);

fn limited(transactions: u32, retry_after: bool) -> Api {
    let throttle = Throttle { transactions, window: HOUR, retry_after };
    Api::with(DevVault::builder().secret("a", "x").secret_in("other", "a", "x").throttle(throttle))
}

fn get_at(api: &Api, vault: &str) -> u16 {
    api.call_at(&api.vault.vault_url(vault), "GET", "/secrets/a", "").status
}

#[test]
fn what_is_beyond_the_limit_is_refused_in_key_vault_s_words() {
    let api = limited(2, false);
    assert_eq!([api.get("/secrets/a").status, api.get("/secrets").status], [200, 200]);
    let refused = api.get("/secrets/a");
    assert_eq!(codes(&refused), (429, "Throttled".to_owned(), None));
    assert_eq!(refused.header("retry-after"), None);
    let message = refused.json()["error"]["message"].as_str().map(str::to_owned).unwrap_or_default();
    assert!(message.ends_with("Reason: VaultRequestTypeLimitReached"), "{message}");
    assert_eq!(api.vault.requests().last().map(|request| request.status), Some(429));
}

#[test]
fn a_refusal_can_say_when_the_window_ends() {
    let api = limited(0, true);
    let refused = api.get("/secrets/a");
    let seconds: u64 = refused.header("retry-after").and_then(|value| value.parse().ok()).expect("a number");
    assert!((HOUR.as_secs() - 300..=HOUR.as_secs()).contains(&seconds), "{seconds}");
}

#[test]
fn each_vault_has_its_own_limit_and_tokens_have_none() {
    let api = limited(1, false);
    assert_eq!([get_at(&api, "default"), get_at(&api, "default")], [200, 429]);
    assert_eq!([get_at(&api, "other"), get_at(&api, "other")], [200, 429]);
    let url = format!("{}/secrets/a?api-version=7.6", api.vault.url());
    assert_eq!(api.client.send("GET", &url, &[], "").expect("an answer").status, 401);
    let traffic = api.vault.vault("other").traffic();
    assert_eq!(traffic, Traffic { allowed: 1, refused: 1, ..traffic });
}

#[test]
fn a_new_window_serves_again() {
    let throttle = Throttle { transactions: 1, window: Duration::from_millis(50), retry_after: false };
    let api = Api::with(DevVault::builder().secret("a", "x").throttle(throttle));
    let comes = |wanted| (0..1_000).any(|_| api.get("/secrets/a").status == wanted);
    assert!(comes(429) && comes(200) && comes(429), "{:?}", api.vault.traffic());
}

#[test]
fn programs_can_read_and_clear_the_counters() {
    let api = limited(1, true);
    let control = |method| {
        let url = format!("{}/dev-vault/throttle", api.vault.imds_url());
        api.client.send(method, &url, &[], "").expect("the control interface answers")
    };
    api.get("/secrets/a");
    api.get("/secrets/a");
    let counted = control("GET").json();
    let limit = json!({"transactions": 1, "windowMillis": 3_600_000, "retryAfter": true});
    assert_eq!(counted["limit"], limit);
    let vault = &counted["vaults"]["default"];
    assert_eq!([&vault["allowed"], &vault["refused"], &vault["busiestWindow"]], [1, 1, 2]);
    assert_eq!(control("DELETE").status, 204);
    assert_eq!(api.vault.traffic(), Traffic::default());
    assert_eq!((api.get("/secrets/a").status, control("POST").status), (429, 405));
}

#[test]
fn what_never_reaches_the_vault_is_not_counted() {
    let api = limited(1, false);
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::status(503)).times(3));
    for _ in 0..3 {
        assert_eq!(api.get("/secrets/a").status, 503);
    }
    assert_eq!([api.get("/secrets/a").status, api.get("/secrets/a").status], [200, 429]);
    api.vault.clear_traffic();
    assert_eq!(api.vault.traffic().allowed, 0);
}
