//! `onChange` and `target`.

use super::*;
use std::net::IpAddr;

fn reactions(yaml: &str) -> Vec<Reaction> {
    read(yaml, &[]).on_change.into_iter().map(|rule| rule.reaction).collect()
}

/// A request as it is when only the URL was given.
fn request(method: Method, port: u16, path: &str) -> HttpRequest {
    let (expect, timeout) = ((200, 299), Duration::from_secs(5));
    HttpRequest { method, host: Host::Loopback, port, path: path.into(), expect, timeout }
}

fn post(port: u16, path: &str) -> Reaction {
    Reaction::Http { request: request(Method::Post, port, path), verify: None }
}

fn command(argv: &[&str], seconds: u64) -> Command {
    let argv = argv.iter().map(ToString::to_string).collect();
    Command { argv, timeout: Duration::from_secs(seconds) }
}

fn hup(by: Proof, seconds: u64) -> Reaction {
    let verify = Some(Verify { by, within: Duration::from_secs(seconds) });
    Reaction::Signal { signal: libc::SIGHUP, verify }
}

#[test]
fn every_reaction_has_a_long_form() {
    let remote = HttpRequest {
        method: Method::Put,
        host: Host::Name("app.example".into()),
        port: 8080,
        path: "/reload?now".into(),
        expect: (204, 204),
        timeout: Duration::from_millis(500),
    };
    let reload = ["nginx", "-s", "reload"];
    for (yaml, expected) in [
        ("signal: HUP", Reaction::signal(libc::SIGHUP)),
        ("restart: true", Reaction::Restart(Stop::DEFAULT)),
        ("restart:", Reaction::Restart(Stop::DEFAULT)),
        ("restart: {grace: 0s}", Reaction::Restart(Stop { grace: Duration::ZERO, ..Stop::DEFAULT })),
        ("http: 'http://localhost:8080/-/reload'", post(8080, "/-/reload")),
        ("http: {url: 'http://localhost', method: , expect: , timeout: , allowRemote: no}", post(80, "/")),
        (
            "http: {url: 'http://app.example:8080/reload?now', method: put, expect: 204, timeout: 500ms, \
             allowRemote: true}",
            Reaction::Http { request: remote, verify: None },
        ),
        ("command: [nginx, -s, reload]", Reaction::Command(command(&reload, 30))),
        ("command: {argv: [nginx, -s, reload]}", Reaction::Command(command(&reload, 30))),
        ("command: {argv: [a, '', 5], timeout: 1s}", Reaction::Command(command(&["a", "", "5"], 1))),
        ("exit:", Reaction::Exit(42)),
        ("exit: true", Reaction::Exit(42)),
        ("exit: 1", Reaction::Exit(1)),
        ("exit: 124", Reaction::Exit(124)),
        ("none:", Reaction::None),
    ] {
        assert_eq!(reactions(&format!("onChange: {{when: [A], {yaml}}}")), [expected], "{yaml}");
    }
}

