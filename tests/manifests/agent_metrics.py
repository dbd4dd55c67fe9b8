"""What a real agent says under /metrics once it has met with everything that it counts."""

import os
import re
import secrets
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

PATIENCE = 30
# Has the same secret as the mount with another value, and one that ends.
SEED = """
vaults:
  default:
    secrets:
      db-password: {{value: {}}}
      token: {{value: {}, exp: 2100-01-01T00:00:00Z}}
"""
# What only comes to be when something has happened: a change was acted on, and the mount is behind.
LATE = ("akv_agent_reactions_total", "akv_agent_mount_behind_since_timestamp_seconds", "akv_agent_http_requests_total")


class Family(NamedTuple):
    """One metric: its type and the names of its labels."""

    kind: str
    labels: frozenset


class Missing(Exception):
    """What is not here to start an agent."""


def families(text):
    """The metrics in Prometheus' text format, by name."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    labels = {name: set() for name in kinds}
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        labels[name].update(re.findall(r'(\w+)="', inside))
    return {name: Family(kind, frozenset(labels[name])) for name, kind in kinds.items()}


def collect(directory):
    """The metrics of an agent with a vault, a mount and a child, by name."""
    binaries = [os.environ.get(name, "") for name in ("AKV_AGENT_BIN", "DEV_VAULT_BIN")]
    if not all(map(os.path.isfile, binaries)):
        raise Missing("AKV_AGENT_BIN and DEV_VAULT_BIN do not name the agent's and the vault's binary")
    agent, vault = binaries
    values = [secrets.token_hex() for _ in range(4)]
    seed = directory / "seed.yaml"
    seed.write_text(SEED.format(*values[:2]))
    serve = [vault, "serve", "--seed", seed, "--dir", directory / "vault"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as process:
        try:
            # The line comes, or the server ends and closes its output.
            line = process.stdout.readline()
            assert line.startswith("ready "), "dev-vault did not start"
            text = _run(agent, directory, values[2:])
        finally:
            process.terminate()
    assert not any(value in text for value in values)
    return families(text)


def _run(agent, directory, values):
    assignments = [shlex.split(line)[1] for line in (directory / "vault" / "env").read_text().splitlines()]
    azure = dict(assignment.split("=", 1) for assignment in assignments)
    mount = directory / "mount"
    mount.mkdir()
    file = mount / "db-password"
    file.write_text(values[0])
    log = directory / "agent.log"
    # Of its own among the addresses of this machine, so that no port is taken.
    listen = f"127.77.{os.getpid() % 251}.{os.getpid() // 251 % 251 + 1}:9808"
    variables = {
        "PATH": os.environ["PATH"],
        **{name: azure[name] for name in azure if name.startswith("AZURE_")},
        "AKV_AGENT_CA_FILE": str(directory / "vault" / "ca.pem"),
        "AKV_AGENT_VAULT": azure["DEV_VAULT_URL"],
        "AKV_AGENT_VAULT_SUFFIXES": "localhost",
        "AKV_AGENT_MOUNT": str(mount),
        "AKV_AGENT_ENV": "DB_PASSWORD=db-password,TOKEN=token",
        "AKV_AGENT_POLL_INTERVAL": "1s",
        "AKV_AGENT_STALE_MOUNT": "1s",
        "AKV_AGENT_LISTEN": listen,
    }
    command = [agent, "exec", "--", shutil.which("sleep"), "infinity"]
    with log.open("w") as output, subprocess.Popen(command, env=variables, stderr=output) as process:
        try:
            _eventually(log, lambda: "akv_agent_ready 1\n" in _metrics(listen))
            new = Path(f"{file}.new")
            new.write_text(values[1])
            new.rename(file)
            return _eventually(log, lambda: _complete(_metrics(listen)))
        finally:
            process.terminate()


def _complete(text):
    return text if all(f"\n{name}{{" in text for name in LATE) else None


def _metrics(address):
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=PATIENCE) as answer:
            return answer.read().decode()
    except urllib.error.URLError:
        return ""


def _eventually(log, probe):
    deadline = time.monotonic() + PATIENCE
    while not (result := probe()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return result
