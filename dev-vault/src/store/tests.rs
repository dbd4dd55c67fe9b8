use super::*;

fn value(value: &str) -> NewSecret {
    NewSecret { value: Some(value.to_owned()), ..NewSecret::default() }
}

fn enabled(enabled: bool) -> SecretPatch {
    let attributes = Some(Attributes { enabled: Some(enabled), ..Attributes::default() });
    SecretPatch { details: Details { attributes, ..Details::default() }, ..SecretPatch::default() }
}

#[test]
fn names_are_found_without_regard_to_case_and_shown_as_written() {
    let mut secrets = Shelf::<Secret>::default();
    secrets.set("ExamplePassword", value("a")).unwrap();
    let found = secrets.get("examplepassword", None).unwrap();
    assert_eq!((found.name.as_str(), found.version.content.value.as_str()), ("ExamplePassword", "a"));
}

#[test]
fn a_disabled_latest_version_does_not_uncover_the_one_before() {
    let mut secrets = Shelf::<Secret>::default();
    let first = secrets.set("a", value("1")).unwrap().version.id;
    secrets.set("a", value("2")).unwrap();
    secrets.update("a", None, enabled(false)).unwrap();
    assert_eq!(secrets.get("a", None).unwrap_err().inner, Some("SecretDisabled"));
    assert_eq!(secrets.get("a", Some(&first)).unwrap().version.content.value, "1");
    secrets.update("a", None, enabled(true)).unwrap();
    assert_eq!(secrets.get("a", None).unwrap().version.content.value, "2");
}

#[test]
fn a_deleted_name_is_blocked_until_it_is_recovered_or_purged() {
    let mut secrets = Shelf::<Secret>::default();
    secrets.set("a", value("1")).unwrap();
    secrets.delete("A").unwrap();
    assert_eq!(secrets.get("a", None).unwrap_err().code, "SecretNotFound");
    assert_eq!(secrets.set("a", value("2")).unwrap_err().inner, Some("ObjectIsDeletedButRecoverable"));
    assert_eq!(secrets.recover("a").unwrap().version.content.value, "1");
    secrets.delete("a").unwrap();
    secrets.purge("a").unwrap();
    assert_eq!(secrets.set("a", value("3")).unwrap().version.content.value, "3");
}

#[test]
fn pages_join_to_the_whole_list() {
    let mut secrets = Shelf::<Secret>::default();
    for index in 0..7 {
        secrets.set(&format!("name-{index}"), value("x")).unwrap();
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = secrets.list(after.as_deref(), 3);
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
    let mut secrets = Shelf::<Secret>::default();
    for name in ["", "a_b", "a.b", "../keys", &"x".repeat(128)] {
        assert_eq!(secrets.set(name, value("x")).unwrap_err().code, "BadParameter", "{name}");
    }
    secrets.set(&"x".repeat(127), value(&"v".repeat(25 * 1024))).unwrap();
    assert_eq!(secrets.set("a", value(&"v".repeat(25 * 1024 + 1))).unwrap_err().code, "BadParameter");
    assert_eq!(secrets.set("a", NewSecret::default()).unwrap_err().code, "BadParameter");
}
