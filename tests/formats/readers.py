"""What reads env files: each function gives what its reader finds in a file for variables of these names.

What else the reader finds, such as variables that every container has, may be there too.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dotenv
import yaml
from docker_daemon import Daemon
from podman import Podman
from systemd import library as systemd_library
from waiting import PATIENCE

HERE = Path(__file__).parent


class Unavailable(Exception):
    """A reader that is not there, and why."""


class Optional(Unavailable):
    """One that set-up does not install."""


def _run(*command, **options) -> bytes:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False, **options
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def _need(program, otherwise=Unavailable):
    if not shutil.which(program):
        raise otherwise(f"there is no {program}")
    return program


def _assignments(items):
    return dict(item.split("=", 1) for item in items)


def _shell(program, script):
    def read(file, _names):
        out = _run(_need(program), "-c", script, program, str(file), env={"PATH": os.environ["PATH"]})
        return _assignments(os.fsdecode(out).split("\0")[:-1])

    return read


# What the file exports, and what it assigns.
dash, bash = (_shell(shell, '. "$1"; exec env -0') for shell in ("dash", "bash"))
dash_allexport, bash_allexport = (_shell(shell, 'set -a; . "$1"; exec env -0') for shell in ("dash", "bash"))


def kubelet(file, names):
    return json.loads(_run(_need("kubelet-env"), str(file), *names))


def docker(file, _names):
    _need("docker", Optional)
    with tempfile.TemporaryDirectory() as directory:
        variables = {"PATH": os.environ["PATH"], "HOME": directory}
        with Daemon(Path(directory) / "socket") as daemon:
            _run("docker", "--host", daemon.address, "create", "--env-file", str(file), "none", env=variables)
    [created] = daemon.created
    return _assignments(created["Env"])


def podman(file, _names):
    _need("podman")
    if os.geteuid() != 0:
        raise Unavailable("podman without root needs a set-up of its own")
    with tempfile.TemporaryDirectory() as directory:
        podman = Podman(directory)
        root = Path(directory) / "empty"
        root.mkdir()
        created = podman("create", "--env-file", file, "--network=none", "--rootfs", root, "none").stdout.strip()
        try:
            return _assignments(json.loads(podman("inspect", created).stdout)[0]["Config"]["Env"])
        finally:
            podman("rm", created)


def python_json(file, _names):
    return json.loads(file.read_bytes())


def python_yaml(file, _names):
    return yaml.safe_load(file.read_bytes())


def libyaml(file, _names):
    if not hasattr(yaml, "CSafeLoader"):
        raise Unavailable("PyYAML was built without libyaml")
    return yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)


def python_dotenv(file, _names):
    return dotenv.dotenv_values(file, interpolate=False)


def _javascript(reader):
    def read(file, _names):
        if reader == "dotenv" and not (HERE / "node_modules").is_dir():
            raise Unavailable("there are no JavaScript packages")
        return json.loads(_run(_need("node"), str(HERE / "read.js"), reader, str(file)))

    return read


javascript_json = _javascript("json")
javascript_dotenv = _javascript("dotenv")


def _java(source):
    def read(file, _names):
        modules = _run(_need("java"), "--list-modules").decode()
        if "jdk.compiler@" not in modules:
            raise Unavailable("Java is there, but no compiler of it")
        lines = _run("java", str(HERE / "Read.java"), source, str(file)).decode().splitlines()
        pairs = (line.partition(" ") for line in lines)
        return {name: base64.b64decode(value).decode() for name, _, value in pairs}

    return read


# As bytes it takes a file for ISO 8859-1.
java_bytes = _java("bytes")
java_text = _java("text")


def systemd(file, _names):
    if not systemd_library():
        raise Optional("there is no systemd of a known version")
    return json.loads(_run(sys.executable, str(HERE / "systemd.py"), str(file)))
