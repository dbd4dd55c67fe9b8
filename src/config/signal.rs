//! Signals by name or number.

const TABLE: [(&str, i32); 10] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CONT", libc::SIGCONT),
    ("WINCH", libc::SIGWINCH),
    ("KILL", libc::SIGKILL),
];

/// A signal that can mean "read it again" to a program.
pub(super) fn reload(text: &str) -> Result<i32, &'static str> {
    parse(text)
        .filter(|signal| *signal != libc::SIGKILL)
        .ok_or("not a signal for a reload; use HUP, INT, QUIT, USR1, USR2, ALRM, TERM, CONT or WINCH")
}

/// A signal that can mean "end" to a program.
pub(super) fn stop(text: &str) -> Result<i32, &'static str> {
    parse(text)
        .filter(|signal| *signal != libc::SIGCONT)
        .ok_or("not a signal for a stop; use TERM, INT, QUIT, HUP, USR1, USR2, ALRM, WINCH or KILL")
}

/// `HUP`, `SIGHUP` or `1`, in any case.
fn parse(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number: Option<i32> = text.parse().ok();
    TABLE.iter().find(|(known, value)| *known == name || Some(*value) == number).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_and_a_number() {
        for text in ["HUP", "hup", "SIGHUP", "SigHup", "1"] {
            assert_eq!(reload(text), Ok(libc::SIGHUP), "{text}");
        }
        assert_eq!(reload("10"), Ok(libc::SIGUSR1));
        for text in
            ["", "SIG", "KILL", "9", "STOP", "19", "SEGV", "11", "CHLD", "0", "-1", "+1x", "65", "HUP "]
        {
            assert!(reload(text).is_err(), "{text}");
        }
        assert_eq!((stop("KILL"), stop("SIGQUIT")), (Ok(libc::SIGKILL), Ok(libc::SIGQUIT)));
        assert!(stop("CONT").is_err());
    }
}
