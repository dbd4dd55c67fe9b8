"""The server of examples/postgresql in a pod, its rotations by the example's own script, and what its log says."""

import json
import os
import re
import subprocess

from images import ROOT
from kubelet import STARTUP, Kubelet, Workload
from sources import Mount
from waiting import eventually

EXAMPLE = ROOT / "examples" / "postgresql"
USER = 999
SECRET = "orders-login"

# What the script calls: the vault, and the driver that mounts what is in it, unless `held` is there, then once it is gone.
AZ = f"""#!/bin/sh
set -eu
case "$1 $2 $3" in
"keyvault secret show") cat "$VAULT/value" ;;
"keyvault secret set")
    while [ "$1" != --file ]; do shift; done
    while [ -e "$VAULT/held" ]; do sleep 0.05; done
    cat "$2" >"$VAULT/value"
    cat "$2" >>"$VAULT/all"
    echo >>"$VAULT/all"
    "$DEV_VAULT_BIN" mount "$MOUNT" -- "{SECRET}=$(cat "$2")" >/dev/null
    ;;
*) exit 2 ;;
esac
"""


def server_image(debian):
    return debian.image(
        "localhost/postgresql:test",
        # For the scripts of the server, and for initdb itself.
        ["postgresql-[0-9]*", "postgresql-client-[0-9]*", "tzdata", "libc-bin", "dash", "coreutils"],
        files={"/etc/passwd": b"postgres:x:999:999::/var/lib/postgresql:/bin/sh\n"},
        # A compiler of queries, larger than all the rest.
        without=["*.bc", "llvmjit*.so"],
    )


def programs(debian):
    """The directory in the image that a version of PostgreSQL has of its own."""
    [found] = (debian.root / "usr/lib/postgresql").glob("*/bin")
    return f"/{found.relative_to(debian.root)}"


def client_image(debian):
    return debian.image(
        "localhost/orders:test",
        ["python3*-minimal", "libpython3*", "python3-psycopg2"],
        files={"/app/orders.py": EXAMPLE / "client" / "orders.py"},
    )


class Database:
    """Started with its roles, none of which has a password."""

    # Of nobody, unless it is set.
    WRONG = "no-such-password"

    def __init__(self, pod, directory, debian):
        self._vault = directory / "vault"
        (directory / "bin").mkdir()
        self._vault.mkdir()
        az = directory / "bin" / "az"
        az.write_text(AZ)
        az.chmod(0o755)
        self._path = f"{directory / 'bin'}:{os.environ['PATH']}"
        self.mount = Mount(directory / "login")
        # Podman writes no names of the pod's own where there is no network.
        hosts = directory / "hosts"
        hosts.write_text("127.0.0.1 localhost postgresql\n")
        self.hosts = f"{hosts}:/etc/hosts:ro"
        kubelet = Kubelet(pod, Workload(EXAMPLE, "postgresql"), directory / "server", {"postgresql": server_image(debian)})
        path = {"PATH": f"{programs(debian)}:/usr/bin"}
        self.server = kubelet.start(env={"postgresql": path}, volumes={"postgresql": [self.hosts]})["postgresql"]
        self.data = directory / "server" / "data" / "pgdata"
        self.wait_until_ready()
        self._run([*self.psql(), "--set=ON_ERROR_STOP=1"], stdin=(EXAMPLE / "roles.sql").read_text())

    def wait_until_ready(self):
        eventually("the server", lambda: self.server.exec("pg_isready").returncode == 0, STARTUP)

    def psql(self, *options):
        """The command of an administrator, as it is with kubectl in a cluster."""
        return [*self.server.podman.command, "exec", "--interactive", *options, self.server.name, "psql"]

    def hash_of(self, role):
        """What the database has of a role's password."""
        query = f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"
        return self.server.exec("psql", "--no-align", "--tuples-only", "--command", query).stdout

    def start_rotation(self, *role):
        """The example's script."""
        return subprocess.Popen(
            [EXAMPLE / "rotate.sh", *role], env=self._environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def rotate(self, *role):
        """Gives the role that is in use from then on."""
        process = self.start_rotation(*role)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert self.passwords()[-1] not in said
        return self.login()["username"]

    def hold(self):
        """The next rotation waits between the database and the vault, until the file is removed that this gives."""
        held = self._vault / "held"
        held.touch()
        return held

    def login(self):
        """What the vault has."""
        return json.loads((self._vault / "value").read_text())

    def passwords(self):
        """All that the vault has ever had."""
        return [json.loads(line)["password"] for line in (self._vault / "all").read_text().splitlines()]

    def mount_wrong_password(self, user):
        self.mount.write(**{SECRET: json.dumps({"username": user, "password": self.WRONG})})

    def set_password(self, role, password):
        """By hand, as whoever repairs something does."""
        self._run([*self.psql(), "--set=ON_ERROR_STOP=1"], stdin=f"ALTER ROLE {role} PASSWORD '{password}';")

    def failures(self):
        """Logins that were refused."""
        return self.server.errors().count("password authentication failed")

    def logins(self):
        """The roles of the logins that were not, in their order."""
        return re.findall(r"connection authorized: user=(orders_[ab]) ", self.server.errors())

    def _environment(self):
        settings = {"KV": "shop", "PSQL": " ".join(self.psql()), "PATH": self._path}
        return {**self.server.podman.environment, **settings, "VAULT": self._vault, "MOUNT": self.mount.directory}

    def _run(self, command, stdin):
        done = subprocess.run(
            command, env=self._environment(), input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