#[test]
fn every_reaction_has_a_short_form() {
    for (text, expected) in [
        ("restart", Reaction::Restart(Stop::DEFAULT)),
        ("signal:HUP", Reaction::signal(libc::SIGHUP)),
        ("signal: usr1", Reaction::signal(libc::SIGUSR1)),
        ("http:http://localhost:8080/-/reload", post(8080, "/-/reload")),
        ("http: http://localhost/a:b", post(80, "/a:b")),
        ("http://localhost:8080/-/reload", post(8080, "/-/reload")),
        ("command:nginx -s  reload", Reaction::Command(command(&["nginx", "-s", "reload"], 30))),
        ("command: /bin/a:b", Reaction::Command(command(&["/bin/a:b"], 30))),
        ("exit", Reaction::Exit(42)),
        ("exit:7", Reaction::Exit(7)),
        ("none", Reaction::None),
    ] {
        let expected = [Rule { when: Vec::new(), reaction: expected }];
        assert_eq!(read("", &[("AKV_AGENT_ON_CHANGE", text)]).on_change, expected, "{text}");
        assert_eq!(read(&format!("onChange: ['{text}']"), &[]).on_change, expected, "{text}");
    }
    for (text, start) in [
        ("exec", "unknown reaction"),
        ("signal", "unknown reaction"),
        ("http", "unknown reaction"),
        ("command", "unknown reaction"),
        ("restart:TERM", "unknown reaction"),
        ("none:1", "unknown reaction"),
        ("signal:KILL", "not a signal for a reload"),
        ("http:localhost:8080", "not a URL"),
        ("https://localhost", "https is not spoken here"),
        ("http:https://localhost", "https is not spoken here"),
        ("http://app.example/", "leaves this pod"),
        ("command:", "which program"),
        ("command:sh -c \"a b\"", "quotes mean nothing here"),
        ("exit:", "not an exit code"),
        ("exit:64", "the agent ends with this code"),
    ] {
        let report =
            load_with("", &environment(&[("AKV_AGENT_ON_CHANGE", text)])).expect_err("a wrong reaction");
        assert!(report.starts_with(&format!("AKV_AGENT_ON_CHANGE: {start}")), "{text}: {report}");
    }
}

#[test]
fn a_signal_and_a_request_can_be_verified() {
    let tcp =
        |host, seconds| Proof::Check(Check::Tcp { host, port: 5432, timeout: Duration::from_secs(seconds) });
    let address = |text: &str| Host::Address(text.parse::<IpAddr>().expect("an address"));
    let get = Proof::Check(Check::Http(request(Method::Get, 80, "/ready")));
    let program = Proof::Check(Check::Command(command(&["true"], 30)));
    for (yaml, expected) in [
        ("http: 'http://localhost/ready'", hup(get.clone(), 10)),
        ("http: {url: 'http://localhost/ready'}, within: 1m", hup(get.clone(), 60)),
        ("tcp: localhost:5432", hup(tcp(Host::Loopback, 5), 10)),
        ("tcp: {address: '[::1]:5432', timeout: 1s}", hup(tcp(address("::1"), 1), 10)),
        ("tcp: {address: '10.1.1.1:5432', allowRemote: true}", hup(tcp(address("10.1.1.1"), 5), 10)),
        ("command: ['true']", hup(program, 10)),
        ("startTime: true", hup(Proof::StartTime, 10)),
    ] {
        let yaml = format!("onChange: {{signal: HUP, verify: {{{yaml}}}}}");
        assert_eq!(reactions(&yaml), [expected], "{yaml}");
    }
    let verify = Some(Verify { by: get, within: Duration::from_secs(10) });
    let expected = Reaction::Http { request: request(Method::Post, 81, "/"), verify };
    let yaml = "onChange: {http: 'http://localhost:81', verify: {http: 'http://localhost/ready'}}";
    assert_eq!(reactions(yaml), [expected]);
}

const ONE: &str = "a rule needs exactly one reaction; use signal, restart, http, command, exit or none";
const OWN: &str = "the agent ends with this code when it fails; use another, such as 42";
const PROOF: &str = "needs exactly one of http, tcp, command and startTime";
const STATUS: &str = "not a status from 200 to 599; write one such as 204, or a range such as 200-299";
const TARGET: &str = "a target needs exactly one of process, pidFile and cmdline";
const URL: &str = "not a URL; write http://HOST[:PORT][/PATH], such as http://127.0.0.1:8080/reload";
const WORDS: &str = "a list of the program and its arguments is expected, such as [nginx, -s, reload]";

