//! Reads the format `shell` strictly: whatever is not exactly lines of `export NAME='VALUE'` is torn.

use std::{collections::BTreeMap, fs, path::Path};

/// The variables of a file, or nothing if it is not there or not whole.
pub(crate) fn read_env_file(path: &Path) -> Option<BTreeMap<String, String>> {
    parse_env_file(&fs::read_to_string(path).ok()?)
}

/// The variables that a shell would get from `text`.
pub(crate) fn parse_env_file(text: &str) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.strip_prefix("export ")?.split_once("='")?;
        let (first, mut after) = after.split_once('\'')?;
        let mut value = first.to_owned();
        while let Some(more) = after.strip_prefix("\\''") {
            let (piece, end) = more.split_once('\'')?;
            value.push('\'');
            value.push_str(piece);
            after = end;
        }
        rest = after.strip_prefix('\n')?;
        variables.insert(name.to_owned(), value);
    }
    Some(variables)
}
