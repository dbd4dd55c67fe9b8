"""Where secrets come from in these tests: a volume that is written as the CSI driver does it, and a vault."""

import os
import shlex
import subprocess

from waiting import eventually

MOUNT = "/mnt/secrets-store"
VAULT_DIRECTORY = "/vault"
URL = "https://localhost:8443"


class Mount:
    """A directory of the host, seen by containers as a read-only volume."""

    def __init__(self, directory):
        self.directory = directory
        self.volume = f"{directory}:{MOUNT}:ro"
        directory.mkdir()

    def write(self, **files):
        """Replaces the whole set in the driver's own order of operations."""
        command = [os.environ["DEV_VAULT_BIN"], "mount", self.directory, "--"]
        command += [f"{name}={value}" for name, value in files.items()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout == "switched\n"


class Vault:
    """A vault in a container of the pod, so that nothing ever leaves the pod."""

    def __init__(self, pod, image, directory, secrets, host=None):
        """With `host` the vault has this name, for whoever has the volume `hosts`, and the port of HTTPS."""
        directory.mkdir()
        # Like an emptyDir: any UID may write.
        directory.chmod(0o777)
        self._directory = directory
        self.volume = f"{directory}:{VAULT_DIRECTORY}:ro"
        # Podman writes no names of the pod's own where there is no network.
        self.hosts = f"{directory}/hosts:/etc/hosts:ro"
        (directory / "hosts").write_text(f"127.0.0.1 localhost {host or ''}\n")
        self._url = f"https://{host}" if host else URL
        listen = ["--listen=127.0.0.1:443", f"--san={host}"] if host else ["--listen=127.0.0.1:8443"]
        self._container = pod.start(
            "vault", image, "/dev-vault", "serve", f"--dir={VAULT_DIRECTORY}", *listen,
            "--plain=127.0.0.1:8080", volumes=[f"{directory}:{VAULT_DIRECTORY}", self.hosts],
            **({"user": 0, "also": ["--cap-add=NET_BIND_SERVICE"]} if host else {}),
        )  # fmt: skip
        eventually("the vault", lambda: self._container.output().startswith("ready "))
        for name, value in secrets.items():
            self.set(name, value)

    def set(self, name, value):
        """Writes a new version by the REST call of any client, and gives its id."""
        done = self._container.exec("/dev-vault", "set", self._url, name, "--", value, env=self._exports())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def settings(self):
        """What the workload identity webhook gives a container, and what makes the agent trust this vault."""
        return {
            **self.exported("AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
            "AKV_AGENT_VAULT": URL,
            "AKV_AGENT_VAULT_SUFFIXES": "localhost",
            "AKV_AGENT_CA_FILE": f"{VAULT_DIRECTORY}/ca.pem",
            "AKV_AGENT_POLL_INTERVAL": "1s",
        }

    def exported(self, *names):
        """Variables that this vault has for its clients."""
        exports = self._exports()
        return {name: exports[name] for name in names}

    def _exports(self):
        lines = (self._directory / "env").read_text().splitlines()
        words = [shlex.split(line) for line in lines]
        return dict(assignment.split("=", 1) for _export, assignment in words)
