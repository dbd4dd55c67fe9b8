"""The JSON Schema of the configuration file and the agent's own parser are of one opinion.

Needs the built binary in AKV_AGENT_BIN. That both know the same keys and defaults is tested beside the
parser; here a validator of others says what the schema means.
"""

import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml

from lint.agent_container import config_file, use_of
from lint.build import ROOT
from lint.pod import pods

CONFIGURATION = 78

RIGHT = {
    "nothing": "",
    "left blank": "{vault: , mount: , env: , outputs: , onChange: , target: , exec: , probation: , settle: , log: }",
    "off": "{pollInterval: off, staleMount: off, probation: off, restartBudget: off, listen: off}",
    "off in quotes": "{pollInterval: 'off', staleMount: 'off', probation: 'off', restartBudget: 'off', listen: 'off'}",
    "durations": "{splay: 0s, timeout: 1h30m, pollInterval: 1s, settle: '0s:250ms:1m', staleMount: '3m:vault'}",
    "one of a list": "{outputs: {envFile: /a}, onChange: restart, vaultSuffixes: localhost}",
    "outputs": "outputs: [{envFile: /a, format: kubelet, mode: '0400'}, {envFile: /b, mode: 0644}]",
    "formats for programs": "outputs: [{envFile: /a, format: json}, {envFile: /b, format: yaml}]",
    "formats of lines": "outputs: [{envFile: /a, format: docker}, {envFile: /b, format: properties}]",
    "clouds": "cloud: {custom: {authorityHost: 'https://login.example', vaultSuffix: vault.example}}",
    "identities": "{identity: {workload: {tenantId: a.b}}, vaults: {abc: {identity: managed}, abd: }}",
    "an identity without options": "identity: {managed: }",
    "short rules": "onChange: [restart, none, exit, 'exit:7', 'signal:HUP', 'command:a b', 'http://localhost/']",
    "reactions": "onChange: [{signal: 1}, {restart: }, {restart: {grace: 0s}}, {exit: }, {exit: 43}, {none: true}]",
    "a null beside a reaction": "onChange: [{signal: HUP, http: , command: , verify: , when: }]",
    "requests": "onChange: [{http: 'http://[::1]:80/a?b'}, {http: {url: 'http://127.0.0.1', expect: 204}}]",
    "a request to elsewhere": "onChange: {http: {url: 'http://app.example:8080/', allowRemote: true}}",
    "commands": "onChange: [{command: [sleep, 5]}, {command: {argv: [a], timeout: 1s}}]",
    "proofs": "onChange: [{signal: HUP, verify: {startTime: true}}, {signal: HUP, verify: {tcp: 'localhost:1'}}]",
    "a proof elsewhere": "onChange: {signal: HUP, verify: {tcp: {address: 'db:1', allowRemote: true}, within: 1s}}",
    "targets": "target: {cmdline: '^java .*app'}",
    "a short target": "target: 'pidfile:/run/a.pid'",
    "exec": "exec: {signals: group, grace: 5s, restartPolicy: Always, parentDeathSignal: KILL, listen: ['[::]:80']}",
    "named sockets": "exec: {listen: [web=0.0.0.0:80, /run/a.sock, 'b=unix:/run/b.sock']}",
    "probation": "probation: {for: 1m, check: {command: [a]}, interval: 5s, stop: {signal: INT}}",
    "probation as a time": "probation: 1m",
    "a budget": "restartBudget: {free: 0, first: 1s, longest: 1s, calm: 1s}",
    "directories": "{stateDir: /state, mount: /mnt, caFile: /a.pem}",
    "logs": "log: {level: debug, format: json}",
    "a level": "log: warn",
}

