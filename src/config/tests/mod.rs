//! The configuration as its user meets it: a file and variables in, a [`Config`] or a report out.

mod canary;
mod problems;
mod reactions;
mod schema;
mod supervision;
mod times;
mod uses;

use super::{problem::Problems, *};
use crate::output::format::Format;
use crate::{
    failure::{Class, Failure},
    reference::Origin,
};
use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

type Environment = BTreeMap<OsString, OsString>;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Loads `yaml` as a file with these variables. In a report the file is called `FILE`.
fn load_with(yaml: &str, environment: &Environment) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.yaml");
    fs::write(&file, yaml).expect("a file");
    let result = load(&Args { file: Some(file.clone()) }, environment);
    result.map_err(|Failure { class, message }| {
        assert_eq!(class, Class::Config);
        message.replace(&*file.to_string_lossy(), "FILE")
    })
}

fn read(yaml: &str, variables: &[(&str, &str)]) -> Config {
    load_with(yaml, &environment(variables)).expect(yaml)
}

/// Where each variable is read.
fn origins(env: &[Binding]) -> Vec<String> {
    let shown = |binding: &Binding| match &binding.reference.origin {
        Origin::Mount(path) => format!("{}: {path}", binding.variable),
        Origin::Vault(id) => format!("{}: {id}", binding.variable),
        Origin::MountElseVault(path, id) => format!("{}: {path} or {id}", binding.variable),
    };
    env.iter().map(shown).collect()
}

#[test]
fn nothing_configured_gives_the_defaults() {
    let config = read("", &[]);
    let seconds = Duration::from_secs;
    let expected = Config {
        env_from: Vec::new(),
        vault: None,
        mount: None,
        identity: Identity::Auto,
        vaults: BTreeMap::new(),
        cloud: Cloud {
            authority: "https://login.microsoftonline.com".into(),
            vault_suffix: "vault.azure.net".into(),
            allowed_suffixes: vec!["vault.azure.net".into()],
        },
        ca_file: None,
        env: Vec::new(),
        outputs: Vec::new(),
        poll_interval: Some(seconds(300)),
        stale_mount: Some(StaleMount { after: seconds(600), use_: Trusted::Mount }),
        exec: Exec::default(),
        state_dir: None,
        settle: Settle { quiet: seconds(0), max: seconds(5), interval: Duration::ZERO },
        on_change: Vec::new(),
        target: None,
        splay: seconds(0),
        timeout: seconds(120),
        listen: Listen::At { address: "127.0.0.1:9808".parse().expect("an address"), explicit: false },
        log: Log { level: tracing::Level::INFO, format: LogFormat::Text },
    };
    assert_eq!(config, expected);
    assert_eq!(
        read("# only a comment\n---\n", &[("AKV_AGENT_VAULT", ""), ("AKV_AGENT_LOG_LEVEL", " ")]),
        expected
    );
    let blank = "vault:\nmount: ~\nenv:\noutputs: null\nonChange:\nlog:\nsettle:\n";
    assert_eq!(read(blank, &[]), expected, "what a template left blank");
}

const FULL: &str = "
vault: myk8skv
mount: /mnt/secrets-store
identity: {workload: {tenantId: contoso.example, clientId: 5f1c, tokenFile: /var/run/token}}
vaults:
  other: {identity: {managed: {clientId: 5f1c}}}
  https://abc.localhost/: {identity: managed}
  blank:
cloud: {custom: {authorityHost: 'https://login.example:8443/', vaultSuffix: .vault.example}}
vaultSuffixes: [localhost, Vault.Azure.Net]
caFile: /etc/ca.pem
env:
  SECRET: ExamplePassword
  DB_PASSWORD: db-credentials#/password
  API_KEY: \"@Microsoft.KeyVault(VaultName=other;SecretName=api-key)\"
outputs:
  - envFile: /run/akv-agent/app.env
    format: kubelet
    mode: \"0400\"
  - {envFile: /run/akv-agent/other.env, mode: 0644}
pollInterval: 1h30m
staleMount: {after: 15m, use: vault}
settle: {quiet: 250ms, max: 10s, interval: 1m}
onChange:
  - {when: [TLS_*, 'A?'], signal: HUP}
  - {when: OTHER, none: true}
  - {restart: {signal: SIGINT, grace: 1m}}
  - restart: true
  - signal: 10
