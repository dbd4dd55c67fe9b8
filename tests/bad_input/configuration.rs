//! Configurations that cannot be meant.

use super::{
    refused,
    support::{Agent, Volume, Workdir, secret},
};
use std::{fs, os::unix::fs::PermissionsExt as _};

#[test]
fn an_unknown_key() {
    refused(78, &["config.yaml:2", "pollIntervall", "did you mean `pollInterval`?"], |agent| {
        agent.set("MOUNT", "/mnt").set("ENV", "SECRET=db").yaml("vault: some-vault\npollIntervall: 5m\n")
    });
}

#[test]
fn an_unknown_variable() {
    refused(78, &["AKV_AGENT_MOUNTS", "did you mean AKV_AGENT_MOUNT?"], |agent| {
        agent.set("MOUNT", "/mnt").set("ENV", "SECRET=db").set("MOUNTS", "/mnt")
    });
}

#[test]
fn a_broken_reference() {
    for (reference, words) in [
        ("@Microsoft.KeyVault(SecretName=db)", "VaultName"),
        ("akv://some-vault", "/NAME"),
        ("akv://some-vault/db/not-a-version", "32 hexadecimal digits"),
        ("db#no-slash", "character"),
        ("mount:../escape", "file name"),
        ("akv://some-vault/keys/db#leaf", "pem, jwk"),
        ("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/keys/db)", "akv://VAULT/keys/NAME"),
    ] {
        // By its number: what looks like a name may be the first half of a secret.
        refused(78, &["AKV_AGENT_ENV", "entry 1", words], |agent| {
            agent.set("MOUNT", "/mnt").set("ENV", format!("SECRET={reference}"))
        });
    }
}

#[test]
fn a_secret_where_a_reference_belongs_is_not_quoted() {
    let pasted = secret("pasted value with spaces");
    refused(78, &["AKV_AGENT_ENV"], |agent| {
        agent.set("MOUNT", "/mnt").set("ENV", format!("SECRET={pasted}"))
    });
    refused(78, &["AKV_AGENT_ENV"], |agent| agent.set("MOUNT", "/mnt").set("ENV", &pasted));
}

#[test]
fn a_vault_host_outside_the_known_suffixes() {
    for vault in
        ["https://some-vault.example.com", "https://vault.azure.net.example.com", "https://127.0.0.1"]
    {
        refused(78, &["AKV_AGENT_VAULT", "Key Vault suffix", "vault.azure.net", "vaultSuffixes"], |agent| {
            agent.set("VAULT", vault).set("ENV", "SECRET=db")
        });
    }
    refused(78, &["SECRET", "Key Vault suffix"], |agent| {
        agent.set("VAULT", "some-vault").set("ENV", "SECRET=akv://evil.example.com/db")
    });
}

#[test]
fn a_reaction_that_cannot_be_meant() {
    for (rule, words) in [
        ("{signal: HUP, restart: true}", &["onChange: a rule needs exactly one reaction"][..]),
        ("{http: 'https://localhost/'}", &["onChange.http", "https is not spoken here"]),
        ("{http: 'http://10.1.2.3/reload'}", &["onChange.http", "leaves this pod", "allowRemote: true"]),
        ("{command: nginx -s reload}", &["onChange.command", "[nginx, -s, reload]"]),
        ("{exit: 78}", &["onChange.exit", "when it fails"]),
        ("{exit: 143}", &["onChange.exit", "which signal"]),
        ("{restart: true, verify: {startTime: true}}", &["onChange.verify", "only signal and http"]),
        ("{when: [], restart: true}", &["onChange.when", "names no variable"]),
    ] {
        let words: Vec<&str> = ["config.yaml:1"].iter().chain(words).copied().collect();
        refused(78, &words, |agent| {
            agent.set("MOUNT", "/mnt").set("ENV", "SECRET=db").yaml(&format!("onChange: {rule}\n"))
        });
    }
}

