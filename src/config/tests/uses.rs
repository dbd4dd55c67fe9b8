//! References in the agent's own environment, and what each use needs.

use super::*;

const VAULT: &str = "akv://vault/name";

fn inlined(yaml: &str, environment: &Environment) -> Result<Vec<String>, String> {
    let config = load_with(yaml, &Environment::new()).expect(yaml);
    inline(&config, environment).map(|found| origins(&found)).map_err(|failure| failure.message)
}

#[test]
fn a_variable_whose_whole_value_is_a_reference_is_resolved_in_place() {
    let environment = environment(&[
        ("Z", VAULT),
        ("APP", "@Microsoft.KeyVault(VaultName=other;SecretName=app)"),
        ("PATH", "/usr/bin"),
        ("TEXT", "see akv://vault/name"),
        ("my.property", "plain"),
    ]);
    let expected =
        ["APP: https://other.vault.azure.net/secrets/app", "Z: https://vault.vault.azure.net/secrets/name"];
    assert_eq!(inlined("", &environment), Ok(expected.map(str::to_owned).to_vec()));
}

#[test]
fn the_configured_variable_wins_over_the_inline_one() {
    let yaml = "{mount: /mnt, env: {APP: file}}";
    assert_eq!(inlined(yaml, &environment(&[("APP", "akv://vault/")])), Ok(Vec::new()));
}

#[test]
fn a_broken_inline_reference_never_passes_as_text() {
    let mut environment = environment(&[
        ("A", "akv://vault/na_me"),
        ("B", "@Microsoft.KeyVault(canary)"),
        ("C", "akv://canary.example/name"),
        ("my.property", VAULT),
    ]);
    environment.insert("D".into(), std::os::unix::ffi::OsStringExt::from_vec(b"akv://v/n#/\xff".to_vec()));
    let report = inlined("", &environment).expect_err("broken");
    let lines: Vec<&str> = report.lines().collect();
    let starts = [
        "A: character 15: found an underscore",
        "B: character 21: found a letter, expected SecretUri",
        "C: character 7: the host does not end in a Key Vault suffix allowed here",
        "D: not UTF-8 text",
        "my.property: not a variable name",
    ];
    assert_eq!(lines.len(), starts.len(), "{report}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(!report.contains("canary"), "{report}");
}

#[test]
fn each_use_says_what_it_lacks() {
    use Use::{Exec, Init, Sidecar};
    const ENV: &str = "mount: /mnt, env: {A: a}";
    const OUT: &str = "outputs: {envFile: /run/app.env}";
    let table: &[(&str, Use, &[&str])] = &[
        ("{}", Init, &["env: no variable", "outputs: init has nowhere to write"]),
        ("{}", Sidecar, &["env: no variable", "outputs: sidecar has nothing to do"]),
        ("{}", Exec, &[]),
        ("{ENV}", Exec, &[]),
        ("{ENV}", Init, &["outputs: init"]),
        ("{ENV, OUT}", Init, &[]),
        ("{ENV, OUT, onChange: restart}", Init, &[]),
        ("{ENV, OUT, onChange: 'signal:HUP'}", Init, &[]),
        ("{ENV}", Sidecar, &["outputs: sidecar"]),
        ("{ENV, onChange: none}", Sidecar, &["outputs: sidecar"]),
        ("{ENV, OUT}", Sidecar, &[]),
        ("{ENV, OUT, onChange: none}", Sidecar, &[]),
        ("{ENV, OUT, onChange: restart}", Sidecar, &["onChange: a sidecar cannot restart"]),
        ("{ENV, onChange: restart}", Sidecar, &["onChange: a sidecar cannot restart"]),
        ("{ENV, OUT, onChange: 'signal:HUP'}", Sidecar, &["target: nobody to signal"]),
        (
            "{ENV, OUT, onChange: ['signal:HUP', restart]}",
            Sidecar,
            &["onChange: a sidecar cannot restart", "target: nobody to signal"],
        ),
        ("{ENV, onChange: 'signal:HUP', target: {process: nginx}}", Sidecar, &[]),
        ("{ENV, onChange: exit}", Sidecar, &[]),
        ("{ENV, onChange: 'command:true'}", Sidecar, &[]),
        ("{ENV, onChange: 'http://localhost/'}", Sidecar, &[]),
        ("{ENV, onChange: exit}", Init, &["outputs: init"]),
        ("{ENV, OUT, onChange: exit}", Init, &[]),
        ("{ENV, onChange: [exit, 'command:true', 'http://localhost/']}", Exec, &[]),
        ("{ENV, onChange: {signal: HUP, verify: {startTime: true}}, target: {process: nginx}}", Sidecar, &[]),
        ("{ENV, onChange: {signal: HUP, verify: {startTime: true}}}", Exec, &["onChange: verify.startTime"]),
        ("{ENV, onChange: {signal: HUP, verify: {tcp: 'localhost:1'}}}", Exec, &[]),
        ("{ENV, onChange: 'signal:HUP'}", Exec, &[]),
        ("{ENV, onChange: restart, target: {process: nginx}}", Exec, &[]),
    ];
    for (yaml, use_, expected) in table {
        let yaml = yaml.replace("ENV", ENV).replace("OUT", OUT);
        let report =
            read(&yaml, &[]).check_for(*use_).err().map(|failure| failure.message).unwrap_or_default();
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{yaml} {use_:?}: {report}");
        for (line, start) in lines.iter().zip(*expected) {
            assert!(line.starts_with(start), "{yaml} {use_:?}: {line}");
        }
    }
}
