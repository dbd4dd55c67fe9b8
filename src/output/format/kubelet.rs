//! `NAME='value'`: what the kubelet reads for `fileKeyRef` (KEP-3721, Kubernetes 1.35 and later).
//!
//! Its parser takes everything between single quotes as it is, several lines included, and has no escape
//! at all; it drops a carriage return before a line feed, and treats an empty value as a missing key. The
//! limits are the kubelet's own: 32 KiB a value, 64 KiB a file, 128 characters a name.

use super::{Format, Inexpressible, push_quoted};

pub(super) struct Kubelet;

const MAX_NAME: usize = 128;
const MAX_VALUE: usize = 32 << 10;
const MAX_FILE: usize = 64 << 10;

impl Format for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn bound(&self, variable: &str, value: &[u8]) -> usize {
        "=''\n".len() + variable.len() + value.len()
    }

    fn line(&self, variable: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        if variable.len() > MAX_NAME {
            return Err(refuse("a name of more than 128 characters", "use a shorter name"));
        }
        if value.is_empty() {
            return Err(refuse(
                "an empty value",
                "the kubelet takes it for a missing key; leave the variable out",
            ));
        }
        if value.contains(&b'\'') {
            return Err(refuse("a single quote", "it has no escape; use `exec` or the format 'shell'"));
        }
        if value.windows(2).any(|pair| pair == b"\r\n") {
            return Err(refuse(
                "a carriage return at the end of a line",
                "the kubelet drops it; use `exec` or the format 'shell'",
            ));
        }
        if std::str::from_utf8(value).is_err() {
            return Err(refuse("bytes that are not UTF-8", "use `exec` or the format 'shell'"));
        }
        if value.len() > MAX_VALUE {
            return Err(refuse("a value of more than 32 KiB", "use `exec` or the format 'shell'"));
        }
        out.extend_from_slice(variable.as_bytes());
        out.push(b'=');
        push_quoted(value, b"", out);
        out.push(b'\n');
        Ok(())
    }

    fn is_for_the_app(&self) -> bool {
        false
    }

    fn check_file(&self, content: &[u8]) -> Result<(), Inexpressible> {
        if content.len() > MAX_FILE {
            return Err(refuse("a file of more than 64 KiB", "split the variables over several outputs"));
        }
        Ok(())
    }
}

fn refuse(what: &'static str, remedy: &'static str) -> Inexpressible {
    Inexpressible { format: "kubelet", what, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_can_express_is_written_literally() {
        let mut out = Vec::new();
        Kubelet.line("A", b"one\ntwo # $x \"y\" \\", &mut out).unwrap();
        assert_eq!(out, b"A='one\ntwo # $x \"y\" \\'\n");
    }

    #[test]
    fn what_it_cannot_express_is_refused_by_name() {
        let long = vec![b'x'; MAX_VALUE + 1];
        let cases: [(&[u8], &str); 5] = [
            (b"", "an empty value"),
            (b"it's", "a single quote"),
            (b"a\r\nb", "a carriage return"),
            (b"\xff", "not UTF-8"),
            (&long, "32 KiB"),
        ];
        for (value, what) in cases {
            let error = Kubelet.line("A", value, &mut Vec::new()).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("kubelet"), "{error}");
        }
        assert!(Kubelet.line(&"A".repeat(MAX_NAME + 1), b"x", &mut Vec::new()).is_err());
        assert!(Kubelet.check_file(&vec![b'x'; MAX_FILE + 1]).is_err());
        assert!(Kubelet.check_file(&vec![b'x'; MAX_FILE]).is_ok());
    }
}
