"""A running dev-vault for each test, and the variables that a client of it needs."""

import json
import os
import shlex
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_TIMEOUT = 20
SEED = """
vaults:
  default:
    secrets:
      ExamplePassword: {value: This message is secret! Do NOT share!, contentType: text/plain, tags: {env: prod}}
"""


@dataclass
class Server:
    """What a test needs to know of the server."""

    url: str
    plain: str
    env: dict[str, str]

    @property
    def tenant_id(self) -> str:
        return self.env["AZURE_TENANT_ID"]

    @property
    def client_id(self) -> str:
        return self.env["AZURE_CLIENT_ID"]

    @property
    def client_secret(self) -> str:
        return self.env["DEV_VAULT_CLIENT_SECRET"]

    @property
    def federated_token_file(self) -> Path:
        return Path(self.env["AZURE_FEDERATED_TOKEN_FILE"])

    def requests(self) -> list[dict]:
        """Every request that the server has seen."""
        return json.loads(self.control("GET", "requests"))

    def put_fault(self, **fault) -> None:
        """Replaces all faults by this one."""
        self.control("PUT", "faults", fault)

    def control(self, method: str, what: str, body=None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.plain}/dev-vault/{what}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=READY_TIMEOUT) as answer:
            return answer.read()


def exports(path: Path) -> dict[str, str]:
    """The variables that a file of `export NAME='value'` lines sets."""
    words = [shlex.split(line) for line in path.read_text().splitlines()]
    return dict(assignment.split("=", 1) for _export, assignment in words)


@pytest.fixture
def seed() -> str:
    """What the server starts with; a module may have its own."""
    return SEED


@pytest.fixture
def server(seed, tmp_path, monkeypatch):
    """A server of its own for the test, whose variables are set for as long as it runs."""
    binary = os.environ["DEV_VAULT_BIN"]
    seed_file = tmp_path / "seed.yaml"
    seed_file.write_text(seed)
    process = subprocess.Popen(
        [binary, "serve", "--seed", str(seed_file), "--dir", str(tmp_path / "vault")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        # The line comes, or the server ends and closes its output: readline waits for either.
        words = process.stdout.readline().rstrip("\n").split(" ", maxsplit=3)
        assert words[:1] == ["ready"], f"dev-vault ended with {process.wait(READY_TIMEOUT)}"
        found = dict(word.split("=", 1) for word in words[1:])
        env = exports(Path(found["env"]))
        for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
            monkeypatch.delenv(name)
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield Server(url=found["url"], plain=found["plain"], env=env)
        process.terminate()
        assert process.wait(READY_TIMEOUT) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(READY_TIMEOUT)
