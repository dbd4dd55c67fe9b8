//! What is said about a wrong configuration: everything, where it is, and never a value.

use super::*;
use std::os::unix::ffi::OsStringExt as _;

fn report(yaml: &str, variables: &[(&str, &str)]) -> String {
    load_with(yaml, &environment(variables)).expect_err(yaml)
}

/// The file and the whole report.
const REPORTS: &[(&str, &str)] = &[
    ("vualt: a", "FILE:1: vualt: unknown key; did you mean `vault`?"),
    (
        "cloud: {custom: {authorityHost: 'https://a', vaultSuffix: b, other: 1}}",
        "FILE:1: cloud.custom.other: unknown key; known here: authorityHost, vaultSuffix",
    ),
    (
        "env:\n  A: a",
        "FILE:2: env.A: there is neither a vault nor a mount to read it from; set `vault` or `mount`",
    ),
    (
        "env: {A: mount:a}\nvault: name",
        "FILE:1: env.A: it can be read from a mount only, and none is configured; set `mount`",
    ),
    (
        "envFrom: [{all: true}]",
        "FILE:1: envFrom[0]: of which vault? Write vault here, or set the default `vault`",
    ),
    ("vault: abc\nenvFrom: [{}]", "FILE:2: envFrom[0]: which secrets? Write prefix, tags, or all: true"),
    (
        "vault: abc\nenvFrom: [{all: true, prefix: a}]",
        "FILE:2: envFrom[0]: all: true stands beside prefix or tags; keep one",
    ),
    (
        "vault: abc\nenvFrom: [{all: yes}]",
        "FILE:2: envFrom[0].all: only true can stand here; or remove the key",
    ),
    (
        "vault: abc\nenvFrom: [{prefix: app_}]",
        "FILE:2: envFrom[0].prefix: no secret's name starts like that; use letters, digits and hyphens, without `*`",
    ),
    (
        "vault: abc\nenvFrom: [{tags: {}}]",
        "FILE:2: envFrom[0].tags: names no tag; write TAG: VALUE, or all: true",
    ),
    (
        "vault: abc\nenvFrom: [{all: true, naming: kebab}]",
        "FILE:2: envFrom[0].naming: unknown naming; use upper-snake, as-is, or a template such as APP_{REST}",
    ),
    (
        "vault: abc\nenvFrom: [{all: true, naming: '{X}'}]",
        "FILE:2: envFrom[0].naming: a place in the template must be {name}, {NAME}, {rest} or {REST}",
    ),
    ("vault: abc\nenv: {A: {history: 2}}", "FILE:2: env.A: a mapping needs the key ref, with the reference"),
    (
        "vault: abc\nenv: {A: {ref: a, history: 21}}",
        "FILE:2: env.A.history: not a number of previous versions; use 1 to 20",
    ),
    (
        "mount: /m\nenv: {A: {ref: a, history: 1}}",
        "FILE:2: env.A: history is for the latest version of a secret or certificate of a vault",
    ),
    (
        "vault: abc\nenv: {A: {ref: a, history: 1}, A_1: b}",
        "FILE:2: env: A_1 is a variable of its own and a previous version of A; rename one",
    ),
    ("stateDir: state", "FILE:1: stateDir: not an absolute path; start it with `/`"),
    ("- a", "FILE:1: a mapping of keys to values is expected here"),
    ("just text", "FILE:1: a mapping of keys to values is expected here"),
    ("mount: [a]", "FILE:1: mount: a list stands here; a single value is expected"),
    ("vault: {a: b}", "FILE:1: vault: a mapping stands here; a single value is expected"),
    ("env: [A]", "FILE:1: env: a mapping of keys to values is expected here"),
    ("vault: name\nenv:\n  A:\n  B: ~", "FILE:3: env.A: has no value\nFILE:4: env.B: has no value"),
    (
        "mount: /m\nenv: {1A: a}",
        "FILE:2: env.1A: not a variable name; use letters, digits and `_`, and no digit first",
    ),
    (
        "mount: m\nmount: /m",
        "FILE:1: mount: not an absolute path; start it with `/`\nFILE:2: mount: given twice, first in \
         line 1; keep one",
    ),
    ("splay: &x 1s", "FILE:1: anchors are not supported; write the value out where it is needed"),
    ("splay: !!str 1s", "FILE:1: tags are not supported; put the value in quotes instead"),
    ("? [a]\n: b", "FILE:1: a key must be a text; write it in quotes"),
    ("splay: 1s\n---\nsplay: 2s", "FILE:2: a second document starts here; use one document"),
    (
        "env:\n  A: @Microsoft.KeyVault(x)",
        "FILE:2: column 6: a value that starts with `@`, `%` or a backquote must be in quotes",
    ),
    (
        "outputs: [{format: shell}]",
        "FILE:1: outputs[0]: an output needs the key envFile, with the path of the file to write",
    ),
    (
        "outputs:\n  - envFile: /a\n  - template: /t\n    to: /b",
        "FILE:3: outputs[1].template: not supported by this version; remove it\nFILE:4: outputs[1].to: \
         not supported by this version; remove it",
    ),
    (
        "outputs: [{envFile: /a}, {envFile: /a}]",
        "FILE:1: outputs[1]: another output writes the same file; give each its own",
    ),
    (
        "identity: {managed: {clientId: 'a/b'}}",
        "FILE:1: identity.managed.clientId: not an id; write the UUID that Microsoft Entra shows",
    ),
    (
        "identity: {managed: , workload: }",
        "FILE:1: identity: a mapping needs exactly one of workload, identity-binding, managed, pod-identity, \
         service-principal, azure-cli",
    ),
    (
        "identity: {managed: {clientId: a, resourceId: /subscriptions/a}}",
        "FILE:1: identity.managed: an identity has one name; give one of clientId, objectId and resourceId",
    ),
    (
        "identity: {pod-identity: {resourceId: a}}",
        "FILE:1: identity.pod-identity.resourceId: not a resource id; write \
         /subscriptions/.../userAssignedIdentities/NAME",
    ),
    (
        "identity: {service-principal: {clientSecretFile: /a, clientCertificateFile: /b}}",
        "FILE:1: identity.service-principal: give either clientSecretFile or clientCertificateFile",
    ),
    (
        "identity: {service-principal: {clientSecret: a}}",
        "FILE:1: identity.service-principal.clientSecret: a secret has no place in a configuration; use \
         clientSecretFile, which names a file with it, or the variable AZURE_CLIENT_SECRET",
    ),
    (
        "identity: {service-principal: {clientCertificatePassword: a}}",
        "FILE:1: identity.service-principal.clientCertificatePassword: a secret has no place in a configuration; use \
         clientCertificatePasswordFile, which names a file with it, or the variable AZURE_CLIENT_CERTIFICATE_PASSWORD",
    ),
    (
        "identity: {service-principal: {sendCertificateChain: maybe}}",
        "FILE:1: identity.service-principal.sendCertificateChain: neither true nor false",
    ),
    (
        "identity: {identity-binding: {tokenProxy: 'http://a'}}",
        "FILE:1: identity.identity-binding.tokenProxy: not the address of a token proxy; write \
         https://HOST[:PORT][/PATH]",
    ),
    (
        "identity: {identity-binding: {proxyServerName: 'a b'}}",
        "FILE:1: identity.identity-binding.proxyServerName: not a host name",
    ),
    (
        "identity: {azure-cli: {subscription: '--debug'}}",
        "FILE:1: identity.azure-cli.subscription: not a subscription; write its id",
    ),
    (
        "vaults: {no: {identity: auto}}",
        "FILE:1: vaults.no: character 3: found the end, expected a vault name of 3 to 24 letters, digits and \
         inner hyphens",
    ),
    (
        "vaults: {https://a.example: {}}",
        "FILE:1: vaults.https://a.example: character 9: the host does not end in a Key Vault suffix allowed here \
         (vault.azure.net); `vaultSuffixes` adds one",
    ),
    (
        "vaults: {abc: {identity: managed}, https://abc.vault.azure.net: {}}",
        "FILE:1: vaults.https://abc.vault.azure.net: the same vault is written above in another way; keep one",
    ),
    (
        "vaults: {abc: {identiti: managed}}",
        "FILE:1: vaults.abc.identiti: unknown key; did you mean `identity`?",
    ),
    (
        "vaults: {abc: {identity: me}}",
        "FILE:1: vaults.abc.identity: unknown identity; use auto, workload, identity-binding, managed, \
         pod-identity, service-principal or azure-cli",
    ),
    ("cloud: {}", "FILE:1: cloud: a mapping needs the key custom, with authorityHost and vaultSuffix"),
    (
        "cloud: {custom: {vaultSuffix: a}}",
        "FILE:1: cloud.custom: a custom cloud needs both authorityHost and vaultSuffix",
    ),
    (
        "cloud: mars\nvault: https://a.b\nenv: {A: 'akv://x.y/z'}",
        "FILE:1: cloud: unknown cloud; use public, usgovernment, china or a mapping with custom",
    ),
    (
        "vault: no\nenv: {A: a}",
        "FILE:1: vault: character 3: found the end, expected a vault name of 3 to 24 letters, digits and \
         inner hyphens",
    ),
    ("settle: {quiet: 2s, max: 1s}", "FILE:1: settle: max is shorter than quiet; make it at least as long"),
    ("pollInterval: 999ms", "FILE:1: pollInterval: shorter than 1s; write 1s or more"),
    ("timeout: 0s", "FILE:1: timeout: no time at all; write more than 0s"),
];