/// A rule, and what is said about it: the key within the rule, and the rest.
const RULES: &[(&str, &str, &str)] = &[
    ("when: A", "", ONE),
    ("signal: HUP, restart: true", "", ONE),
    ("signal:", "", ONE),
    ("exit:, none:", "", ONE),
    ("when: [], none:", ".when", "names no variable; write a pattern, or remove the key for every variable"),
    (
        "when: 'A-B', signal: HUP",
        ".when",
        "not a pattern of variable names; use letters, digits, `_`, `*` and `?`",
    ),
    ("restart: false", ".restart", "only true can stand here; or remove the key"),
    (
        "restart: {signal: CONT}",
        ".restart.signal",
        "not a signal for a stop; use TERM, INT, QUIT, HUP, USR1, USR2, ALRM, WINCH or KILL",
    ),
    ("restart: {gracePeriod: 5s}", ".restart.gracePeriod", "unknown key; known here: signal, grace"),
    ("https: a", ".https", "unknown key; did you mean `http`?"),
    ("http: x", ".http", URL),
    ("http: {url: x}", ".http.url", URL),
    (
        "http: {url: 'https://localhost'}",
        ".http.url",
        "https is not spoken here; write the http:// address that the app has in its pod",
    ),
    (
        "http: {url: 'http://a:b@localhost'}",
        ".http.url",
        "a user or a password has no place in a URL here; remove them",
    ),
    (
        "http: {url: 'http://10.0.0.1'}",
        ".http.url",
        "leaves this pod, in clear text; use localhost, 127.0.0.0/8 or [::1], or write a mapping with \
         `allowRemote: true`",
    ),
    ("http: {url: 'http://10.0.0.1', allowRemote: maybe}", ".http.allowRemote", "neither true nor false"),
    ("http: {method: GET}", ".http", "a request needs the key url, such as http://127.0.0.1:8080/reload"),
    ("http: {url: 'http://[::1]', method: HEAD}", ".http.method", "unknown method; use GET, POST or PUT"),
    ("http: {url: 'http://[::1]', expect: 100}", ".http.expect", STATUS),
    ("http: {url: 'http://[::1]', expect: 600}", ".http.expect", STATUS),
    ("http: {url: 'http://[::1]', expect: +204}", ".http.expect", STATUS),
    ("http: {url: 'http://[::1]', expect: 299-200}", ".http.expect", STATUS),
    ("http: {url: 'http://[::1]', expect: 2xx}", ".http.expect", STATUS),
    ("http: {url: 'http://[::1]', timeout: 0s}", ".http.timeout", "no time at all; write more than 0s"),
    ("http: [a]", ".http", "a mapping of keys to values is expected here"),
    ("command: nginx -s reload", ".command", WORDS),
    ("command: []", ".command", WORDS),
    ("command: ['']", ".command[0]", "the program has no name"),
    ("command: [a, [b]]", ".command[1]", "a list stands here; a single value is expected"),
    ("command: [a, \"\\0\"]", ".command[1]", "no argument can have a NUL byte in it"),
    ("command: {timeout: 1s}", ".command", "a command needs the key argv, such as [nginx, -s, reload]"),
    ("command: {argv: a}", ".command.argv", WORDS),
    (
        "exit: 0",
        ".exit",
        "0 says that all went well, so that nothing would be restarted; use another code, such as 42",
    ),
    ("exit: 64", ".exit", OWN),
    ("exit: 69", ".exit", OWN),
    ("exit: 70", ".exit", OWN),
    ("exit: 73", ".exit", OWN),
    ("exit: 77", ".exit", OWN),
    ("exit: 78", ".exit", OWN),
    ("exit: 125", ".exit", OWN),
    ("exit: 126", ".exit", OWN),
    ("exit: 127", ".exit", OWN),
    (
        "exit: 128",
        ".exit",
        "from 128 on a code says which signal ended the process; use a smaller one, such as 42",
    ),
    ("exit: 256", ".exit", "not an exit code; use one from 1 to 124, such as 42"),
    ("exit: -1", ".exit", "not an exit code; use one from 1 to 124, such as 42"),
    ("exit: false", ".exit", "not an exit code; use one from 1 to 124, such as 42"),
    ("restart:, verify: {startTime: true}", ".verify", "only signal and http can be verified; remove it"),
    ("exit:, verify: {tcp: localhost:1}", ".verify", "only signal and http can be verified; remove it"),
    (
        "http: 'http://[::1]', verify: {startTime: true}",
        ".verify",
        "startTime is about a process that was signalled; beside http use http, tcp or command",
    ),
    ("signal: HUP, verify: {}", ".verify", PROOF),
    ("signal: HUP, verify: {within: 1s}", ".verify", PROOF),
    ("signal: HUP, verify: {startTime: true, tcp: 'localhost:1'}", ".verify", PROOF),
    (
        "signal: HUP, verify: {startTime: no}",
        ".verify.startTime",
        "only true can stand here; or remove the key",
    ),
    ("signal: HUP, verify: startTime", ".verify", "a mapping of keys to values is expected here"),
    (
        "signal: HUP, verify: {tcp: '5432'}",
        ".verify.tcp",
        "not an address; write HOST:PORT, such as localhost:8080",
    ),
    (
        "signal: HUP, verify: {tcp: {timeout: 1s}}",
        ".verify.tcp",
        "a connection needs the key address, such as localhost:8080",
    ),
    ("signal: HUP, verify: {htpp: x}", ".verify.htpp", "unknown key; did you mean `http`?"),
    (
        "signal: HUP, verify: {startTime: true, within: 0s}",
        ".verify.within",
        "no time at all; write more than 0s",
    ),
];

