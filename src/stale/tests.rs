//! What the two forms of a value have in common, and the clock as tables of passes.

use super::{
    content::{Comparison::*, Form, compare, guess, written},
    *,
};
use crate::{
    failure::Class,
    reference::{Collection, ObjectName, VaultUrl},
    source::vault::VaultError,
};
use std::time::Duration;

const FIRST_PEM: &str = include_str!("fixtures/first.pem");
const FIRST_PFX: &str = include_str!("fixtures/first.pfx");
const SECOND_PEM: &str = include_str!("fixtures/second.pem");
const SECOND_PFX: &str = include_str!("fixtures/second.pfx");
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";

fn certificate_of(pem: &str) -> &str {
    &pem[pem.find("-----BEGIN CERTIFICATE").expect("a certificate")..]
}

fn value(text: impl Into<Vec<u8>>) -> SecretValue {
    SecretValue::new(text)
}

#[test]
fn content_is_the_same_in_each_form_that_a_mount_may_have() {
    let crlf = FIRST_PEM.replace('\n', "\r\n");
    let table: &[(&str, &[u8], &str, Comparison)] = &[
        ("equal", b"value", "value", Same(Form::AsIs)),
        ("empty", b"", "", Same(Form::AsIs)),
        ("another value", b"value", "other", Different),
        ("a newline more in the mount", b"value\n", "value", Different),
        ("a newline more in the vault", b"value", "value\n", Different),
        ("base64, decoded", b"\x00\xff\x10", "AP8Q", Same(Form::Base64)),
        ("base64 in lines", b"\x00\xff\x10\x01\x02\x03", "AP8Q\r\nAQID\n", Same(Form::Base64)),
        ("base64 of something else", b"\x00\xff\x11", "AP8Q", Different),
        ("base64 without its padding", b"\x00", "AA", Different),
        ("encoded, not decoded", b"dmFsdWU=", "value", Different),
        ("hex, decoded", b"\x00\xfa\x10", "00Fa10", Same(Form::Hex)),
        ("hex with a digit too few", b"\x00", "000", Different),
        ("hex with a sign", b"\x0f", "+f", Different),
        ("a certificate, key first", FIRST_PEM.as_bytes(), FIRST_PFX, Same(Form::Certificate)),
        ("its leaf alone", certificate_of(FIRST_PEM).as_bytes(), FIRST_PFX, Same(Form::Certificate)),
        ("the leaf of PEM", certificate_of(FIRST_PEM).as_bytes(), FIRST_PEM, Same(Form::Certificate)),
        ("other line ends", crlf.as_bytes(), FIRST_PEM, Same(Form::Certificate)),
        ("another certificate", FIRST_PEM.as_bytes(), SECOND_PFX, Different),
        ("another certificate as PEM", FIRST_PEM.as_bytes(), SECOND_PEM, Different),
        ("a certificate and a word", FIRST_PEM.as_bytes(), "value", Different),
        ("a word and a certificate", b"value", FIRST_PFX, Different),
        ("a public key of a certificate", PUBLIC_KEY.as_bytes(), FIRST_PFX, Incomparable),
        ("a public key and another", PUBLIC_KEY.as_bytes(), "-----BEGIN PUBLIC KEY-----\nBBBB\n", Different),
    ];
    for (what, mount, vault, expected) in table {
        assert_eq!(compare(&value(*mount), &value(*vault)), *expected, "{what}");
    }
}

#[test]
fn a_value_is_put_down_as_the_mount_would_have_it() {
    let leaf = certificate_of(FIRST_PEM);
    let table: &[(&str, Form, &str, &str, Option<&str>)] = &[
        ("as it is", Form::AsIs, "old", "new", Some("new")),
        ("decoded", Form::Base64, "old", "bmV3", Some("new")),
        ("not base64", Form::Base64, "old", "new!", None),
        ("decoded from hex", Form::Hex, "old", "6e6577", Some("new")),
        ("not hex", Form::Hex, "old", "new", None),
        ("a certificate with its key", Form::Certificate, FIRST_PEM, SECOND_PFX, Some(SECOND_PEM)),
        ("a leaf", Form::Certificate, leaf, SECOND_PFX, Some(certificate_of(SECOND_PEM))),
        ("no certificate", Form::Certificate, FIRST_PEM, "new", None),
    ];
    for (what, form, mount, vault, expected) in table {
        let found = written(*form, &value(*mount), &value(*vault));
        assert_eq!(found.as_ref().map(SecretValue::expose), expected.map(str::as_bytes), "{what}");
    }
}