target: {process: nginx}
splay: 30s
exec: {grace: 1m}
probation: {for: 1m}
restartBudget: {free: 3}
timeout: 10s
stateDir: /state
listen: 0.0.0.0:9000
log: {level: debug, format: json}
";

#[test]
fn every_setting_of_the_file_arrives() {
    let config = read(FULL, &[]);
    assert_eq!(config.vault.as_ref().map(VaultUrl::as_str), Some("https://myk8skv.vault.example"));
    assert_eq!(config.mount.as_deref(), Some(Path::new("/mnt/secrets-store")));
    let workload = Identity::Workload(Federation {
        tenant_id: Some("contoso.example".into()),
        client_id: Some("5f1c".into()),
        token_file: Some("/var/run/token".into()),
    });
    assert_eq!(config.identity, workload);
    let vaults = config.vaults.iter().map(|(vault, options)| (vault.as_str(), options.identity.clone()));
    let managed = |client_id: Option<&str>| {
        Some(Identity::Managed(client_id.map(|id| UserAssigned::ClientId(id.into()))))
    };
    assert_eq!(
        vaults.collect::<Vec<_>>(),
        [
            ("https://abc.localhost", managed(None)),
            ("https://blank.vault.example", None),
            ("https://other.vault.example", managed(Some("5f1c"))),
        ]
    );
    let cloud = Cloud {
        authority: "https://login.example:8443".into(),
        vault_suffix: "vault.example".into(),
        allowed_suffixes: vec!["vault.example".into(), "localhost".into(), "vault.azure.net".into()],
    };
    assert_eq!(config.cloud, cloud);
    assert_eq!(config.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    let vault = "https://myk8skv.vault.example/secrets";
    let expected = [
        "API_KEY: https://other.vault.example/secrets/api-key".to_owned(),
        format!("DB_PASSWORD: db-credentials or {vault}/db-credentials"),
        format!("SECRET: ExamplePassword or {vault}/ExamplePassword"),
    ];
    assert_eq!(origins(&config.env), expected);
    let output = |path: &str, format: &str, mode| EnvFile {
        path: path.into(),
        format: Format::by_name(format).unwrap(),
        mode,
    };
    let outputs = [
        output("/run/akv-agent/app.env", "kubelet", 0o400),
        output("/run/akv-agent/other.env", "shell", 0o644),
    ];
    assert_eq!(config.outputs, outputs);
    assert_eq!(config.poll_interval, Some(Duration::from_secs(5400)));
    let stale_mount = StaleMount { after: Duration::from_secs(900), use_: Trusted::Vault };
    assert_eq!(config.stale_mount, Some(stale_mount));
    assert_eq!(
        config.settle,
        Settle {
            quiet: Duration::from_millis(250),
            max: Duration::from_secs(10),
            interval: Duration::from_secs(60)
        }
    );
    let rule =
        |when: &[&str], reaction| Rule { when: when.iter().map(|&glob| glob.into()).collect(), reaction };
    let restart = |signal, seconds| Reaction::Restart(Stop { signal, grace: Duration::from_secs(seconds) });
    let rules = [
        rule(&["TLS_*", "A?"], Reaction::signal(libc::SIGHUP)),
        rule(&["OTHER"], Reaction::None),
        rule(&[], restart(libc::SIGINT, 60)),
        rule(&[], restart(libc::SIGTERM, 30)),
        rule(&[], Reaction::signal(libc::SIGUSR1)),
    ];
    assert_eq!(config.on_change, rules);
    assert_eq!(config.target, Some(Target::Process("nginx".into())));
    assert_eq!(config.splay, Duration::from_secs(30));
    let exec = Exec {
        grace: Some(Duration::from_secs(60)),
        probation: Some(Probation { time: Duration::from_secs(60), ..Probation::default() }),
        budget: Some(RestartBudget { free: 3, ..RestartBudget::default() }),
        ..Exec::default()
    };
    assert_eq!(config.exec, exec);
    assert_eq!(config.timeout, Duration::from_secs(10));
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("/state")));
    assert_eq!(
        config.listen,
        Listen::At { address: "0.0.0.0:9000".parse().expect("address"), explicit: true }
    );
    assert_eq!(config.log, Log { level: tracing::Level::DEBUG, format: LogFormat::Json });
}

