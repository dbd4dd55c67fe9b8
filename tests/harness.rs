//! The harness itself: what it is there to find, it finds.

#![allow(clippy::unwrap_used)]

mod support;

use std::panic::catch_unwind;
use support::{Agent, Workdir, assert_clean, parse_env_file, secret};

fn is_clean(text: &str) -> bool {
    catch_unwind(|| assert_clean("a text", text)).is_ok()
}

#[test]
fn a_secret_is_found_in_every_form() {
    let value = secret("some label");
    let bytes = value.as_bytes();
    let each = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<String>();
    for text in [
        value.clone(),
        value.to_uppercase(),
        value.replace('-', "%2D"),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("{byte:02x}")),
        format!("{bytes:?}"),
        // From the tool base64, with nothing, one and two bytes before it.
        "Y2FuYXJ5LTdmM2Etc29tZSBsYWJlbA==".to_owned(),
        "IGNhbmFyeS03ZjNhLXNvbWUgbGFiZWw=".to_owned(),
        "ICBjYW5hcnktN2YzYS1zb21lIGxhYmVs".to_owned(),
    ] {
        assert!(!is_clean(&format!("before {text} after")), "{text}");
    }
    assert!(is_clean("SECRET: mount file 'db': the JSON has nothing at step 1 of the pointer"));
}

#[test]
fn a_secret_on_standard_error_fails_the_test() {
    let outcome = catch_unwind(|| {
        let work = Workdir::new();
        Agent::exec(&work, &["sh", "-c", "echo $VALUE >&2"]).var("VALUE", secret("said")).finish();
    });
    assert!(outcome.is_err());
}

#[test]
fn a_torn_file_is_no_env_file() {
    let whole = "export A='it'\\''s'\nexport B=''\n";
    let variables = parse_env_file(whole).unwrap();
    assert_eq!((&*variables["A"], &*variables["B"]), ("it's", ""));
    for length in 1..whole.len() {
        let cut = parse_env_file(&whole[..length]);
        assert!(cut.is_none_or(|cut| cut.len() == 1 && length == 19), "{:?}", &whole[..length]);
    }
    for text in
        ["export A='x'", "A='x'\n", "export A=x\n", "export A='x' \n", "\nexport A='x'\n", "export A='x'y\n"]
    {
        assert!(parse_env_file(text).is_none(), "{text:?}");
    }
}

#[test]
fn an_agent_is_killed_with_all_that_it_has_started() {
    let work = Workdir::new();
    let agent = Agent::exec(&work, &["sh", "-c", "sleep 1000 & echo $!; exec sleep 1000"]).start();
    let pid: i32 = agent.wait_until("a process id", || agent.out().trim().parse().ok());
    assert!(support::process::is_running(pid));
    drop(agent);
    support::eventually("its end", || (!support::process::is_running(pid)).then_some(()));
}
