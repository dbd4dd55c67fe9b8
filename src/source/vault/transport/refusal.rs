//! What an answer that is not 2xx says, read leniently: the services, and the gateways before them, do not
//! agree on one format.

use azure_core::time::parse_rfc7231;
use serde_json::Value;
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// Longest wait that a `Retry-After` may ask for. The vault's windows are 10 seconds long; a longer wait
/// would make a rotation that is under way look like a hang.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(300);

/// Characters of the service's message that are kept.
const MESSAGE_LIMIT: usize = 300;

/// An answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Refusal {
    pub(in super::super) status: u16,
    /// `Forbidden`, `AADSTS700016`, `invalid_request`, …
    pub(in super::super) code: Option<String>,
    /// The finer code, where there is one: `ForbiddenByRbac`, `SecretDisabled`, `invalid_grant`, …
    pub(in super::super) inner: Option<String>,
    /// In the service's words, one line, without the ids that only its operators can use.
    pub(in super::super) message: String,
    /// How long to keep away.
    pub(in super::super) retry_after: Option<Duration>,
    /// Whom a token must be for, if the answer says so.
    pub(in super::super) resource: Option<String>,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        retry_after: Option<&str>,
        challenge: Option<&str>,
        body: &[u8],
        now: SystemTime,
    ) -> Self {
        let mut refusal = Self {
            status,
            code: None,
            inner: None,
            message: String::new(),
            retry_after: retry_after.and_then(|value| parse_retry_after(value, now)),
            resource: challenge.and_then(challenge_resource),
        };
        match serde_json::from_slice(body) {
            Ok(Value::Object(answer)) => refusal.read(&answer),
            _ => refusal.message.push_str(describe(body)),
        }
        refusal
    }

    /// Key Vault nests its error in an object, Entra and IMDS have two strings.
    fn read(&mut self, answer: &serde_json::Map<String, Value>) {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(tidy);
        match answer.get("error") {
            Some(Value::String(error)) => {
                let description = answer.get("error_description").and_then(Value::as_str).unwrap_or_default();
                self.message = tidy(description);
                self.code = Some(tidy(error));
                if let Some(code) = entra_code(description) {
                    self.inner = self.code.replace(code);
                }
            }
            Some(error) => {
                self.code = text(error, "code");
                self.inner = error.get("innererror").and_then(|inner| text(inner, "code"));
                self.message = text(error, "message").unwrap_or_default();
            }
            None => self.message = "JSON without an error".into(),
        }
    }

    /// Whether it is worded as Entra does.
    pub(in super::super) fn is_of_entra(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.starts_with("AADSTS"))
    }

    /// The most specific code.
    pub(in super::super) fn finest_code(&self) -> Option<&str> {
        match (&self.inner, &self.code) {
            // For Entra the AADSTS number is the finer one.
            (_, Some(code)) if code.starts_with("AADSTS") => Some(code),
            (inner, code) => inner.as_deref().or(code.as_deref()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = self.finest_code() {
            write!(f, " {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// One line, without the trailing ids of Entra, of bounded length.
///
/// A far end that repeats what it was sent would have a token shown; such a text is not shown at all.
pub(in super::super) fn tidy(text: &str) -> String {
    if ["Bearer ", "bearer ", "eyJ", "client_assertion"].iter().any(|mark| text.contains(mark)) {
        return "a message that repeats credentials".into();
    }
    let end = ["Trace ID:", "Correlation ID:", "Timestamp:"].iter().filter_map(|mark| text.find(mark)).min();
    let words = text[..end.unwrap_or(text.len())].split(|c: char| c.is_whitespace() || !is_plain(c));
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Whether a character shows as itself: no control character, and none that turns the direction of a line.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `AADSTS` with its number, from the start of a description.
fn entra_code(description: &str) -> Option<String> {
    let number = description.trim_start().strip_prefix("AADSTS")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    (digits > 0).then(|| format!("AADSTS{}", &number[..digits]))
}

/// What came instead of JSON, without repeating any of it.
fn describe(body: &[u8]) -> &'static str {
    let start = body.trim_ascii_start();
    if start.is_empty() {
        "the answer is empty"
    } else if start.starts_with(b"<") {
        "the answer is a web page, so it came from a proxy or gateway on the way"
    } else {
        "the answer is not JSON"
    }
}

/// The `resource` or `scope` of a challenge.
fn challenge_resource(challenge: &str) -> Option<String> {
    ["resource=\"", "scope=\""].iter().find_map(|key| {
        let value = &challenge[challenge.find(key)? + key.len()..];
        Some(tidy(value[..value.find('"')?].trim_end_matches("/.default")))
    })
}

/// Seconds or an HTTP date; bounded. What is neither is as good as absent.
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::MAX
    } else {
        SystemTime::from(parse_rfc7231(value).ok()?).duration_since(now).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_LIMIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::new(status, None, None, body.as_bytes(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("300", Some(300)),
            ("301", Some(300)),
            ("99999999999999999999999", Some(300)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(300)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn key_vault_says_what_is_forbidden() {
        let answer = refusal(
            403,
            r#"{"error":{"code":"Forbidden","message":"Caller is not authorized.\r\nCaller: appid=1","innererror":{"code":"ForbiddenByRbac"}}}"#,
        );
        assert_eq!(answer.code.as_deref(), Some("Forbidden"));
        assert_eq!(answer.finest_code(), Some("ForbiddenByRbac"));
        assert_eq!(answer.message, "Caller is not authorized. Caller: appid=1");
    }

    #[test]
    fn entra_speaks_in_numbers_and_its_trace_ids_are_left_out() {
        let answer = refusal(
            400,
            r#"{"error":"invalid_client","error_description":"AADSTS700213: No matching \"federated\" record.\r\nTrace ID: 11\r\nCorrelation ID: 22\r\nTimestamp: 2026","error_codes":[700213]}"#,
        );
        assert_eq!(answer.finest_code(), Some("AADSTS700213"));
        assert_eq!(answer.inner.as_deref(), Some("invalid_client"));
        assert_eq!(answer.message, r#"AADSTS700213: No matching "federated" record."#);
    }

    #[test]
    fn imds_has_no_number() {
        let answer = refusal(400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#);
        assert_eq!(answer.to_string(), "HTTP 400 invalid_request: Identity not found");
    }

    #[test]
    fn anything_else_is_described_and_not_repeated() {
        for (body, text) in [
            ("", "HTTP 502: the answer is empty"),
            (
                "  <html>canary</html>",
                "HTTP 502: the answer is a web page, so it came from a proxy or gateway on the way",
            ),
            ("canary", "HTTP 502: the answer is not JSON"),
            ("[\"canary\"]", "HTTP 502: the answer is not JSON"),
            ("{\"value\":\"canary\"}", "HTTP 502: JSON without an error"),
            ("{\"error\":{\"code\":3}}", "HTTP 502"),
        ] {
            assert_eq!(refusal(502, body).to_string(), text);
        }
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let long = "\u{e4}".repeat(MESSAGE_LIMIT + 1);
        assert_eq!(tidy(&long).chars().count(), MESSAGE_LIMIT + 3);
        assert_eq!(tidy(&long[2..]).chars().count(), MESSAGE_LIMIT);
    }

    #[test]
    fn a_challenge_names_the_resource() {
        for (challenge, resource) in [
            (
                r#"Bearer authorization="https://a/t", resource="https://vault.azure.net""#,
                Some("https://vault.azure.net"),
            ),
            (r#"Bearer scope="https://vault.azure.cn/.default""#, Some("https://vault.azure.cn")),
            (r#"Bearer resource="unfinished"#, None),
            ("Basic", None),
        ] {
            assert_eq!(challenge_resource(challenge).as_deref(), resource);
        }
    }
}
