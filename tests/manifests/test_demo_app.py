"""The app of the seed scenario does what the README says one will observe.

It runs as it does in its container: by its own path, from the text of its ConfigMap.
"""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lint.pod import pods

OLD, NEW = "This message is secret! Do NOT share!", "it's \"new\" $HOME `id`"
PATIENCE = 20


@pytest.fixture
def app(seed, tmp_path):
    """Starts the app, with its output in a file, and ends it after the test."""
    config_map = next(doc for doc in seed if doc["metadata"]["name"].startswith("demo-app-"))
    path = tmp_path / "demo-app"
    path.write_text(config_map["data"]["demo-app"])
    path.chmod(0o555)
    running = []

    def start(**env):
        output = tmp_path / "output"
        with output.open("wb") as file:
            # A shell cannot trap what was ignored when it was started, as SIGHUP is below nohup.
            process = subprocess.Popen(
                [path],
                env={"PATH": os.environ["PATH"], **env},
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            )
        running.append(process)
        return process, output

    yield start
    for process in running:
        process.kill()
        process.wait(PATIENCE)


def line(name, value):
    return f"{name}: {len(value)} characters, fingerprint {hashlib.sha256(value.encode()).hexdigest()[:12]}\n"


def wait_for(text, output, process):
    deadline = time.monotonic() + PATIENCE
    while text not in (seen := output.read_text()):
        assert process.poll() is None and time.monotonic() < deadline, f"no {text!r} in {seen!r}"
        time.sleep(0.01)
    return seen


def write_env_file(path, **values):
    """As the agent does: complete beside the target, then renamed."""
    quoted = {name: value.replace("'", "'\\''") for name, value in values.items()}
    new = path.with_suffix(".new")
    new.write_text("".join(f"{name}='{value}'\n" for name, value in quoted.items()))
    new.rename(path)


def test_reads_the_env_file_at_start_and_on_sighup(app, tmp_path):
    env_file = tmp_path / "app.env"
    write_env_file(env_file, SECRET=OLD, SECRET_MOUNTED=OLD)
    process, output = app(ENV_FILE=str(env_file))
    wait_for(line("SECRET_MOUNTED", OLD), output, process)

    write_env_file(env_file, SECRET=NEW, SECRET_MOUNTED=OLD)
    process.send_signal(signal.SIGHUP)

    seen = wait_for(line("SECRET", NEW), output, process)
    assert line("SECRET", OLD) in seen
    assert OLD not in seen and NEW not in seen


def test_has_the_process_name_that_the_sidecar_looks_for(app, seed):
    targets = {
        item["value"]
        for pod in pods(seed)
        for container in pod.containers
        for item in container.spec.get("env") or []
        if item["name"] == "AKV_AGENT_TARGET"
    }
    process, output = app(SECRET=OLD)
    wait_for(line("SECRET", OLD), output, process)
    name = Path(f"/proc/{process.pid}/comm").read_text().strip()
    assert targets == {f"process:{name}"}


def test_stops_at_once_when_told(app):
    process, output = app(SECRET=OLD)
    wait_for(line("SECRET", OLD), output, process)
    process.terminate()
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("env", [{}, {"SECRET": ""}, {"ENV_FILE": "/nonexistent/app.env"}])
def test_fails_without_a_secret(app, env):
    process, _ = app(**env)
    assert process.wait(PATIENCE) not in (0, None)
