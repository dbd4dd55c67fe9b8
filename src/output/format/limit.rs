//! What the readers of a format could not give back.

use super::Format;

/// What cannot be expressed, and what to do about it.
pub(super) type Refusal = (&'static str, &'static str);

const ELSEWHERE: &str = "use `exec` or the format 'shell'";

/// Checks one variable.
pub(super) fn check_value(format: Format, variable: &str, value: &[u8]) -> Result<(), Refusal> {
    if format == Format::Shell {
        return Ok(());
    }
    let Ok(text) = str::from_utf8(value) else {
        return Err(("bytes that are not UTF-8", ELSEWHERE));
    };
    match format {
        Format::Kubelet => kubelet(variable, text),
        Format::Docker => docker(variable, text),
        // The specification's limit of a key on one line is 1024 with its quotes.
        Format::Yaml if variable.len() > 1022 => {
            Err(("a name of more than 1022 characters", "use a shorter name"))
        }
        _ => Ok(()),
    }
}

/// Checks the file as a whole.
pub(super) fn check_file(format: Format, content: &[u8]) -> Result<(), Refusal> {
    if format == Format::Kubelet && content.len() > 64 << 10 {
        return Err(("a file of more than 64 KiB", "split the variables over several outputs"));
    }
    Ok(())
}

/// Its parser takes everything between single quotes as it is, several lines included, and has no escape
/// at all. The limits are the kubelet's own.
fn kubelet(variable: &str, text: &str) -> Result<(), Refusal> {
    if variable.len() > 128 {
        return Err(("a name of more than 128 characters", "use a shorter name"));
    }
    if text.is_empty() {
        return Err(("an empty value", "the kubelet takes it for a missing key; leave the variable out"));
    }
    if text.contains('\'') {
        return Err(("a single quote", "it has no escape; use `exec` or the format 'shell'"));
    }
    if text.contains("\r\n") {
        let remedy = "the kubelet drops it; use `exec` or the format 'shell'";
        return Err(("a carriage return at the end of a line", remedy));
    }
    if text.len() > 32 << 10 {
        return Err(("a value of more than 32 KiB", ELSEWHERE));
    }
    Ok(())
}

/// Docker and podman take everything after the first `=` as it is, up to the end of the line; there is no
/// escape at all. They read lines of less than 64 KiB.
fn docker(variable: &str, text: &str) -> Result<(), Refusal> {
    if text.contains('\n') {
        return Err(("several lines", ELSEWHERE));
    }
    if text.ends_with('\r') {
        return Err(("a carriage return at the end", ELSEWHERE));
    }
    if variable.len() + "=".len() + text.len() >= 64 << 10 {
        return Err(("a line of 64 KiB or more", ELSEWHERE));
    }
    Ok(())
}
