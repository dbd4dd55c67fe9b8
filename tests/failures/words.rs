//! Finds the essential words of a row in what the agent says.

/// A row's words, with `HOST` filled in.
pub(crate) struct Words(Vec<String>);

impl Words {
    /// Of a row's `says`.
    pub(crate) fn new(says: &str, host: &str) -> Self {
        Self(says.replace("HOST", host).split(" ... ").map(ToOwned::to_owned).collect())
    }

    /// Whether a text has all of them, in their order.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        let mut rest = text;
        self.0.iter().all(|word| match rest.split_once(word.as_str()) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" ... "))
    }
}
