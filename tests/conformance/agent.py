"""The agent and the app beside it, as real processes."""

import itertools
import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

from canary import assert_clean
from waiting import PATIENCE, eventually

BINARY = Path(os.environ.get("AKV_AGENT_BIN", ""))
# Built beside it.
TEST_APP = BINARY.parent / "test-app"

# How long an agent may wait for its first set: where it will not, and where it does until then.
ENDS_AT_ONCE, WAITS = "20s", "2s"

_addresses = itertools.count(2)


class Process:
    """A process with its output in files."""

    def __init__(self, name, directory, command, variables):
        self.name = name
        self._out, self._err = directory / f"{name}.out", directory / f"{name}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"]} | variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=directory,
            )
        self.pid = self._process.pid

    def out(self) -> str:
        return self._out.read_text()

    def err(self) -> str:
        return self._err.read_text()

    def wait(self) -> int:
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end:\n{self.err()}") from None

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)


class App(Process):
    """The program that says what happens to it."""

    def __init__(self, name, directory):
        super().__init__(name, directory, [TEST_APP], {})
        self.pid_file = directory / f"{name}.pid"
        eventually("the app to be ready", lambda: "ready " in self.out())
        self.pid_file.write_text(f"{self.pid}\n")

    def signals(self) -> list[int]:
        return [int(line.split()[1]) for line in self.out().splitlines() if line.startswith("signal ")]


class Agent(Process):
    """An agent in one of its uses. It inherits nothing but PATH."""

    def __init__(self, use, name, directory, variables, program=()):
        number = next(_addresses)
        self._listen = f"127.0.{1 + number // 250}.{number % 250 + 2}:9808"
        self.env_file = directory / f"{name}.env"
        variables = {
            "AKV_AGENT_LISTEN": self._listen,
            # The more it says, the more it could say too much.
            "AKV_AGENT_LOG_LEVEL": "trace",
            "AKV_AGENT_POLL_INTERVAL": "1s",
        } | variables
        if use != "exec":
            variables["AKV_AGENT_ENV_FILE"] = str(self.env_file)
        program = ["--", *program] if program else []
        super().__init__(name, directory, [BINARY, use, *program], variables)

    def value(self, variable) -> str:
        """What a shell gets out of the env file."""
        script = f'. "$1"; printf %s "${{{variable}-unset}}"'
        done = subprocess.run(
            ["sh", "-c", script, "sh", self.env_file], capture_output=True, timeout=PATIENCE, check=True
        )
        return done.stdout.decode()

    def status(self) -> dict:
        def ask():
            try:
                return self._request("GET", "/v1/status")
            except OSError:
                return None

        return json.loads(eventually("the agent's status", ask))

    def refresh(self):
        """Asks for a pass now."""
        self._request("POST", "/v1/refresh?wait=false")

    def wait_until_ready(self):
        self._eventually("the first set", lambda: self.status()["ready"])

    def wait_for_value(self, variable, value):
        self._eventually(f"{variable} in the env file", lambda: self.value(variable) == value)

    def wait_for_problem(self, part) -> str:
        def find():
            return next((problem for problem in self.problems() if part in problem), None)

        return self._eventually(f"a problem with {part!r}", find)

    def wait_until_well(self):
        self._eventually("no problem", lambda: not self.problems())

    def problems(self) -> list[str]:
        status = self.status()
        variables = status["variables"].values()
        return status["problems"] + [one["problem"] for one in variables if one.get("problem")]

    def wait_for_starts(self, count):
        self._eventually(f"start {count} of the app", lambda: self.out().count("ready pid=") >= count)

    def complaint(self) -> str:
        """Why it ended: the lines without those of the log."""
        return "\n".join(line for line in self.err().splitlines() if line.startswith("akv-agent: "))

    def _eventually(self, what, probe):
        def look():
            ended = self._process.poll()
            assert ended is None, f"{self.name} has ended with {ended}, before {what}:\n{self.err()}"
            return probe()

        try:
            return eventually(what, look)
        except AssertionError as error:
            raise AssertionError(f"{error}\nproblems: {self.problems()}") from None

    def _request(self, method, path) -> str:
        request = urllib.request.Request(f"http://{self._listen}{path}", method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read().decode()
        assert_clean(path, text)
        return text