#[test]
fn each_mistake_has_its_place_and_its_remedy() {
    for (yaml, expected) in REPORTS {
        assert_eq!(report(yaml, &[]), *expected, "{yaml}");
    }
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let yaml = "
vault: ab
mount: relative
env:
  SECRET: 'not a name'
  AKV_AGENT_X: name
outputs:
  - envFile: app.env
    mode: '0666'
pollInterval: 5
nonsense: 1
";
    let variables = [
        ("AKV_AGENT_LOGLEVEL", "debug"),
        ("AKV_AGENT_STATE_DIR", "state"),
        ("AKV_AGENT_PROBATION", "long"),
        ("AKV_AGENT_TIMEOUT", "soon"),
        ("AKV_AGENT_ENV", "A=a,B,C=akv://x,D=d,D=e,2=f"),
        ("AZURE_AUTHORITY_HOST", "http://login"),
    ];
    let expected = "\
FILE:2: vault: character 3: found the end, expected a vault name of 3 to 24 letters, digits and inner hyphens
FILE:3: mount: not an absolute path; start it with `/`
FILE:5: env.SECRET: character 4: found a space, expected NAME, mount:PATH, akv://VAULT/NAME or @Microsoft.KeyVault(...)
FILE:6: env.AKV_AGENT_X: variables that start with AKV_AGENT_ are the agent's own; use another name
FILE:8: outputs[0].envFile: not an absolute path; start it with `/`
FILE:9: outputs[0].mode: group and others must not be able to write; write a mode such as \"0440\"
FILE:10: pollInterval: not a duration; write a number and a unit, such as 250ms, 5s, 2m, 1h or 1h30m
FILE:11: nonsense: unknown key; known here: vault, mount, identity, vaults, cloud, vaultSuffixes, caFile, env, envFrom, outputs, \
pollInterval, staleMount, settle, onChange, target, exec, probation, restartBudget, splay, timeout, stateDir, listen, log
AKV_AGENT_LOGLEVEL: unknown variable; did you mean AKV_AGENT_LOG_LEVEL?
AZURE_AUTHORITY_HOST: character 1: found a letter, expected https://HOST[:PORT]
AKV_AGENT_ENV: entry 2 is not NAME=reference; write it like that
AKV_AGENT_ENV: entry 3: character 8: found the end, expected a vault name of 3 to 24 letters, digits and inner hyphens
AKV_AGENT_ENV: entry 5: D is given twice; keep one
AKV_AGENT_ENV: entry 6: not a variable name; use letters, digits and `_`, and no digit first
AKV_AGENT_PROBATION: not a duration; write a number and a unit, such as 250ms, 5s, 2m, 1h or 1h30m
AKV_AGENT_STATE_DIR: not an absolute path; start it with `/`
AKV_AGENT_TIMEOUT: not a duration; write a number and a unit, such as 250ms, 5s, 2m, 1h or 1h30m";
    assert_eq!(report(yaml, &variables), expected);
}