#[test]
fn only_a_certificate_is_recognised_without_having_agreed() {
    for (mount, vault, expected) in [
        ("old", "bmV3", Form::AsIs),
        (FIRST_PEM, SECOND_PFX, Form::Certificate),
        (FIRST_PEM, SECOND_PEM, Form::AsIs),
        (FIRST_PEM, "new", Form::AsIs),
        ("old", SECOND_PFX, Form::AsIs),
    ] {
        assert_eq!(guess(&value(mount), &value(vault)), expected);
    }
}

/// The grace of all tables, in seconds.
const AFTER: u64 = 600;

/// Passes over one pair, told in seconds since the first.
struct Passes {
    tracker: Tracker,
    start: Now,
}

/// What the vault is known to have: value, when that was read, and whether that is only the last good value.
type Answer<'a> = Option<(&'a str, u64, bool)>;

/// What a pass says: news, what counts instead, how the file stands, when to look again.
#[derive(Debug, PartialEq)]
struct Said {
    news: Vec<&'static str>,
    instead: Option<String>,
    standing: Option<(&'static str, u64)>,
    due: Option<u64>,
}

fn pair() -> Pair {
    let id = ObjectId {
        vault: VaultUrl("https://a.vault.example".into()),
        collection: Collection::Secrets,
        name: ObjectName("db".into()),
        version: None,
    };
    (MountPath("db".into()), id)
}

impl Passes {
    fn new(use_: Trusted) -> Self {
        let rule = StaleMount { after: Duration::from_secs(AFTER), use_ };
        // Far from the beginning of either clock, which may be the start of this machine.
        let start = Now {
            at: Instant::now() + Duration::from_secs(1 << 20),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30),
        };
        Self { tracker: Tracker::new(rule), start }
    }

    fn state(&self, answer: Answer<'_>) -> SecretState {
        let problem = |message: &str| VaultError {
            class: Class::Unavailable,
            transient: true,
            message: message.into(),
        };
        let Some((text, read, is_last_good)) = answer else {
            return SecretState { good: None, problem: Some(problem("forbidden")) };
        };
        let good = VaultSecret {
            value: value(text),
            version: ObjectVersion(format!("version of {text}").into()),
            expires: None,
            not_before: None,
            read: self.start.wall + Duration::from_secs(read),
        };
        SecretState { good: Some(good), problem: is_last_good.then(|| problem("throttled")) }
    }

    fn pass(&mut self, at: u64, mount: &str, answer: Answer<'_>) -> Said {
        let lasted = Duration::from_secs(at);
        let now = Now { at: self.start.at + lasted, wall: self.start.wall + lasted };
        let (mount, vault) = (value(mount), self.state(answer));
        let news = self.tracker.observe([(pair(), Sight { mount: &mount, vault: &vault })], now);
        let since = |wall: SystemTime| wall.duration_since(self.start.wall).expect("later").as_secs();
        Said {
            news: news
                .iter()
                .map(|news| match news {
                    News::Stale(_) => "stale",
                    News::CaughtUp(_) => "caught up",
                    News::Moved(_) => "moved",
                })
                .collect(),
            instead: self
                .tracker
                .instead(&pair())
                .map(|value| String::from_utf8_lossy(value.expose()).into_owned()),
            standing: self.tracker.standing(&pair()).map(|standing| match standing {
                Standing::Level => ("level", 0),
                Standing::Behind(wall) => ("behind", since(wall)),
                Standing::Stale(wall) => ("stale", since(wall)),
            }),
            due: self.tracker.due().map(|due| (due - self.start.at).as_secs()),
        }
    }
}

/// At a time: the mount's value, the vault's answer, and what is said: news, standing, when to look again.
type Row<'a> = (u64, &'a str, Answer<'a>, &'a [&'static str], Option<(&'static str, u64)>, Option<u64>);