WRONG = {
    "no mapping": "just text",
    "an unknown key": "vualt: abc",
    "an unknown key deep down": "onChange: [{http: {url: 'http://localhost', retries: 3}}]",
    "a list for a value": "mount: [/a]",
    "a number without a unit": "splay: 5",
    "a fraction": "splay: 1.5s",
    "units in disorder": "splay: 5s1m",
    "no time": "timeout: 0s",
    "a poll too often": "pollInterval: 999ms",
    "a relative path": "stateDir: state",
    "a directory for a file": "outputs: {envFile: /run/}",
    "a format of no version": "outputs: {envFile: /a, format: toml}",
    "a mode for everybody": "outputs: {envFile: /a, mode: '0666'}",
    "a name that no variable has": "{mount: /m, env: {A-B: a}}",
    "a name of the agent's own": "{mount: /m, env: {AKV_AGENT_X: a}}",
    "a variable without a reference": "{mount: /m, env: {A: }}",
    "a binding without a reference": "{vault: abc, env: {A: {history: 2}}}",
    "too many versions": "{vault: abc, env: {A: {ref: a, history: 21}}}",
    "a selection of nothing": "{vault: abc, envFrom: [{}]}",
    "a selection of everything and something": "{vault: abc, envFrom: {all: true, prefix: a}}",
    "a selection of not everything": "{vault: abc, envFrom: {all: false}}",
    "a place that no template has": "{vault: abc, envFrom: {all: true, naming: '{X}'}}",
    "an unknown cloud": "cloud: mars",
    "half a cloud": "cloud: {custom: {vaultSuffix: a}}",
    "an unknown identity": "identity: me",
    "two identities": "identity: {managed: , workload: }",
    "two names of one identity": "identity: {managed: {clientId: a, objectId: b}}",
    "a secret in the file": "identity: {service-principal: {clientSecret: a}}",
    "a secret and a certificate": "identity: {service-principal: {clientSecretFile: /a, clientCertificateFile: /b}}",
    "no reaction": "onChange: {when: A}",
    "two reactions": "onChange: {signal: HUP, restart: }",
    "an unknown reaction": "onChange: reload",
    "no variable": "onChange: {when: [], restart: true}",
    "no pattern": "onChange: {when: A-B, restart: true}",
    "a restart that is none": "onChange: {restart: false}",
    "a signal that ends": "onChange: {signal: KILL}",
    "a stop that does not stop": "onChange: {restart: {signal: CONT}}",
    "a request by TLS": "onChange: {http: 'https://localhost/'}",
    "a request with a password": "onChange: {http: 'http://a:b@localhost/'}",
    "a request to elsewhere": "onChange: {http: 'http://10.0.0.1/'}",
    "a request to elsewhere, longer": "onChange: {http: {url: 'http://app.example/', allowRemote: false}}",
    "a request by TLS to elsewhere": "onChange: {http: {url: 'https://app.example/', allowRemote: true}}",
    "a request to nowhere": "onChange: {http: {method: GET}}",
    "an unknown method": "onChange: {http: {url: 'http://localhost', method: HEAD}}",
    "a status that is not final": "onChange: {http: {url: 'http://localhost', expect: 100}}",
    "a command in a line": "onChange: {command: nginx -s reload}",
    "no command": "onChange: {command: []}",
    "a command without words": "onChange: {command: {timeout: 5s}}",
    "quotes without a shell": "onChange: 'command:sh -c \"a b\"'",
    "an exit that says all is well": "onChange: {exit: 0}",
    "an exit of the agent's own": "onChange: {exit: 78}",
    "an exit by a signal": "onChange: {exit: 143}",
    "a proof of a restart": "onChange: {restart: true, verify: {tcp: 'localhost:1'}}",
    "a proof of a start by a request": "onChange: {http: 'http://localhost', verify: {startTime: true}}",
    "two proofs": "onChange: {signal: HUP, verify: {tcp: 'localhost:1', startTime: true}}",
    "no proof": "onChange: {signal: HUP, verify: {within: 1s}}",
    "a proof elsewhere": "onChange: {signal: HUP, verify: {tcp: 'db:5432'}}",
    "a port without a host": "onChange: {signal: HUP, verify: {tcp: '5432'}}",
    "two targets": "target: {process: a, pidFile: /b}",
    "no target": "target: {}",
    "a path for a name": "target: {process: /usr/bin/a}",
    "a target of no kind": "target: nginx",
    "recipients of no kind": "exec: {signals: all}",
    "a policy of no kind": "exec: {restartPolicy: Sometimes}",
    "a socket without a port": "exec: {listen: [localhost]}",
    "a socket with any port": "exec: {listen: ['0.0.0.0:0']}",
    "a socket of no file": "exec: {listen: [run/a.sock]}",
    "no probation at all": "probation: 0s",
    "a check of nothing": "probation: {check: {}}",
    "a check of a start": "probation: {check: {startTime: true}}",
    "a budget of a number": "restartBudget: 10",
    "a budget below zero": "restartBudget: {free: -1}",
    "an unknown source": "staleMount: {use: both}",
    "a fourth duration": "settle: '1s:2s:3s:4s'",
    "an address without a port": "listen: 127.0.0.1",
    "an unknown level": "log: loud",
}


@pytest.fixture(scope="session")
def agent():
    binary = os.environ.get("AKV_AGENT_BIN")
    if not binary:
        pytest.skip("AKV_AGENT_BIN does not name the agent's binary")

    def run(*args):
        # Nothing is asked of a network: what is tested has no vault, or is refused before it is used.
        return subprocess.run([binary, *args], env={}, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture(scope="session")
def validator(agent):
    printed = agent("schema")
    assert printed.returncode == 0 and not printed.stderr
    schema = json.loads(printed.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def complaints(validator, text):
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(yaml.safe_load(text))]


def examples(page):
    blocks = re.findall(r"^ *```yaml\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    return blocks


@pytest.mark.parametrize("page", ["configuration.md", "identity.md"])
def test_every_example_of_the_manual_is_valid(validator, page):
    for block in examples(ROOT / "docs" / page):
        assert not complaints(validator, block), block


def test_every_configuration_of_the_manifests_is_valid(validator, built):
    for pod in pods(built):
        for container in pod.containers:
            if use_of(container) in ("init", "sidecar", "exec"):
                text = config_file(container, built)[1]
                assert not complaints(validator, text or ""), container.where


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_right_is_right_for_both(agent, validator, tmp_path, text):
    assert not complaints(validator, text)
    file = tmp_path / "config.yaml"
    file.write_text(text)
    done = agent("check", "--config", file)
    assert done.returncode != CONFIGURATION, done.stderr


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused_by_both(agent, validator, tmp_path, text):
    assert complaints(validator, text)
    file = tmp_path / "config.yaml"
    file.write_text(text)
    done = agent("check", "--config", file)
    assert done.returncode == CONFIGURATION, done.stdout + done.stderr
    # For one reason, of which the rest is no consequence.
    assert len(done.stderr.splitlines()) == 1, done.stderr
