use super::*;
use crate::{config::Naming, reference::VaultUrl, source::vault::Unusable};

fn listed(name: &str) -> Listed {
    Listed {
        name: ObjectName::parse(name).expect(name),
        version: None,
        tags: BTreeMap::new(),
        managed: false,
        created: 0,
        updated: 0,
        unusable: None,
    }
}

fn selection(prefix: &str, tags: &[(&str, &str)], naming: Naming) -> Selection {
    let tags = tags.iter().map(|(tag, value)| ((*tag).into(), (*value).into())).collect();
    Selection { vault: VaultUrl("https://v.example".into()), prefix: prefix.into(), tags, naming }
}

fn names(chosen: &Chosen) -> Vec<String> {
    chosen.variables.iter().map(|(variable, name)| format!("{variable}={name}")).collect()
}

#[test]
fn prefix_and_tags_choose_and_certificates_are_passed_over() {
    let tagged = |name: &str, env: &str| Listed {
        tags: BTreeMap::from([("env".to_owned(), env.to_owned())]),
        ..listed(name)
    };
    let list = [
        tagged("app-a", "prod"),
        tagged("APP-b", "test"),
        listed("app"),
        tagged("other", "prod"),
        Listed { managed: true, ..tagged("app-cert", "prod") },
    ];
    let chosen = |prefix, tags: &[_]| names(&Chosen::of(&selection(prefix, tags, Naming::UpperSnake), &list));
    assert_eq!(chosen("app-", &[]), ["APP_A=app-a", "APP_B=APP-b"]);
    assert_eq!(chosen("", &[("env", "prod")]), ["APP_A=app-a", "OTHER=other"]);
    assert_eq!(chosen("app-", &[("env", "prod")]), ["APP_A=app-a"]);
    assert_eq!(chosen("", &[]), ["APP=app", "APP_A=app-a", "APP_B=APP-b", "OTHER=other"]);
    assert_eq!(chosen("", &[("env", "prod"), ("team", "x")]), [""; 0]);
}

#[test]
fn what_is_not_in_use_is_left_out_and_reported() {
    let with = |name, unusable| Listed { unusable: Some(unusable), ..listed(name) };
    let list = [
        with("a", Unusable::Disabled),
        with("b", Unusable::Expired),
        with("c", Unusable::NotYetValid),
        listed("2fa"),
        listed("d"),
    ];
    let chosen = Chosen::of(&selection("", &[], Naming::UpperSnake), &list);
    assert_eq!(names(&chosen), ["D=d"]);
    let expected = [
        "https://v.example/secrets/a is disabled and is left out",
        "https://v.example/secrets/b has expired and is left out",
        "https://v.example/secrets/c is not yet valid and is left out",
        "https://v.example/secrets/2fa cannot become a variable's name and is left out; see `naming`",
    ];
    assert_eq!(chosen.skipped, expected);
    assert_eq!(chosen.collisions, [""; 0]);
}

#[test]
fn two_secrets_for_one_variable_are_an_error() {
    // Key Vault ignores case, so these two cannot be in one vault; hyphens and underscores are another matter.
    let naming = crate::config::parse_naming("{NAME}").expect("template");
    let chosen = Chosen::of(&selection("", &[], naming), &[listed("a-b"), listed("A-B")]);
    let expected =
        "A_B: both https://v.example/secrets/a-b and https://v.example/secrets/A-B would be it; see `naming`";
    assert_eq!(chosen.collisions, [expected]);
}

#[test]
fn names_follow_the_naming() {
    for (naming, name, expected) in [
        ("upper-snake", "app-db-Password", "APP_DB_PASSWORD"),
        ("as-is", "app", ""),
        ("as-is", "appPassword", "appPassword"),
        ("{REST}", "app-db", "DB"),
        ("X_{REST}_{name}", "app-db", "X_DB_app_db"),
        ("{rest}", "app-Db-x", "Db_x"),
        ("{NAME}2", "app-db", "APP_DB2"),
        ("{REST}", "app-2", ""),
        ("{REST}", "app-", ""),
    ] {
        let naming = crate::config::parse_naming(naming).expect(naming);
        let chosen = Chosen::of(&selection("app", &[], naming.clone()), &[listed(name)]);
        let hyphen = Chosen::of(&selection("app-", &[], naming), &[listed(name)]);
        let found = [chosen, hyphen].map(|chosen| {
            chosen.variables.into_keys().map(|name| name.to_string()).collect::<Vec<_>>().concat()
        });
        assert!(found.contains(&expected.to_owned()), "{name} {expected}: {found:?}");
    }
}

#[test]
fn versions_come_newest_first_without_those_not_in_use() {
    let version = |created, unusable| Listed { created, unusable, ..listed("a") };
    let list = [version(1, None), version(3, Some(Unusable::Disabled)), version(4, None), version(2, None)];
    let order: Vec<_> = newest_first(&list).iter().map(|entry| entry.created).collect();
    assert_eq!(order, [4, 2, 1]);
}
