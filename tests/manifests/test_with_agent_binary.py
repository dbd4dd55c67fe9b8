"""The agent's own parser takes every configuration that the manifests embed.

Needs the built binary in AKV_AGENT_BIN. There is no mount and no vault here, so `check` may well find
those missing; what it must not find is a mistake in the configuration.
"""

import os
import secrets
import shutil
import subprocess

import pytest

from helm_cases import BESIDE, CASES
from lint.agent_container import config_file, settings, use_of
from lint.build import DEPLOY
from lint.pod import pods
from variants import WITHOUT_AGENT

CONFIGURATION = 78
# Nothing, or what only a cluster can provide: a mount, a vault, permission, a place to write.
ACCEPTED = {0, 69, 73, 77}


@pytest.fixture(scope="session")
def check():
    """Runs `akv-agent check` where there is no network at all, whatever the configuration names."""
    binary = os.environ.get("AKV_AGENT_BIN")
    if not binary:
        pytest.skip("AKV_AGENT_BIN does not name the agent's binary")
    isolate = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*isolate, "true"], check=False).returncode:
        pytest.skip("needs unshare(1) and the right to make a network namespace, to keep off the network")

    def run(env, text, directory):
        args = []
        if text is not None:
            file = directory / "config.yaml"
            file.write_text(text)
            args = ["--config", file]
        # Short, because the mount will not come; a manifest's own value wins.
        env = {"PATH": os.environ["PATH"], "AKV_AGENT_TIMEOUT": "1s", **env}
        return subprocess.run(
            [*isolate, binary, "check", *args], env=env, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def _with_credential(agent, docs, directory):
    """The configuration, with a file of this machine for the credential that it names: without one it is wrong."""
    text, path = config_file(agent, docs)[1], settings(agent, docs).credential_file
    if not path:
        return text
    file = directory / "credential"
    file.write_text(secrets.token_hex())
    return text.replace(path, str(file))


def assert_accepted(check, docs, directory):
    agents = [
        container
        for pod in pods(docs)
        for container in pod.containers
        if use_of(container) in ("init", "sidecar", "exec")
    ]
    assert agents
    for env, text in {(tuple(agent.env.items()), _with_credential(agent, docs, directory)) for agent in agents}:
        done = check(dict(env), text, directory)
        assert done.returncode in ACCEPTED, f"{env}: {done.returncode}: {done.stdout}{done.stderr}"


def test_embedded_configurations_are_accepted(request, built, check, tmp_path):
    if request.node.callspec.params["built"] not in [DEPLOY / folder for folder in WITHOUT_AGENT]:
        assert_accepted(check, built, tmp_path)


def test_what_components_tell_the_agent_is_accepted(case, check, tmp_path):
    assert_accepted(check, case[-1], tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_what_the_chart_tells_the_agent_is_accepted(name, charts, check, tmp_path):
    assert_accepted(check, charts.documents(**CASES[name]) + BESIDE.get(name, []), tmp_path)


@pytest.mark.parametrize(
    ("env", "text"),
    [({"AKV_AGENT_ON_CHANGE": "explode"}, "mount: /mnt\nenv: {A: b}\n"), ({}, "mounts: /mnt\nenv: {A: b}\n")],
    ids=["environment", "file"],
)
def test_a_mistake_is_seen(check, tmp_path, env, text):
    assert check(env, text, tmp_path).returncode == CONFIGURATION
