//! YAML text as a small tree that knows its lines.
//!
//! The subset that a configuration needs: one document of mappings with plain keys, lists and scalars.
//! Anchors, aliases and tags are refused, since they let a small file say something large or unexpected.

use super::problem::{At, Problems, quoted_key};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::{borrow::Cow, collections::BTreeMap};

/// As much as a `ConfigMap` can hold.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// The deepest setting that exists is far above; the builder recurses.
const MAX_DEPTH: usize = 16;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node<'a> {
    /// The first being 1.
    pub(super) line: usize,
    pub(super) value: Value<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Nothing, `~` or `null`, without quotes.
    Null,
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    /// Line of the key.
    pub(super) line: usize,
    pub(super) value: Node<'a>,
}

/// The document, or `None` with the reason in `problems`. Lesser problems are reported too, and leave a
/// tree to go on with.
pub(super) fn parse<'a>(text: &'a str, problems: &Problems) -> Option<Node<'a>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { parser: Parser::new_from_str(text), problems };
    builder.document().map_err(|Stop| ()).ok()
}

/// Nothing more can be read; the reason has been reported.
struct Stop;

struct Builder<'a, 'p> {
    parser: Parser<'a, StrInput<'a>>,
    problems: &'p Problems,
}

impl<'a> Builder<'a, '_> {
    fn document(&mut self) -> Result<Node<'a>, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self.stop(&span, "a second document starts here; use one document"));
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, &span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node { line: 1, value: Value::Null }))
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node<'a>, Stop> {
        if depth > MAX_DEPTH {
            return Err(self.stop(span, "nested too deeply"));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some());
                let is_null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                if is_null { Value::Null } else { Value::Text(text) }
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some());
                Value::List(self.list(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some());
                Value::Map(self.map(depth)?)
            }
            // An alias, since all other events cannot stand where a node is expected.
            _ => {
                self.problem(span, "aliases are not supported; write the value out");
                Value::Null
            }
        };
        Ok(Node { line: span.start.line(), value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node<'a>>, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry<'a>>, Stop> {
        let mut entries = Vec::new();
        let mut first_lines = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            let line = key.line;
            let Value::Text(key) = key.value else {
                self.problems.add(At::Line(line), "", "a key must be a text; write it in quotes");
                continue;
            };
            if let Some(first) = first_lines.get(&key) {
                let what = format_args!("given twice, first in line {first}; keep one");
                self.problems.add(At::Line(line), &quoted_key(&key, 64), what);
                continue;
            }
            first_lines.insert(key.clone(), line);
            entries.push(Entry { key, line, value });
        }
    }

    fn refuse_extras(&self, span: &Span, anchor: usize, is_tagged: bool) {
        if anchor != 0 {
            self.problem(span, "anchors are not supported; write the value out where it is needed");
        }
        if is_tagged {
            self.problem(span, "tags are not supported; put the value in quotes instead");
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let at = At::Line(error.marker().line());
                self.problems.add(at, "", explain(&error));
                Err(Stop)
            }
            None => {
                self.problems.file("not valid YAML: it ends too early");
                Err(Stop)
            }
        }
    }

    fn problem(&self, span: &Span, what: &str) {
        self.problems.add(At::Line(span.start.line()), "", what);
    }

    fn stop(&self, span: &Span, what: &str) -> Stop {
        self.problem(span, what);
        Stop
    }
}

/// The scanner's messages are fixed texts, but for the one that shows the character it stumbled on.
fn explain(error: &ScanError) -> String {
    let column = error.marker().col() + 1;
    if error.info().starts_with("unexpected character") {
        return format!(
            "column {column}: a value that starts with `@`, `%` or a backquote must be in quotes"
        );
    }
    format!("column {column}: not valid YAML: {}", error.info())
}