fn check(what: &str, rows: &[Row<'_>]) {
    let mut passes = Passes::new(Trusted::Mount);
    for (number, (at, mount, answer, news, standing, due)) in rows.iter().enumerate() {
        let said = passes.pass(*at, mount, *answer);
        let expected = Said { news: news.to_vec(), instead: None, standing: *standing, due: *due };
        assert_eq!(said, expected, "{what}, pass {number}");
    }
}

const LEVEL: Option<(&str, u64)> = Some(("level", 0));

#[test]
fn the_clock_by_table() {
    check(
        "a mount that follows in time",
        &[
            (0, "one", Some(("one", 1, false)), &[], LEVEL, None),
            (300, "one", Some(("two", 299, false)), &[], Some(("behind", 299)), Some(899)),
            (420, "two", Some(("two", 299, false)), &[], LEVEL, None),
            (9999, "two", Some(("two", 9998, false)), &[], LEVEL, None),
        ],
    );
    check(
        "a mount that never follows, and is told of once",
        &[
            (0, "one", Some(("one", 1, false)), &[], LEVEL, None),
            (300, "one", Some(("two", 300, false)), &[], Some(("behind", 300)), Some(900)),
            (899, "one", Some(("two", 600, false)), &[], Some(("behind", 300)), Some(900)),
            (900, "one", Some(("two", 600, false)), &["stale"], Some(("stale", 300)), None),
            (1200, "one", Some(("two", 1200, false)), &[], Some(("stale", 300)), None),
            (1500, "two", Some(("two", 1200, false)), &["caught up"], LEVEL, None),
            (1800, "two", Some(("two", 1800, false)), &[], LEVEL, None),
        ],
    );
    check(
        "a mount that is ahead of the vault's last answer, whose value it will have",
        &[
            (0, "one", Some(("one", 1, false)), &[], LEVEL, None),
            (200, "two", Some(("one", 1, false)), &[], LEVEL, Some(800)),
            (300, "two", Some(("two", 299, false)), &[], LEVEL, None),
        ],
    );
    check(
        "a mount that is ahead while the vault is not asked for long",
        &[
            (0, "one", Some(("one", 1, false)), &[], LEVEL, None),
            (200, "two", Some(("one", 1, false)), &[], LEVEL, Some(800)),
            (800, "two", Some(("one", 1, false)), &[], LEVEL, Some(1400)),
            (3600, "two", Some(("two", 3600, false)), &[], LEVEL, None),
        ],
    );
    check(
        "a mount that changed to something that the vault has not even later",
        &[
            (0, "two", Some(("two", 1, false)), &[], LEVEL, None),
            (200, "one", Some(("two", 1, false)), &[], LEVEL, Some(800)),
            (800, "one", Some(("two", 300, false)), &[], Some(("behind", 300)), Some(900)),
            (900, "one", Some(("two", 600, false)), &["stale"], Some(("stale", 300)), None),
        ],
    );
    check(
        "a mount that is read after the vault was asked",
        &[
            (100, "one", Some(("two", 50, false)), &[], LEVEL, Some(700)),
            (400, "one", Some(("two", 400, false)), &[], Some(("behind", 400)), Some(1000)),
        ],
    );
}

#[test]
fn a_change_on_either_side_starts_the_clock_anew() {
    check(
        "another rotation within the grace",
        &[
            (0, "one", Some(("two", 0, false)), &[], Some(("behind", 0)), Some(600)),
            (300, "one", Some(("three", 300, false)), &[], Some(("behind", 300)), Some(900)),
            (600, "one", Some(("three", 600, false)), &[], Some(("behind", 300)), Some(900)),
            (900, "one", Some(("three", 900, false)), &["stale"], Some(("stale", 300)), None),
        ],
    );
    check(
        "a stale mount that misses one more",
        &[
            (0, "one", Some(("two", 0, false)), &[], Some(("behind", 0)), Some(600)),
            (600, "one", Some(("two", 600, false)), &["stale"], Some(("stale", 0)), None),
            (900, "one", Some(("three", 900, false)), &[], Some(("stale", 0)), None),
        ],
    );
    check(
        "a mount that moves, but not to the vault's value",
        &[
            (0, "one", Some(("three", 0, false)), &[], Some(("behind", 0)), Some(600)),
            (500, "two", Some(("three", 300, false)), &[], LEVEL, Some(1100)),
            (600, "two", Some(("three", 600, false)), &[], Some(("behind", 600)), Some(1200)),
            (1200, "two", Some(("three", 1200, false)), &["stale"], Some(("stale", 600)), None),
            (1300, "one", Some(("three", 1200, false)), &["moved"], LEVEL, Some(1900)),
        ],
    );
    check(
        "a vault that is set back",
        &[
            (0, "one", Some(("two", 0, false)), &[], Some(("behind", 0)), Some(600)),
            (300, "one", Some(("one", 300, false)), &[], LEVEL, None),
            (700, "one", Some(("one", 600, false)), &[], LEVEL, None),
        ],
    );
}

#[test]
fn a_vault_without_an_answer_says_nothing_about_the_mount() {
    check(
        "forbidden, or not there",
        &[(0, "one", None, &[], None, None), (9999, "one", None, &[], None, None)],
    );
    check(
        "a last good value starts no clock",
        &[
            (0, "one", Some(("one", 0, false)), &[], LEVEL, None),
            (300, "two", Some(("one", 0, true)), &[], LEVEL, None),
            (9999, "two", Some(("one", 0, true)), &[], LEVEL, None),
            (10_000, "two", Some(("two", 10_000, false)), &[], LEVEL, None),
        ],
    );
    check(
        "a clock that runs is not stopped, but nothing is said before the next answer",
        &[
            (0, "one", Some(("two", 0, false)), &[], Some(("behind", 0)), Some(600)),
            (300, "one", Some(("two", 0, true)), &[], Some(("behind", 0)), None),
            (700, "one", Some(("two", 0, true)), &[], Some(("behind", 0)), None),
            (900, "one", Some(("two", 900, false)), &["stale"], Some(("stale", 0)), None),
            (1200, "one", Some(("two", 900, true)), &[], Some(("stale", 0)), None),
            (1300, "two", Some(("two", 900, true)), &["caught up"], LEVEL, None),
        ],
    );
}

#[test]
fn the_vault_counts_instead_of_a_stale_file_and_no_longer() {
    let mut passes = Passes::new(Trusted::Vault);
    let mut instead = |at, mount, vault| passes.pass(at, mount, Some((vault, at, false))).instead;
    assert_eq!(instead(0, "one", "one"), None);
    assert_eq!(instead(100, "one", "two"), None, "the grace has begun");
    assert_eq!(instead(699, "one", "two"), None);
    assert_eq!(instead(700, "one", "two").as_deref(), Some("two"));
    assert_eq!(instead(1000, "one", "three").as_deref(), Some("three"), "and follows the vault");
    assert_eq!(instead(1300, "three", "three"), None, "the mount has caught up");
    assert_eq!(instead(1400, "four", "three"), None, "the mount moves on by itself");
    assert_eq!(instead(2000, "four", "three").as_deref(), Some("three"));
    assert_eq!(instead(2100, "five", "three"), None, "the mount counts again");
}

#[test]
fn what_counts_instead_has_the_form_in_which_the_two_agreed() {
    let mut passes = Passes::new(Trusted::Vault);
    let mut instead = |at, mount, vault| passes.pass(at, mount, Some((vault, at, false))).instead;
    assert_eq!(instead(0, "old", "b2xk"), None);
    assert_eq!(instead(300, "old", "bmV3"), None);
    assert_eq!(instead(900, "old", "bmV3").as_deref(), Some("new"));
    assert_eq!(instead(1000, "old", "not base64").as_deref(), Some("new"), "the last good one stays");
    assert_eq!(instead(1100, "new", "bmV3"), None);
}

#[test]
fn a_certificate_counts_in_the_mounts_form_though_the_two_have_never_agreed() {
    let mut passes = Passes::new(Trusted::Vault);
    passes.pass(0, FIRST_PEM, Some((SECOND_PFX, 0, false)));
    let said = passes.pass(AFTER, FIRST_PEM, Some((SECOND_PFX, AFTER, false)));
    assert_eq!(said.instead.as_deref(), Some(SECOND_PEM));
}

#[test]
fn a_last_good_value_changes_nothing_that_counts() {
    let mut passes = Passes::new(Trusted::Vault);
    passes.pass(0, "one", Some(("two", 0, false)));
    passes.pass(600, "one", Some(("two", 600, false)));
    let said = passes.pass(900, "one", Some(("two", 600, true)));
    assert_eq!((said.instead.as_deref(), said.news), (Some("two"), vec![]));
}

#[test]
fn a_file_that_is_gone_is_forgotten() {
    let mut passes = Passes::new(Trusted::Vault);
    passes.pass(0, "one", Some(("two", 0, false)));
    passes.pass(600, "one", Some(("two", 600, false)));
    assert_eq!(passes.tracker.lacks(&pair()).map(ToString::to_string).as_deref(), Some("version of two"));
    assert_eq!(passes.tracker.observe([], passes.start), []);
    assert_eq!(
        (passes.tracker.standing(&pair()), passes.tracker.lacks(&pair()), passes.tracker.due()),
        (None, None, None)
    );
    assert_eq!(passes.tracker.instead(&pair()), None);
}

#[test]
fn a_wall_clock_that_is_set_confuses_nothing() {
    let mut passes = Passes::new(Trusted::Mount);
    assert_eq!(passes.pass(0, "one", Some(("one", 0, false))).standing, LEVEL);
    // Set back by more than the grace: the answer comes from the future, and counts from now on.
    assert_eq!(passes.pass(10, "one", Some(("two", 5000, false))).due, Some(610));
    assert_eq!(passes.pass(610, "one", Some(("two", 5000, false))).news, ["stale"]);
    // Set forward: the answer seems to be older than the mount, and another one is waited for.
    assert_eq!(passes.pass(700, "three", Some(("two", 0, false))).standing, LEVEL);
}
