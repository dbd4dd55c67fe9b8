//! Values that say which switch they came with.

const MARK: &str = "gen-";

/// The value of `key` in the `generation`th set, about as long as a password.
pub fn value(generation: u64, key: &str) -> String {
    format!("{MARK}{generation}-{key}-0123456789abcdef")
}

/// The generation of the first value in `text`, which may be a file with many in it; 0 if there is none.
pub fn of(text: &[u8]) -> u64 {
    let Some(start) = text.windows(MARK.len()).position(|window| window == MARK.as_bytes()) else { return 0 };
    text[start + MARK.len()..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_says_its_generation_wherever_it_stands() {
        assert_eq!(of(value(17, "db-password").as_bytes()), 17);
        assert_eq!(of(format!("A='x'\nB='{}'\nC='{}'\n", value(18, "b"), value(19, "c")).as_bytes()), 18);
        for strange in ["", "gen-", "gen", "no generation"] {
            assert_eq!(of(strange.as_bytes()), 0, "{strange:?}");
        }
    }
}
