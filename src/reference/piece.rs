//! A piece of a text that remembers where it stands in the whole, so that an error can name the position.

use super::ReferenceError;

#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    whole: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Piece<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self { whole, start: 0, end: whole.len() }
    }

    pub(super) fn text(self) -> &'a str {
        &self.whole[self.start..self.end]
    }

    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Without white space on both sides.
    pub(super) fn trim(self) -> Self {
        let text = self.text();
        let start = self.start + (text.len() - text.trim_start().len());
        Self { start, end: start + text.trim().len(), ..self }
    }

    /// What follows `prefix`, whose letters match in either case.
    pub(super) fn after(self, prefix: &str) -> Option<Self> {
        has_prefix(self.text(), prefix).then(|| Self { start: self.start + prefix.len(), ..self })
    }

    /// The pieces before and after the first `delimiter`.
    pub(super) fn split(self, delimiter: char) -> (Self, Option<Self>) {
        match self.text().find(delimiter) {
            None => (self, None),
            Some(offset) => {
                let middle = self.start + offset;
                let rest = Self { start: middle + delimiter.len_utf8(), ..self };
                (Self { end: middle, ..self }, Some(rest))
            }
        }
    }

    /// The pieces before the first `delimiter` and from it on.
    pub(super) fn split_before(self, delimiter: char) -> (Self, Option<Self>) {
        match self.text().find(delimiter) {
            None => (self, None),
            Some(offset) => {
                let middle = self.start + offset;
                (Self { end: middle, ..self }, Some(Self { start: middle, ..self }))
            }
        }
    }

    /// All pieces between `delimiter`s; at least one.
    pub(super) fn pieces(self, delimiter: char) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let (piece, next) = rest?.split(delimiter);
            rest = next;
            Some(piece)
        })
    }

    /// 1-based position of the byte `offset` of this piece, in characters of the whole.
    pub(super) fn at(self, offset: usize) -> usize {
        self.whole[..self.start + offset].chars().count() + 1
    }

    /// An error at the byte `offset` of this piece; at its end, what is found is whatever follows it.
    pub(super) fn malformed(self, offset: usize, expected: &'static str) -> ReferenceError {
        let found = describe(self.whole[self.start + offset..].chars().next());
        ReferenceError::Malformed { at: self.at(offset), found, expected }
    }

    pub(super) fn malformed_end(self, expected: &'static str) -> ReferenceError {
        self.malformed(self.end - self.start, expected)
    }

    /// Checks that the piece is `min` to `max` characters, each of which is `allowed`.
    pub(super) fn check(
        self,
        allowed: impl Fn(char) -> bool,
        (min, max): (usize, usize),
        expected: &'static str,
    ) -> Result<&'a str, ReferenceError> {
        let text = self.text();
        if let Some(offset) = text.find(|c| !allowed(c)) {
            return Err(self.malformed(offset, expected));
        }
        match text.chars().count() {
            n if n < min => Err(self.malformed_end(expected)),
            n if n > max => {
                let offset = text.char_indices().nth(max).map_or(0, |(offset, _)| offset);
                Err(ReferenceError::Malformed { at: self.at(offset), found: "more characters", expected })
            }
            _ => Ok(text),
        }
    }
}

/// Whether `text` starts with `prefix`, ASCII letters matching in either case.
pub(super) fn has_prefix(text: &str, prefix: &str) -> bool {
    text.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Names the character without repeating it, unless it is one of the grammar's own.
fn describe(found: Option<char>) -> &'static str {
    match found {
        None => "the end",
        Some(' ' | '\t') => "a space",
        Some('\n' | '\r') => "a line break",
        Some(c) if c.is_control() => "a control character",
        Some('/') => "`/`",
        Some('#') => "`#`",
        Some(';') => "`;`",
        Some('=') => "`=`",
        Some('(') => "`(`",
        Some(')') => "`)`",
        Some(':') => "`:`",
        Some('@') => "`@`",
        Some('?') => "`?`",
        Some('~') => "`~`",
        Some('.') => "a dot",
        Some('_') => "an underscore",
        Some('-') => "a hyphen",
        Some('\\') => "a backslash",
        Some('\'' | '"') => "a quotation mark",
        Some(c) if c.is_ascii_alphabetic() => "a letter",
        Some(c) if c.is_ascii_digit() => "a digit",
        Some(c) if c.is_ascii() => "a punctuation character",
        Some(_) => "a character outside ASCII",
    }
}
