"""Pods and containers made with podman, in a storage of their own."""

import json
import os
import subprocess
from collections import namedtuple
from pathlib import Path

import yaml

from waiting import eventually

COMMAND_TIMEOUT = 120

# Nobody else's podman is touched: images, containers, locks and events have a place of their own. The
# limits are set because the defaults are above what some machines let even root have. runc takes every
# kind of cgroups.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{directory}/tmp"
"""

# What the restricted Pod Security Standard asks for, and a read-only root file system.
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
NON_ROOT = 65532

Process = namedtuple("Process", "pid ppid state command")


class Podman:
    """The command, bound to one storage."""

    def __init__(self, directory):
        self.directory = Path(directory)
        configuration = self.directory / "containers.conf"
        configuration.write_text(CONFIGURATION.format(directory=self.directory))
        self.environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
        # vfs copies files instead of stacking them: works on any file system, and the images are small.
        storage = {"root": self.directory / "root", "runroot": self.directory / "run", "storage-driver": "vfs"}
        self.command = ["podman", *(f"--{name}={value}" for name, value in storage.items())]

    def __call__(self, *arguments, check=True, cwd=None):
        """Runs one command to its end."""
        command = [*self.command, *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, errors="replace",
            timeout=COMMAND_TIMEOUT, check=False, cwd=cwd,
        )  # fmt: skip
        if check and done.returncode != 0:
            shown = " ".join(map(str, arguments))
            raise AssertionError(f"podman {shown}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done


class Container:
    """One container, which may have ended."""

    def __init__(self, podman, name):
        self.podman = podman
        self.name = name

    def output(self):
        """Standard output so far, without what comes from standard error."""
        return self.podman("logs", self.name).stdout

    def errors(self):
        """Standard error so far."""
        return self.podman("logs", self.name).stderr

    def wait_for_error(self, text):
        """Waits until standard error has this in it."""
        return eventually(f"{text!r} on standard error of {self.name}", lambda: text in self.errors())

    def inspect(self, field):
        return self.podman("inspect", "--format", f"{{{{.{field}}}}}", self.name).stdout.strip()

    def exec(self, *command, env=None):
        """Runs a program beside the container's own."""
        variables = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return self.podman("exec", *variables, self.name, *command, check=False)

    def signal(self, name):
        """Signals PID 1, as the kubelet does when it stops a container."""
        self.podman("kill", "--signal", name, self.name)

    def restart(self):
        """Starts the container's program anew, as the kubelet does when it has ended, which it may have."""
        self.podman("kill", self.name, check=False)
        self.exit_code()
        # A pod that was played is stopped behind the end of its last container: not below the new start.
        eventually(f"an end to the stop of the pod of {self.name}", lambda: not self.pod_is_stopping())
        self.podman("start", self.name)

    def pod_is_stopping(self):
        """Whether nothing runs in the pod but what holds its namespaces, which is about to be stopped."""
        pod = json.loads(self.podman("pod", "inspect", self.inspect("Pod")).stdout)
        running = [each["Id"] for each in pod["Containers"] if each["State"] == "running"]
        return pod["ExitPolicy"] == "stop" and running == [pod["InfraContainerID"]]

    def exit_code(self):
        """Waits for the end."""
        eventually(f"the end of {self.name}", lambda: self.inspect("State.Status") == "exited")
        return int(self.inspect("State.ExitCode"))

    def processes(self):
        """Every process in the container's PID namespace."""
        table = self.podman("top", self.name, "pid", "ppid", "state", "comm").stdout
        rows = [line.split(None, 3) for line in table.splitlines()[1:]]
        return [Process(int(pid), int(ppid), state, command) for pid, ppid, state, command in rows]


class Pod:
    """Containers that share a network, which has nothing but loopback, and the PID namespace if asked for."""

    def __init__(self, podman, name):
        self.podman = podman
        self.name = name
        self.containers = []

    @classmethod
    def create(cls, podman, name, share_pids=False):
        """An empty pod, to which containers are added one by one."""
        namespaces = "net,ipc,uts,pid" if share_pids else "net,ipc,uts"
        podman("pod", "create", "--name", name, "--network=none", "--share", namespaces)
        return cls(podman, name)

    @classmethod
    def play(cls, podman, document, directory):
        """A pod as Kubernetes knows it, whose init containers have ended."""
        pod = cls(podman, document["metadata"]["name"])
        file = directory / "pod.yaml"
        file.write_text(yaml.safe_dump(document))
        # From where no directory has the name of an image: podman would build that.
        podman("kube", "play", "--network=none", file, cwd=directory)
        names = [container["name"] for container in document["spec"]["containers"]]
        pod.containers = [Container(podman, f"{pod.name}-{name}") for name in names]
        return pod

    def start(self, name, image, *command, env=None, volumes=(), user=NON_ROOT, also=()):
        """Starts a container with the least privileges that there are, and what is `also` asked for."""
        container = Container(self.podman, f"{self.name}-{name}")
        self.containers.append(container)
        options = [f"--env={variable}={value}" for variable, value in (env or {}).items()]
        options += [f"--volume={volume}" for volume in volumes]
        self.podman(
            "run", "--detach", "--pod", self.name, "--name", container.name, f"--user={user}:{user}",
            *HARDENED, *also, *options, image, *command,
        )  # fmt: skip
        return container

    def run(self, name, image, *command, **options):
        """Runs an init container to its end, and gives its exit code too."""
        container = self.start(name, image, *command, **options)
        return container, container.exit_code()

    def remove(self):
        self.podman("pod", "rm", "--force", "--time=0", self.name)
