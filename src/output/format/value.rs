//! Values in the quotes and escapes of their readers.

/// Appends what stands between single quotes in a POSIX shell.
pub(super) fn push_quoted(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        // Leaves the quotes, adds one escaped quote, and enters them again: the only way in POSIX shells.
        if byte == b'\'' { out.extend_from_slice(br"'\''") } else { out.push(byte) }
    }
}

/// Appends `value`, which is UTF-8, in escapes of backslashes: what stands between double quotes in JSON and
/// YAML; or the value of a property, all of it in ASCII, which is the same in whatever encoding its reader
/// takes the file for.
pub(super) fn push_escaped(value: &[u8], is_property: bool, out: &mut Vec<u8>) {
    // White space before the value of a property belongs to nobody.
    if is_property && value.starts_with(b" ") {
        out.push(b'\\');
    }
    for character in str::from_utf8(value).unwrap_or_default().chars() {
        let letter = match character {
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\\' => b'\\',
            '"' if !is_property => b'"',
            _ if matches!(character, ' '..='~') || (!is_property && is_plain(character)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => {
                push_units(character, out);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

/// Whether YAML takes it literally too: it lets no control characters in, takes some others for the end of a
/// line, and drops byte order marks. None of those is beyond `U+FFFF`, where YAML has no `\u` for them.
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Appends its code units in UTF-16.
fn push_units(character: char, out: &mut Vec<u8>) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(br"\u");
        for shift in [12, 8, 4, 0] {
            out.push(b"0123456789abcdef"[usize::from(*unit >> shift & 15)]);
        }
    }
}
