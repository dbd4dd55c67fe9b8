use super::*;

fn value(value: &str) -> NewVersion {
    NewVersion { value: Some(value.to_owned()), ..NewVersion::default() }
}

fn enabled(enabled: bool) -> Patch {
    Patch {
        attributes: Some(Attributes { enabled: Some(enabled), ..Attributes::default() }),
        ..Patch::default()
    }
}

#[test]
fn names_are_found_without_regard_to_case_and_shown_as_written() {
    let mut vault = Vault::default();
    vault.set("ExamplePassword", value("a")).unwrap();
    let found = vault.get("examplepassword", None).unwrap();
    assert_eq!((found.name.as_str(), found.version.value.as_str()), ("ExamplePassword", "a"));
}

#[test]
fn a_disabled_latest_version_does_not_uncover_the_one_before() {
    let mut vault = Vault::default();
    let first = vault.set("a", value("1")).unwrap().version.id;
    vault.set("a", value("2")).unwrap();
    vault.update("a", None, enabled(false)).unwrap();
    assert_eq!(vault.get("a", None).unwrap_err().inner, Some("SecretDisabled"));
    assert_eq!(vault.get("a", Some(&first)).unwrap().version.value, "1");
    vault.update("a", None, enabled(true)).unwrap();
    assert_eq!(vault.get("a", None).unwrap().version.value, "2");
}

#[test]
fn a_deleted_name_is_blocked_until_it_is_recovered_or_purged() {
    let mut vault = Vault::default();
    vault.set("a", value("1")).unwrap();
    vault.delete("A").unwrap();
    assert_eq!(vault.get("a", None).unwrap_err().code, "SecretNotFound");
    assert_eq!(vault.set("a", value("2")).unwrap_err().inner, Some("ObjectIsDeletedButRecoverable"));
    assert_eq!(vault.recover("a").unwrap().version.value, "1");
    vault.delete("a").unwrap();
    vault.purge("a").unwrap();
    assert_eq!(vault.set("a", value("3")).unwrap().version.value, "3");
}

#[test]
fn pages_join_to_the_whole_list() {
    let mut vault = Vault::default();
    for index in 0..7 {
        vault.set(&format!("name-{index}"), value("x")).unwrap();
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = vault.list(after.as_deref(), 3);
        assert!(page.items.len() <= 3);
        names.extend(page.items.into_iter().map(|found| found.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..7).map(|index| format!("name-{index}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn what_the_service_refuses_is_refused() {
    let mut vault = Vault::default();
    for name in ["", "a_b", "a.b", "../keys", &"x".repeat(128)] {
        assert_eq!(vault.set(name, value("x")).unwrap_err().code, "BadParameter", "{name}");
    }
    vault.set(&"x".repeat(127), value(&"v".repeat(25 * 1024))).unwrap();
    assert_eq!(vault.set("a", value(&"v".repeat(25 * 1024 + 1))).unwrap_err().code, "BadParameter");
    assert_eq!(vault.set("a", NewVersion::default()).unwrap_err().code, "BadParameter");
}