const VARIABLES: &[(&str, &str)] = &[
    ("AKV_AGENT_VAULT", "https://localhost:8443"),
    ("AKV_AGENT_MOUNT", "/other"),
    ("AKV_AGENT_IDENTITY", "managed"),
    ("AKV_AGENT_CLOUD", "china"),
    ("AKV_AGENT_VAULT_SUFFIXES", "localhost, .vault.azure.cn"),
    ("AKV_AGENT_CA_FILE", "/other/ca.pem"),
    ("AKV_AGENT_ENV", "A=mount:a,\nSECRET=other#/x\n\nB = b"),
    ("AKV_AGENT_ENV_FILE", "/other/app.env"),
    ("AKV_AGENT_ENV_FILE_MODE", "0600"),
    ("AKV_AGENT_POLL_INTERVAL", "off"),
    ("AKV_AGENT_STALE_MOUNT", "7m : mount"),
    ("AKV_AGENT_SETTLE", "2s"),
    ("AKV_AGENT_PROBATION", "5s"),
    ("AKV_AGENT_STATE_DIR", "/other/state"),
    ("AKV_AGENT_ON_CHANGE", "signal:usr2"),
    ("AKV_AGENT_TARGET", "pidfile:/run/nginx.pid"),
    ("AKV_AGENT_SPLAY", "0s"),
    ("AKV_AGENT_TIMEOUT", "3s"),
    ("AKV_AGENT_LISTEN", "off"),
    ("AKV_AGENT_LOG_LEVEL", "warn"),
];

#[test]
fn a_variable_wins_over_the_file_setting_by_setting() {
    let config = read(FULL, VARIABLES);
    assert_eq!(config.vault.as_ref().map(VaultUrl::as_str), Some("https://localhost:8443"));
    assert_eq!(config.mount.as_deref(), Some(Path::new("/other")));
    assert_eq!(config.identity, Identity::Managed(None));
    let cloud = Cloud {
        authority: "https://login.partner.microsoftonline.cn".into(),
        vault_suffix: "vault.azure.cn".into(),
        allowed_suffixes: vec!["vault.azure.cn".into(), "localhost".into()],
    };
    assert_eq!(config.cloud, cloud);
    assert_eq!(config.ca_file.as_deref(), Some(Path::new("/other/ca.pem")));
    let vault = "https://localhost:8443/secrets";
    let expected = [
        "A: a".to_owned(),
        "API_KEY: https://other.vault.azure.cn/secrets/api-key".to_owned(),
        format!("B: b or {vault}/b"),
        format!("DB_PASSWORD: db-credentials or {vault}/db-credentials"),
        format!("SECRET: other or {vault}/other"),
    ];
    assert_eq!(origins(&config.env), expected);
    let paths: Vec<_> = config.outputs.iter().map(|output| output.path.to_string_lossy()).collect();
    assert_eq!(paths, ["/other/app.env", "/run/akv-agent/other.env"]);
    assert_eq!((config.outputs[0].format.name(), config.outputs[0].mode), ("kubelet", 0o600));
    assert_eq!(config.poll_interval, None);
    let stale_mount = StaleMount { after: Duration::from_secs(420), use_: Trusted::Mount };
    assert_eq!((config.stale_mount, config.compared()), (Some(stale_mount), None));
    assert_eq!(
        config.settle,
        Settle { quiet: Duration::from_secs(2), max: Duration::from_secs(8), interval: Duration::ZERO }
    );
    assert_eq!(config.on_change, [Rule { when: Vec::new(), reaction: Reaction::signal(libc::SIGUSR2) }]);
    assert_eq!(config.target, Some(Target::PidFile("/run/nginx.pid".into())));
    assert_eq!((config.splay, config.timeout), (Duration::ZERO, Duration::from_secs(3)));
    assert_eq!(config.exec.probation.map(|probation| probation.time), Some(Duration::from_secs(5)));
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("/other/state")));
    assert_eq!(config.listen, Listen::Off);
    assert_eq!(config.log, Log { level: tracing::Level::WARN, format: LogFormat::Json });
}

#[test]
fn variables_alone_are_enough() {
    let config = read("", VARIABLES);
    assert_eq!(
        config.outputs,
        [EnvFile { path: "/other/app.env".into(), format: Format::Shell, mode: 0o600 }]
    );
    assert_eq!(config.env.len(), 3);
}

#[test]
fn the_authority_of_the_cluster_wins_over_the_clouds() {
    let variables = [("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/")];
    assert_eq!(read("cloud: public", &variables).cloud.authority, "https://login.microsoftonline.us");
    assert_eq!(
        read("", &[("AZURE_AUTHORITY_HOST", "")]).cloud.authority,
        "https://login.microsoftonline.com"
    );
}

