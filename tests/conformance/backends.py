"""The vaults that the scenarios run against: dev-vault, and one that others wrote."""

import os
import re
import shlex
import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path

from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from network import IMDS_ADDRESS
from waiting import eventually

# The one that the agent's own SDK asks for.
API_VERSION = "2025-07-01"
VAULTS = ("one", "two")
END_LIMIT = 20
# Lowkey Vault is built for this one.
JAVA_VERSION = 25


class Unavailable(Exception):
    """Why a vault cannot be run here."""


class Backend:
    """Vaults behind https://NAME.SUFFIX, with an identity that may read them."""

    name: str
    address: str
    suffix: str
    # The agent's setting with which a vault's name gets this suffix.
    cloud: str
    # Whether secrets are found under their names in any case, as in Key Vault.
    ignores_case = True
    # Whether it tells a secret that is disabled from one that is not there.
    tells_disabled = True

    def __init__(self, directory: Path):
        self.directory = directory
        self.ca_file = directory / "ca.pem"
        self._process = None
        self._clients = {}

    @classmethod
    def vault_name(cls, vault="one") -> str:
        return f"{cls.name}-{vault}"

    @classmethod
    def host(cls, vault="one") -> str:
        return f"{cls.vault_name(vault)}.{cls.suffix}"

    @classmethod
    def url(cls, vault="one") -> str:
        return f"https://{cls.host(vault)}"

    @classmethod
    def hosts(cls) -> list[str]:
        return [cls.host(vault) for vault in VAULTS]

    def client(self, vault="one") -> SecretClient:
        """The official client, as whoever manages the secrets uses it."""
        return self._client(SecretClient, vault)

    def certificates(self) -> CertificateClient:
        return self._client(CertificateClient, "one")

    def keys(self) -> KeyClient:
        return self._client(KeyClient, "one")

    def _client(self, kind, vault):
        if (kind, vault) not in self._clients:
            self._clients[kind, vault] = kind(
                self.url(vault),
                self._credential(),
                api_version=API_VERSION,
                verify_challenge_resource=False,
                connection_verify=str(self.ca_file),
            )
        return self._clients[kind, vault]

    def variables(self) -> dict[str, str]:
        """The agent's settings for the first vault, without an identity."""
        return {
            "AKV_AGENT_VAULT": self.url(),
            "AKV_AGENT_VAULT_SUFFIXES": self.suffix,
        }

    def managed_identities(self) -> dict[str, dict[str, str]]:
        """The ways to a managed identity, each with the variables that lead there."""
        raise NotImplementedError

    def stop(self):
        for client in self._clients.values():
            client.close()
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(END_LIMIT)


class DevVault(Backend):
    name = "dev"
    address = "127.0.0.1"
    # As in Azure; here these names lead to this machine.
    suffix = "vault.azure.net"
    cloud = "public"

    def start(self):
        sans = [word for host in self.hosts() for word in ("--san", host)]
        self._process = subprocess.Popen(
            [os.environ["DEV_VAULT_BIN"], "serve", "--dir", self.directory, *sans]
            + ["--listen", f"{self.address}:443", "--plain", f"{self.address}:8080"],
            stdout=subprocess.PIPE,
            text=True,
        )
        # The line comes, or the server ends and closes its output: readline waits for either.
        line = self._process.stdout.readline()
        assert line.startswith("ready "), f"dev-vault ended with {self._process.wait(END_LIMIT)}"
        exports = [shlex.split(line) for line in (self.directory / "env").read_text().splitlines()]
        self._env = dict(assignment.split("=", 1) for _export, assignment in exports)

    def expect_end(self):
        assert self.stop() == 0

    def _credential(self):
        return ClientSecretCredential(
            self._env["AZURE_TENANT_ID"],
            self._env["AZURE_CLIENT_ID"],
            self._env["DEV_VAULT_CLIENT_SECRET"],
            authority=self._env["AZURE_AUTHORITY_HOST"],
            # Would ask a public host whether this authority is to be trusted.
            disable_instance_discovery=True,
            connection_verify=str(self.ca_file),
        )

    def workload_identity(self) -> dict[str, str]:
        """What the webhook sets in a pod."""
        names = ("AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
        return {name: self._env[name] for name in names}

    def managed_identities(self):
        plain = self._env["DEV_VAULT_PLAIN"]
        app_service = {
            "IDENTITY_ENDPOINT": f"{plain}/msi/token",
            "IDENTITY_HEADER": self._env["DEV_VAULT_IDENTITY_HEADER"],
        }
        pod_identity = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": plain}
        user_assigned = {"AZURE_CLIENT_ID": self._env["AZURE_CLIENT_ID"]}
        return {
            "App Service": app_service,
            "App Service, user-assigned": app_service | user_assigned,
            "pod identity": pod_identity,
            "pod identity, user-assigned": pod_identity | user_assigned,
        }


class Lowkey(Backend):
    """Lowkey Vault: a test double of Key Vault in Java. It takes any token, so an agent may get its own anywhere."""

    name = "lowkey"
    address = "127.0.0.2"
    # In its certificate, as is `*.localhost`, which OpenSSL takes for too broad.
    suffix = "lowkey-vault.local"
    cloud = f"{{custom: {{authorityHost: 'https://localhost', vaultSuffix: {suffix}}}}}"
    ignores_case = False
    tells_disabled = False

    def start(self):
        jar = Path(os.environ.get("LOWKEY_VAULT_JAR", ""))
        if not jar.is_file():
            raise Unavailable("there is no Lowkey Vault; LOWKEY_VAULT_JAR must name its jar")
        names = [self.vault_name(vault) for vault in VAULTS]
        aliases = [f"{name}.localhost={name}.{self.suffix}" for name in names]
        self._log = self.directory / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                # A small heap, and the quick compiler only: it runs for a minute.
                [_java(), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", jar]
                + [f"--server.address={self.address}", "--server.port=443", "--app.token.port=80"]
                + [f"--LOWKEY_VAULT_NAMES={','.join(names)}", f"--LOWKEY_VAULT_ALIASES={','.join(aliases)}"],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        eventually("Lowkey Vault to answer", self._answers)
        self.ca_file.write_text(ssl.get_server_certificate((self.address, 443)))

    def _answers(self):
        ended = self._process.poll()
        assert ended is None, f"Lowkey Vault ended with {ended}:\n{self._log.read_text()[-4000:]}"
        try:
            # Both ports are opened together, once everything is there.
            with urllib.request.urlopen(f"http://{IMDS_ADDRESS}/metadata/default-cert/password", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def expect_end(self):
        # Of a Java program that SIGTERM has ended in an orderly way.
        assert self.stop() == 128 + 15

    def _credential(self):
        return ManagedIdentityCredential()

    def managed_identities(self):
        return {
            "the well-known address": {},
            "pod identity": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://{self.address}"},
            "user-assigned": {"AZURE_CLIENT_ID": "00000000-0000-0000-0000-000000000000"},
        }


def _java() -> str:
    """A Java that is new enough."""
    java = shutil.which(os.environ.get("LOWKEY_JAVA_BIN") or "java")
    if not java:
        raise Unavailable("there is no Java for Lowkey Vault")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
    version = re.search(r'version "(\d+)', said)
    if not version or int(version[1]) < JAVA_VERSION:
        raise Unavailable(f"Lowkey Vault needs Java {JAVA_VERSION}; LOWKEY_JAVA_BIN may name one")
    return java


BACKENDS = {backend.name: backend for backend in (DevVault, Lowkey)}