#[test]
fn a_broken_file_hides_nothing_and_blames_nothing_else() {
    let variables = [("AKV_AGENT_SPLAY", "x"), ("AKV_AGENT_ENV", "A=a"), ("AKV_AGENT_NONSENSE", "x")];
    let expected = "AKV_AGENT_NONSENSE: unknown variable; remove it or check its name\n\
                    AKV_AGENT_SPLAY: not a duration; write a number and a unit, such as 250ms, 5s, 2m, 1h or 1h30m";
    let broken = report("vault: [", &variables);
    let (first, rest) = broken.split_once('\n').expect("several lines");
    assert!(first.starts_with("FILE:2: column 1: not valid YAML: "), "{first}");
    assert_eq!(rest, expected);

    let missing = load(&Args { file: Some("/nonexistent/config.yaml".into()) }, &environment(&variables));
    let expected = format!(
        "/nonexistent/config.yaml: cannot be read: No such file or directory (os error 2); check the path and its \
         permissions\n{expected}"
    );
    assert_eq!(missing.expect_err("no file").message, expected);
}

#[test]
fn files_that_are_no_configuration_are_refused() {
    let relative = load(&Args::default(), &environment(&[("AKV_AGENT_CONFIG", "config.yaml")]));
    let expected = "AKV_AGENT_CONFIG: not an absolute path; start it with `/`";
    assert_eq!(relative.expect_err("relative").message, expected);
    let folder = load(&Args { file: Some("/".into()) }, &Environment::new()).expect_err("a folder");
    assert!(folder.message.starts_with("/: cannot be read: it is not a regular file"), "{folder}");
    let huge = "#".repeat(yaml::MAX_BYTES + 1);
    assert_eq!(report(&huge, &[]), "FILE: larger than 1 MiB; a configuration file is expected here");
    let deep = format!("env: {}", "[".repeat(200));
    assert_eq!(report(&deep, &[]), "FILE:1: nested too deeply");
    let path = tempfile::NamedTempFile::new().expect("a file");
    fs::write(path.path(), b"splay: 1s\nvault: \xff").expect("a file");
    let failure = load(&Args { file: Some(path.path().into()) }, &Environment::new()).expect_err("not text");
    assert!(failure.message.ends_with(":2: not UTF-8 text; save the file as UTF-8"), "{failure}");
}