#[test]
fn supervision_that_cannot_be_meant() {
    for (yaml, words) in [
        ("exec: {restartPolicy: sometimes}", &["exec.restartPolicy", "Never, OnFailure or Always"][..]),
        ("exec: {listen: [localhost]}", &["exec.listen", "0.0.0.0:8080"]),
        ("probation: {check: {tcp: '10.1.2.3:80'}}", &["probation.check.tcp", "leaves this pod"]),
        ("probation: {for: 0s}", &["probation.for", "more than 0s"]),
        ("restartBudget: {first: 1h, longest: 1m}", &["restartBudget.longest", "shorter than first"]),
        ("stateDir: state", &["stateDir", "not an absolute path"]),
    ] {
        let words: Vec<&str> = ["config.yaml:1"].iter().chain(words).copied().collect();
        refused(78, &words, |agent| {
            agent.set("MOUNT", "/mnt").set("ENV", "SECRET=db").yaml(&format!("{yaml}\n"))
        });
    }
    for (variable, value) in [("PROBATION", "long"), ("STATE_DIR", "state"), ("SETTLE", "1s:2s:soon")] {
        refused(78, &[&format!("AKV_AGENT_{variable}: not ")], |agent| {
            agent.set("MOUNT", "/mnt").set("ENV", "SECRET=db").set(variable, value)
        });
    }
}

#[test]
fn a_password_in_a_reaction_is_not_quoted() {
    let password = secret("password");
    for rule in [
        format!("{{http: 'http://user:{password}@localhost/'}}"),
        format!("{{http: 'http://localhost/{password}', expect: {password}}}"),
        format!("{{command: login {password}}}"),
        format!("{{exit: {password}}}"),
        format!("{{signal: HUP, verify: {{tcp: '{password}'}}}}"),
    ] {
        refused(78, &["config.yaml:1", "onChange"], |agent| {
            agent.set("MOUNT", "/mnt").set("ENV", "SECRET=db").yaml(&format!("onChange: {rule}\n"))
        });
    }
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let work = Workdir::new();
    let absent = work.path("absent.yaml");
    refused(78, &["absent.yaml", "cannot be read", "check the path"], |agent| agent.set("CONFIG", &absent));
    let directory = work.make_dir("directory");
    refused(78, &["directory", "cannot be read"], |agent| agent.set("CONFIG", &directory));
    let locked = work.write("locked.yaml", "mount: /mnt\n");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    refused(78, &["locked.yaml", "denied", "permissions"], |agent| {
        agent.set("CONFIG", &locked).without_capabilities()
    });
    let binary = work.write("binary.yaml", b"mount: /mnt\nenv: \xff\xfe\n");
    refused(78, &["binary.yaml:2", "UTF-8"], |agent| agent.set("CONFIG", &binary));
}

#[test]
fn text_that_is_not_yaml() {
    refused(78, &["config.yaml:", "not valid YAML"], |agent| agent.yaml("env: {SECRET: db\n"));
    refused(78, &["config.yaml:2", "given twice", "line 1"], |agent| {
        agent.set("ENV", "SECRET=db").yaml("mount: /mnt\nmount: /mnt\n")
    });
}

#[test]
fn every_problem_is_reported_at_once_and_no_value_with_it() {
    let work = Workdir::new();
    let yaml = format!(
        "vault: {0}\nmount: relative/{0}\nsettle: {0}\nenv:\n  BAD-NAME: db\n  SECRET: \"{0} {0}\"\nsplay: {0}\n",
        secret("x y")
    );
    let ended = Agent::sidecar(&work).yaml(&yaml).env_file().finish().expect(78);
    let complaints = ended.complaints();
    for line in [1, 2, 3, 5, 6, 7] {
        let found = complaints.iter().filter(|text| text.contains(&format!("config.yaml:{line}: "))).count();
        assert_eq!(found, 1, "line {line}\n{}", ended.scene);
    }
    assert_eq!(complaints.len(), 6, "{}", ended.scene);
}

#[test]
fn what_a_use_cannot_do_without() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let work = Workdir::new();
    for (agent, words) in [
        (Agent::init(&work).mount(&volume, "SECRET=db"), "AKV_AGENT_ENV_FILE"),
        (Agent::sidecar(&work).mount(&volume, "SECRET=db"), "AKV_AGENT_ENV_FILE"),
        (Agent::init(&work).set("MOUNT", volume.text()).env_file(), "AKV_AGENT_ENV"),
        (Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().set("ON_CHANGE", "restart"), "exec"),
        (
            Agent::sidecar(&work).mount(&volume, "SECRET=db").set("ON_CHANGE", "signal:HUP"),
            "AKV_AGENT_TARGET",
        ),
        (Agent::init(&work).set("ENV", "SECRET=db").env_file(), "set `vault` or `mount`"),
        (Agent::sidecar(&work).mount(&volume, "SECRET=db").set("ON_CHANGE", "none"), "tell the app"),
    ] {
        let ended = agent.finish().expect(78);
        let complaints = ended.complaints();
        assert!(complaints.len() == 1 && complaints[0].contains(words), "{words}\n{}", ended.scene);
    }
}