#[test]
fn short_forms_are_the_same_in_the_file() {
    let yaml = "{onChange: restart, target: 'process:nginx', settle: '1s:2s', log: error, \
                vaultSuffixes: localhost, identity: {managed: }, pollInterval: false, listen: false}";
    let config = read(yaml, &[]);
    assert!(matches!(config.on_change[..], [Rule { reaction: Reaction::Restart(_), .. }]));
    assert_eq!(config.target, Some(Target::Process("nginx".into())));
    assert_eq!(
        config.settle,
        Settle { quiet: Duration::from_secs(1), max: Duration::from_secs(2), interval: Duration::ZERO }
    );
    assert_eq!(config.log.level, tracing::Level::ERROR);
    assert_eq!(config.cloud.allowed_suffixes, ["vault.azure.net", "localhost"]);
    assert_eq!(config.identity, Identity::Managed(None));
    assert_eq!((config.poll_interval, config.listen), (None, Listen::Off));
}

#[test]
fn what_others_set_for_us_is_no_setting() {
    let variables = [
        ("AKV_AGENT_SERVICE_HOST", "10.0.0.1"),
        ("AKV_AGENT_SERVICE_PORT", "9808"),
        ("AKV_AGENT_SERVICE_PORT_METRICS", "9808"),
        ("AKV_AGENT_PORT", "tcp://10.0.0.1:9808"),
        ("AKV_AGENT_PORT_9808_TCP", "tcp://10.0.0.1:9808"),
        ("AKV_AGENT_PORT_9808_TCP_PROTO", "tcp"),
        ("AKV_AGENT_PORT_9808_TCP_PORT", "9808"),
        ("AKV_AGENT_PORT_9808_TCP_ADDR", "10.0.0.1"),
        ("AKV_AGENT_METRICS_SERVICE_HOST", "10.0.0.1"),
        ("AKV_AGENT_METRICS_PORT", "tcp://10.0.0.1:9808"),
        ("AKV_AGENT_METRICS_PORT_9808_UDP_ADDR", "10.0.0.1"),
    ];
    read("", &variables);
    read("", &[(crate::job::CHANGED, "A B")]);
    for (name, value) in
        [("AKV_AGENT_LISTEN_PORT", "9808"), ("AKV_AGENT_PORT_X_TCP", "1"), ("AKV_AGENT_PORT_1_TCP_X", "1")]
    {
        let report = load_with("", &environment(&[(name, value)])).expect_err(name);
        assert!(report.starts_with(&format!("{name}: unknown variable")), "{report}");
    }
}

#[test]
fn quotes_make_a_text_of_what_would_mean_nothing() {
    let config = read("{mount: /mnt, env: {A: 'null', B: \"5\"}}", &[]);
    assert_eq!(origins(&config.env), ["A: null", "B: 5"]);
    assert!(load_with("vault: ''", &Environment::new()).is_err());
}

#[test]
fn the_file_may_be_named_by_a_variable_and_by_the_command_line_first() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let named = |name: &str, yaml: &str| {
        let path = folder.path().join(name);
        fs::write(&path, yaml).expect("a file");
        path
    };
    let (argument, variable) = (named("argument.yaml", "splay: 1s"), named("variable.yaml", "splay: 2s"));
    let environment = environment(&[("AKV_AGENT_CONFIG", &variable.to_string_lossy())]);
    let splay = |args: &Args| load(args, &environment).expect("valid").splay;
    assert_eq!(splay(&Args { file: Some(argument) }), Duration::from_secs(1));
    assert_eq!(splay(&Args::default()), Duration::from_secs(2));
}

#[test]
fn the_default_file_is_read_where_it_exists() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let default = folder.path().join("config.yaml");
    let splay = || {
        load::load_with_default(&Args::default(), &Environment::new(), &default).map(|config| config.splay)
    };
    assert_eq!(splay(), Ok(Duration::ZERO));
    fs::write(&default, "splay: 3s").expect("a file");
    assert_eq!(splay(), Ok(Duration::from_secs(3)));
    fs::remove_file(&default).expect("removed");
    fs::create_dir(&default).expect("a folder");
    let message = splay().expect_err("a folder").message;
    assert!(message.starts_with(&format!("{}: cannot be read: ", default.display())), "{message}");
}
