//! How a secret's name becomes a variable's.

use super::{EnvName, Fragment, Naming};
use crate::reference::ObjectName;

const EXPECTED: &str = "unknown naming; use upper-snake, as-is, or a template such as APP_{REST}";
const PLACES: [(&str, Fragment); 4] = [
    ("name", Fragment::Name { rest: false, upper: false }),
    ("NAME", Fragment::Name { rest: false, upper: true }),
    ("rest", Fragment::Name { rest: true, upper: false }),
    ("REST", Fragment::Name { rest: true, upper: true }),
];

/// `upper-snake`, `as-is`, or a template.
pub fn parse(text: &str) -> Result<Naming, &'static str> {
    match text {
        "upper-snake" => Ok(Naming::UpperSnake),
        "as-is" => Ok(Naming::AsIs),
        template if template.contains('{') => fragments(template).map(Naming::Template),
        _ => Err(EXPECTED),
    }
}

fn fragments(template: &str) -> Result<Vec<Fragment>, &'static str> {
    const PLACE: &str = "a place in the template must be {name}, {NAME}, {rest} or {REST}";
    let mut fragments = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').ok_or(PLACE)?;
        let (_, place) = PLACES.iter().find(|(name, _)| *name == place).ok_or(PLACE)?;
        fragments.extend([Fragment::Text(text.to_owned()), place.clone()]);
        rest = after;
    }
    fragments.push(Fragment::Text(rest.to_owned()));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_text_allowed = |fragment: &Fragment| match fragment {
        Fragment::Text(text) => text.chars().all(is_allowed),
        Fragment::Name { .. } => true,
    };
    if fragments.iter().all(is_text_allowed) {
        Ok(fragments)
    } else {
        Err(
            "a variable has only letters, digits and underscores, so the template outside its places has, too",
        )
    }
}

impl Naming {
    /// The variable of the secret `name`, whose first `prefix` bytes are what it was chosen by; `None` if no
    /// variable can be called that.
    pub(crate) fn variable(&self, name: &ObjectName, prefix: usize) -> Option<EnvName> {
        let whole = name.as_str();
        let text = match self {
            Self::UpperSnake => upper_snake(whole),
            Self::AsIs => whole.to_owned(),
            Self::Template(fragments) => {
                let text = |fragment: &Fragment| match fragment {
                    Fragment::Text(text) => text.clone(),
                    Fragment::Name { rest, upper } => {
                        let name = if *rest { whole.get(prefix..).unwrap_or_default() } else { whole };
                        // A hyphen can stand in no variable, so it never comes out of a template.
                        if *upper { upper_snake(name) } else { name.replace('-', "_") }
                    }
                };
                fragments.iter().map(text).collect()
            }
        };
        EnvName::parse(&text).ok()
    }
}

fn upper_snake(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}
