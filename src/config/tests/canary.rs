//! What stands where a setting belongs may be the secret itself, and is in no report.

use super::*;

/// Every setting with a hole for the value.
const HOLES: &[&str] = &[
    "_",
    "vault: _",
    "mount: _",
    "identity: _",
    "identity: {workload: _}",
    "identity: {workload: {tenantId: _}}",
    "identity: {workload: {clientId: _}}",
    "identity: {workload: {tokenFile: _}}",
    "identity: {managed: _}",
    "vaults: _",
    "vaults: {abc: _}",
    "vaults: {abc: {identity: _}}",
    "identity: {managed: {clientId: _}}",
    "identity: {managed: {objectId: _}}",
    "identity: {managed: {resourceId: _}}",
    "identity: {pod-identity: _}",
    "identity: {pod-identity: {clientId: _}}",
    "identity: {identity-binding: _}",
    "identity: {identity-binding: {tokenProxy: _, proxyServerName: _, proxyCaFile: _}}",
    "identity: {service-principal: _}",
    "identity: {service-principal: {clientSecret: _}}",
    "identity: {service-principal: {clientSecretFile: _}}",
    "identity: {service-principal: {clientCertificate: _}}",
    "identity: {service-principal: {clientCertificateFile: _}}",
    "identity: {service-principal: {clientCertificatePassword: _}}",
    "identity: {service-principal: {clientCertificatePasswordFile: _}}",
    "identity: {service-principal: {sendCertificateChain: _}}",
    "identity: {azure-cli: {tenantId: _, subscription: _}}",
    "cloud: _",
    "cloud: {custom: _}",
    "cloud: {custom: {authorityHost: _, vaultSuffix: _}}",
    "vaultSuffixes: _",
    "vaultSuffixes: [_, _]",
    "caFile: _",
    "env: _",
    "env: {A: _}",
    "vault: name\nenv: {A: _}",
    "mount: /mnt\nenv: {A: _}",
    "env: {A: [_]}",
    "envFrom: [_]",
    "outputs: _",
    "outputs: [_]",
    "outputs: [{envFile: _, format: _, mode: _}]",
    "outputs: [{template: _, to: _}]",
    "pollInterval: _",
    "settle: _",
    "settle: {quiet: _, max: _, interval: _}",
    "onChange: _",
    "onChange: [_]",
    "onChange: {when: _, signal: _}",
    "onChange: {when: [_], restart: _}",
    "onChange: {none: _}",
    "onChange: {http: _}",
    "onChange: {http: {url: _, method: _, expect: _, timeout: _, allowRemote: _}}",
    "onChange: {http: 'http://_@localhost/'}",
    "onChange: {http: 'http://_/'}",
    "onChange: {http: 'https://localhost/_'}",
    "onChange: {http: 'http://localhost/#_'}",
    "onChange: {command: _}",
    "onChange: {command: [_]}",
    "onChange: {command: {argv: _, timeout: _}}",
    "onChange: {exit: _}",
    "onChange: {signal: HUP, verify: _}",
    "onChange: {signal: HUP, verify: {http: _, within: _}}",
    "onChange: {signal: HUP, verify: {tcp: _}}",
    "onChange: {signal: HUP, verify: {tcp: {address: _, timeout: _, allowRemote: _}}}",
    "onChange: {signal: HUP, verify: {startTime: _}}",
    "onChange: {restart: {signal: _, grace: _}}",
    "target: _",
    "target: {process: /_}",
    "target: {pidFile: _}",
    "target: {cmdline: _}",
    "target: {cmdline: '(_'}",
    "target: {cmdline: '[_'}",
    "target: {cmdline: '_{2,1}'}",
    "exec: _",
    "exec: {signals: _, grace: _, restartPolicy: _, parentDeathSignal: _, listen: _}",
    "exec: {listen: [_, 'a=_', 'unix:_', '_=/a', '/_', '/_']}",
    "probation: _",
    "probation: {for: _, check: _, interval: _, stop: _}",
    "probation: {check: {http: _, tcp: _, command: _}, stop: {signal: _, grace: _}}",
    "restartBudget: _",
    "restartBudget: {free: _, first: _, longest: _, calm: _}",
    "splay: _",
    "timeout: _",
    "stateDir: _",
    "listen: _",
    "log: _",
    "log: {level: _, format: _}",
    "mode: &_ 1",
    "mode: *_",
    "mode: !_ x",
    "mode: [_",
    "mode: {_",
    "mode: \"_",
    "mode: '_' _",
    "mode: @_",
    "%_\n---\nmode: 1",
    "a: _: _",
    "a: |\n _\n_",
    "a:\n\t_",
    "? {_: _}\n: 1",
    "\"\\_\": 1",
];

#[test]
fn no_value_of_any_setting_is_ever_repeated() {
    // The shapes of what people paste: a word, a password, base64, two lines.
    for canary in ["c4n4ry", "c4n4ry pass!", "c4n4ry==", "c4n4ry:c4n4ry", "\"c4n4ry\\nc4n4ry\""] {
        for hole in HOLES {
            let yaml = hole.replace('_', canary);
            if let Err(report) = load_with(&yaml, &Environment::new()) {
                assert!(!report.contains("c4n4ry"), "{yaml}\n{report}");
            }
        }
        for name in super::super::environment::NAMES.iter().chain(&["AZURE_AUTHORITY_HOST", "AKV_AGENT_X"]) {
            for value in [canary.to_owned(), format!("A={canary},{canary}"), format!("x:{canary}")] {
                let environment = environment(&[(name, &value)]);
                if let Err(failure) = load(&Args::default(), &environment) {
                    assert!(!failure.message.contains("c4n4ry"), "{name}={value}\n{failure}");
                }
            }
        }
    }
}
