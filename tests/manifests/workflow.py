"""Runs the scripts of a workflow's job here, with programs that only note how they were called."""

import re
import shutil
import subprocess

# What the scripts may use as it is.
TOOLS = ("bash", "cat", "jq", "sed", "tee")

# Whoever writes to them finds a reader.
NOTE = """#!/bin/sh
cat >/dev/null
printf '%s\\0' {name} "$@" >>{calls}
printf '\\n' >>{calls}
{answer}
"""


class Machine:
    """A runner, with the variables that it sets, the value of each expression, and the answers of its programs in shell."""

    def __init__(self, directory, variables, context, answers):
        self.context = dict(context)
        self.summary = ""
        self._variables = variables
        self.work = directory / "work"
        self.work.mkdir()
        self._programs = directory / "bin"
        self._programs.mkdir()
        self._calls = directory / "calls"
        self._calls.touch()
        for tool in TOOLS:
            (self._programs / tool).symlink_to(shutil.which(tool))
        for name, answer in answers.items():
            program = self._programs / name
            program.write_text(NOTE.format(name=name, calls=self._calls, answer=answer))
            program.chmod(0o755)

    def calls(self, *start):
        """Each call that began like this, with its words."""
        calls = [call.split("\0") for call in self._calls.read_text().split("\0\n")[:-1]]
        return [call for call in calls if call[: len(start)] == list(start)]

    def shell(self, script, env=()):
        return subprocess.run(
            # As the runner does it for `shell: bash`.
            [self._programs / "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.work,
            env={"PATH": str(self._programs), **dict(env)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def job(self, workflow, name, only=()):
        """Runs the scripts of a job in turn, or those of the named steps, and says how the last one went."""
        job = workflow["jobs"][name]
        files = {variable: self.work.parent / variable for variable in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for step in job["steps"]:
            if "run" not in step or (only and step["name"] not in only):
                continue
            for file in files.values():
                file.write_text("")
            env = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
            env = {
                variable: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self.context[found[1]], value)
                for variable, value in env.items()
            }
            done = self.shell(step["run"], {**self._variables, **files, **env})
            if done.returncode != 0:
                break
            for line in files["GITHUB_OUTPUT"].read_text().splitlines():
                key, _, value = line.partition("=")
                self.context[f"steps.{step['id']}.outputs.{key}"] = value
            self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        return done