#[test]
fn each_mistake_in_a_rule_has_its_key_and_its_remedy() {
    for (rule, key, what) in RULES {
        let yaml = format!("onChange: [{{{rule}}}]");
        let report = load_with(&yaml, &Environment::new()).expect_err(&yaml);
        assert_eq!(report, format!("FILE:1: onChange[0]{key}: {what}"), "{yaml}");
    }
}

#[test]
fn a_target_is_a_name_a_file_or_what_a_command_line_has() {
    let line = |text| Some(Target::CommandLine(Pattern::parse(text).expect(text)));
    for (yaml, expected) in [
        ("target: {process: nginx}", Some(Target::Process("nginx".into()))),
        ("target: 'PIDFile: /run/a.pid'", Some(Target::PidFile("/run/a.pid".into()))),
        ("target: {cmdline: 'java .*app\\.jar'}", line("java .*app\\.jar")),
        ("target: 'cmdline:^nginx:'", line("^nginx:")),
        ("target: {process: nginx, cmdline: }", Some(Target::Process("nginx".into()))),
    ] {
        assert_eq!(read(yaml, &[]).target, expected, "{yaml}");
    }
    assert_ne!(line("a"), line("b"));
}

#[test]
fn each_mistake_in_a_target_has_its_key_and_its_remedy() {
    for (target, expected) in [
        ("{}", format!("target: {TARGET}")),
        ("{process: x, cmdline: y}", format!("target: {TARGET}")),
        ("{proces: x}", "target.proces: unknown key; did you mean `process`?".into()),
        (
            "{process: /usr/sbin/nginx}",
            "target.process: not the name of a process; write it without a path, such as nginx".into(),
        ),
        (
            "{cmdline: 'a(b'}",
            "target.cmdline: not a regular expression: found open group without closing ')'; correct it, or \
             escape by `\\`"
                .into(),
        ),
        (
            "'cmdline:x*'",
            "target: would match every process; write what the command line must have in it".into(),
        ),
        ("nginx", "target: not a target; use process:NAME, pidfile:PATH or cmdline:REGEX".into()),
    ] {
        let yaml = format!("target: {target}");
        let report = load_with(&yaml, &Environment::new()).expect_err(&yaml);
        assert_eq!(report, format!("FILE:1: {expected}"), "{yaml}");
    }
}
