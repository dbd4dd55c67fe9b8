//! One setting as it was written, wherever that was. The same reader serves the file and the environment:
//! a variable is a setting in its short form.

use super::{
    problem::{At, Problems, quoted_key, suggestion},
    yaml::{Entry, Node, Value},
};
use std::fmt::Display;

/// Something written, and what to call it in a problem.
pub(super) struct Setting<'t> {
    key: String,
    at: At,
    pub(super) written: Written<'t>,
    problems: &'t Problems,
}

/// What a setting can look like.
#[derive(Clone, Copy)]
pub(super) enum Written<'t> {
    Null,
    Text(&'t str),
    List(&'t [Node<'t>]),
    Map(&'t [Entry<'t>]),
}

impl<'t> Written<'t> {
    fn of(node: &'t Node<'t>) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Text(text) => Self::Text(text),
            Value::List(items) => Self::List(items),
            Value::Map(entries) => Self::Map(entries),
        }
    }
}

impl<'t> Setting<'t> {
    /// The whole file.
    pub(super) fn root(node: &'t Node<'t>, problems: &'t Problems) -> Self {
        Self { key: String::new(), at: At::Line(node.line), written: Written::of(node), problems }
    }

    /// An environment variable.
    pub(super) fn variable(name: &'static str, text: &'t str, problems: &'t Problems) -> Self {
        Self { key: String::new(), at: At::Variable(name), written: Written::Text(text), problems }
    }

    pub(super) fn problem(&self, what: impl Display) {
        self.problems.add(self.at, &self.key, what);
    }

    /// The text of a scalar; anything else is a problem.
    pub(super) fn text(&self) -> Option<&'t str> {
        let what = match self.written {
            Written::Text(text) => return Some(text),
            Written::Null => "has no value",
            Written::List(_) => "a list stands here; a single value is expected",
            Written::Map(_) => "a mapping stands here; a single value is expected",
        };
        self.problem(what);
        None
    }

    /// Reads a scalar with `parse`; its error is the problem.
    pub(super) fn parse<T, E: Display>(&self, parse: impl FnOnce(&'t str) -> Result<T, E>) -> Option<T> {
        parse(self.text()?).map_err(|error| self.problem(error)).ok()
    }

    /// Something that can only be `true`: otherwise its key is left out.
    pub(super) fn flag(&self) -> Option<()> {
        self.parse(|text| match text {
            "true" => Ok(()),
            _ => Err("only true can stand here; or remove the key"),
        })
    }

    /// The items, if a list stands here.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let Written::List(items) = self.written else { return None };
        let item = |(index, node): (usize, &'t Node<'t>)| Self {
            key: format!("{}[{index}]", self.key),
            at: At::Line(node.line),
            written: Written::of(node),
            problems: self.problems,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list; something that is not a list counts as a list of one.
    pub(super) fn items(self) -> Vec<Self> {
        self.list().unwrap_or_else(|| vec![self])
    }

    /// All entries of a mapping, whatever their keys; anything else is a problem.
    pub(super) fn entries(&self) -> Option<Vec<(&'t str, Self)>> {
        let Written::Map(entries) = self.written else {
            self.problem("a mapping of keys to values is expected here");
            return None;
        };
        Some(entries.iter().map(|entry| (&*entry.key, self.child(entry))).collect())
    }

    /// The entries of a mapping whose keys must be among `known`. Those in `planned` are known to the
    /// documentation, but not to this version.
    pub(super) fn fields(&self, known: &[&'static str], planned: &[&'static str]) -> Option<Fields<'t>> {
        let entries = self.entries()?;
        for (key, setting) in &entries {
            if planned.contains(key) {
                setting.problem("not supported by this version; remove it");
            } else if !known.contains(key) {
                match suggestion(key, known) {
                    Some(meant) => setting.problem(format_args!("unknown key; did you mean `{meant}`?")),
                    None => setting.problem(format_args!("unknown key; known here: {}", known.join(", "))),
                }
            }
        }
        Some(Fields(entries))
    }

    fn child(&self, entry: &'t Entry<'t>) -> Self {
        let key = quoted_key(&entry.key, 64);
        let key = if self.key.is_empty() { key } else { format!("{}.{key}", self.key) };
        Self { key, at: At::Line(entry.line), written: Written::of(&entry.value), problems: self.problems }
    }
}

/// The entries of a mapping with known keys.
pub(super) struct Fields<'t>(Vec<(&'t str, Setting<'t>)>);

impl<'t> Fields<'t> {
    /// Those of a setting without any.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether this key is there, with or without a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == key)
    }

    /// Whether every key has been taken out. One that is left is not known, which has been reported: what
    /// else is missing may be what it was meant for.
    pub(super) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out the setting of this key. A key without a value counts as not written, as in a template
    /// that filled in nothing.
    pub(super) fn take(&mut self, key: &str) -> Option<Setting<'t>> {
        self.take_even_null(key).filter(|setting| !matches!(setting.written, Written::Null))
    }

    /// Like [`Fields::take`], for a key that means something all by itself.
    pub(super) fn take_even_null(&mut self, key: &str) -> Option<Setting<'t>> {
        let index = self.0.iter().position(|(known, _)| *known == key)?;
        Some(self.0.swap_remove(index).1)
    }
}
