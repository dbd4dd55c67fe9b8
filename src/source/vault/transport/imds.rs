//! Answers of the metadata service, as the SDK expects them.

use bytes::Bytes;
use serde_json::{Map, Value};

/// The time at which the token ends.
const END: &str = "expires_on";

/// With the token's end as a string, which is how Azure documents it and all that the SDK for Rust reads. Some
/// that stand in for IMDS send a number, as the SDKs for other languages take both.
pub(super) fn with_text_times(body: Bytes) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else { return body };
    let Some(Value::Number(end)) = answer.get(END) else { return body };
    let end = end.to_string();
    answer.insert(END.into(), end.into());
    Value::from(answer).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_is_rewritten() {
        let rewritten = |body: &'static str| with_text_times(body.into());
        assert_eq!(rewritten(r#"{"a":1,"expires_on":1795427421}"#), r#"{"a":1,"expires_on":"1795427421"}"#);
        for body in [r#"{ "expires_on": "1795427421" }"#, r#"{ "expires_in": 1 }"#, "[1]", "<html>", ""] {
            assert_eq!(rewritten(body), body);
        }
    }
}
