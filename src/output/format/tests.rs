//! How files look and what is refused. That readers get back what was written, the readers themselves have to
//! say: `tests/formats`.

use super::*;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Value, json};
use std::process::Command;

/// The file with these variables.
fn file(format: Format, pairs: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    for (variable, value) in pairs {
        format.line(variable, value.as_bytes(), &mut out).unwrap();
    }
    format.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refusal(format: Format, variable: &str, value: &[u8]) -> String {
    let mut out = Vec::new();
    let error = format.line(variable, value, &mut out).unwrap_err();
    assert_eq!(error.format, format.name());
    assert!(out.is_empty());
    error.to_string()
}

#[test]
fn every_name_stands_for_its_format() {
    for (format, name) in FORMATS {
        assert_eq!(format.name(), name);
        assert_eq!(Format::by_name(name), Some(format));
    }
    assert_eq!(Format::by_name("toml"), None);
}

#[test]
fn every_format_looks_as_its_reader_expects_it() {
    let pairs = [("A", "one"), ("B", "two words")];
    let cases = [
        (Format::Shell, "export A='one'\nexport B='two words'\n", ""),
        (Format::Kubelet, "A='one'\nB='two words'\n", ""),
        (Format::Docker, "A=one\nB=two words\n", ""),
        (Format::Json, "{\n  \"A\": \"one\",\n  \"B\": \"two words\"\n}\n", "{}\n"),
        (Format::Yaml, "\"A\": \"one\"\n\"B\": \"two words\"\n", "{}\n"),
        (Format::Properties, "A=one\nB=two words\n", ""),
    ];
    for (format, expected, without_variables) in cases {
        assert_eq!(file(format, &pairs), expected);
        assert_eq!(file(format, &[]), without_variables);
    }
}

#[test]
fn every_value_round_trips_through_the_shell() {
    let values: &[&[u8]] = &[
        b"",
        b"plain",
        b"two words",
        b"it's",
        b"''",
        b"$HOME `id` $(id) \\ \" ! # ; & | <>*?[]{}~",
        b"line one\nline two\n",
        b"\r\n",
        b"\t \xff\xfe",
        "\u{1f511} \u{e9}".as_bytes(),
    ];
    let directory = tempfile::tempdir().unwrap();
    for value in values {
        let mut line = Vec::new();
        Format::Shell.line("SECRET", value, &mut line).unwrap();
        let path = directory.path().join("env");
        std::fs::write(&path, &line).unwrap();
        let out = Command::new("/bin/sh")
            .args(["-c", ". \"$1\"; printf '%s.' \"$SECRET\"", "sh"])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(out.stdout, [*value, b"."].concat(), "{line:?}");
    }
}

#[test]
fn formats_without_escapes_take_values_literally() {
    let value = "one\ntwo # $x \"y\" \\";
    assert_eq!(file(Format::Kubelet, &[("A", value)]), format!("A='{value}'\n"));
    for value in ["", " 'one'\t", "a\rb=# \\ \u{e9}"] {
        assert_eq!(file(Format::Docker, &[("A", value)]), format!("A={value}\n"));
    }
}

#[test]
fn properties_are_in_ascii() {
    let cases = [
        ("", ""),
        ("p=a:s#s!", "p=a:s#s!"),
        ("  two, \"quoted\" ", "\\  two, \"quoted\" "),
        ("C:\\dir\n\ttab\r\u{c}", "C:\\\\dir\\n\\ttab\\r\\u000c"),
        ("\u{e9} \u{20ac} \u{1f511}\u{7f}", "\\u00e9 \\u20ac \\ud83d\\udd11\\u007f"),
    ];
    for (value, expected) in cases {
        assert_eq!(file(Format::Properties, &[("A", value)]), format!("A={expected}\n"));
    }
}

/// Every control character, what ends lines or files for somebody, and what takes two units in UTF-16.
fn odd() -> String {
    let controls: String = (1..=0x9f).filter_map(char::from_u32).collect();
    format!("{controls} \u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff} \u{e9}\u{1f511}")
}

#[test]
fn json_is_an_object_of_strings() {
    let odd = odd();
    let read: Value = serde_json::from_str(&file(Format::Json, &[("A", &odd), ("B", "")])).unwrap();
    assert_eq!(read, json!({"A": odd, "B": ""}));
}

#[test]
fn yaml_is_a_mapping_of_strings() {
    let odd = odd();
    let written = file(Format::Yaml, &[("NO", "1e3"), ("null", "a: b # c\n- d"), ("A", &odd)]);
    let mut scalars = Vec::new();
    for event in Parser::new_from_str(&written) {
        if let Event::Scalar(text, style, ..) = event.unwrap().0 {
            assert_eq!(style, ScalarStyle::DoubleQuoted);
            scalars.push(text.into_owned());
        }
    }
    assert_eq!(scalars, ["NO", "1e3", "null", "a: b # c\n- d", "A", &odd]);
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let long = vec![b'x'; 0x1_0000];
    let name = "A".repeat(1023);
    let cases: [(Format, &str, &[u8], &str); 11] = [
        (Format::Kubelet, "A", b"", "an empty value"),
        (Format::Kubelet, "A", b"it's", "a single quote"),
        (Format::Kubelet, "A", b"a\r\nb", "a carriage return"),
        (Format::Kubelet, "A", &long[..0x8001], "32 KiB"),
        (Format::Kubelet, &name[..129], b"x", "128 characters"),
        (Format::Docker, "A", b"a\nb", "several lines"),
        (Format::Docker, "A", b"a\n", "several lines"),
        (Format::Docker, "A", b"a\r", "a carriage return"),
        (Format::Docker, "A", &long["A=".len()..], "64 KiB"),
        (Format::Docker, "A", &long, "64 KiB"),
        (Format::Yaml, &name, b"x", "1022 characters"),
    ];
    for (format, variable, value, what) in cases {
        let message = refusal(format, variable, value);
        assert!(message.contains(what) && message.contains(format.name()), "{message}");
    }
    let fitting: [(Format, &str, &[u8]); 4] = [
        (Format::Kubelet, "A", &long[..0x8000]),
        (Format::Kubelet, &name[..128], b"x"),
        (Format::Docker, "A", &long[..0xffff - "A=".len()]),
        (Format::Yaml, &name[..1022], b"x"),
    ];
    for (format, variable, value) in fitting {
        format.line(variable, value, &mut Vec::new()).unwrap();
    }
    assert!(Format::Kubelet.finish(&mut long.clone()).is_ok());
    assert!(Format::Kubelet.finish(&mut [long, vec![b'x']].concat()).is_err());
}

#[test]
fn bytes_that_are_no_text_are_refused_by_all_but_the_shell() {
    for (format, _) in FORMATS.into_iter().filter(|(format, _)| *format != Format::Shell) {
        assert!(refusal(format, "A", b"\xff").contains("not UTF-8"));
    }
}

/// A linear congruential generator: the same values in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).expect("below a usize")
    }

    fn value(&mut self) -> Vec<u8> {
        const PIECES: [&str; 11] =
            ["'", "\"", "\\", "\n", "\r", " ", "plain", "\u{1}", "\u{85}", "\u{feff}", "\u{1f511}"];
        // Many values of one kind of piece, which is where a bound is reached.
        let (from, kinds) = (self.below(PIECES.len()), 1 + self.below(3));
        let pieces = (0..self.below(30)).map(|_| PIECES[(from + self.below(kinds)) % PIECES.len()]);
        let mut value = pieces.collect::<String>().into_bytes();
        if self.below(10) == 0 {
            value.push(0xff);
        }
        value
    }
}

#[test]
fn a_value_is_written_within_the_bound_or_refused_without_a_trace() {
    let mut random = Random(7);
    let (mut written, mut refused) = (0, 0);
    for _ in 0..5_000 {
        let value = random.value();
        for (format, _) in FORMATS {
            let mut out = Vec::new();
            if format.line("A_NAME", &value, &mut out).is_ok() {
                let line = out.len();
                assert!(line <= bound("A_NAME", &value), "{format:?}: {value:?}");
                format.finish(&mut out).expect("a small file");
                assert!(out.len() <= line + END, "{format:?}");
                written += 1;
            } else {
                assert!(out.is_empty(), "{format:?}: {value:?}");
                refused += 1;
            }
        }
    }
    assert!(written > 1_000 && refused > 1_000, "{written} written, {refused} refused");
}