#[test]
fn a_variable_that_is_not_text_is_a_problem() {
    let mut environment = environment(&[("OTHER", "x")]);
    environment.insert("OTHER_2".into(), OsString::from_vec(vec![0xff]));
    environment.insert("AKV_AGENT_VAULT".into(), OsString::from_vec(vec![0xff]));
    environment.insert(OsString::from_vec(b"AKV_AGENT_\xff\n".to_vec()), "x".into());
    let report = load_with("", &environment).expect_err("not text");
    let expected = "AKV_AGENT_VAULT: not UTF-8 text; write plain text\n\
                    AKV_AGENT_\u{fffd}?: unknown variable; remove it or check its name";
    assert_eq!(report, expected);
}

#[test]
fn the_format_and_mode_of_no_file_are_a_problem() {
    let variables = [("AKV_AGENT_ENV_FILE_FORMAT", "shell"), ("AKV_AGENT_ENV_FILE_MODE", "0400")];
    let what = "there is no env file that this applies to; set AKV_AGENT_ENV_FILE";
    assert_eq!(
        report("", &variables),
        format!("AKV_AGENT_ENV_FILE_FORMAT: {what}\nAKV_AGENT_ENV_FILE_MODE: {what}")
    );
}

#[test]
fn a_damaged_file_is_read_or_reported_and_never_a_panic() {
    let whole: String = FULL.split_inclusive('\n').skip(7).take(10).collect();
    let check = |text: &str| {
        let problems = Problems::default();
        let tree = yaml::parse(text, &problems);
        assert!(tree.is_some() || problems.or((), Path::new("FILE")).is_err(), "silently refused: {text}");
    };
    let damage =
        ["", "\0", "{", "]", "'", "\"", ":", "#", "\n", "\t", "&", "*", "!", "%", "|", "- ", "? ", "\u{85}"];
    for index in 0..whole.len() {
        check(&whole[..index]);
        for damage in damage {
            check(&format!("{}{damage}{}", &whole[..index], &whole[index + 1..]));
        }
    }
}
