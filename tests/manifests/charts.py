"""The charts under deploy/helm, rendered by Helm without a cluster."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from lint.build import DEPLOY, ROOT, documents

CHARTS = DEPLOY / "helm"
OF_THE_TESTS = Path(__file__).parent / "helm"
# What Helm fetches for a chart.
FETCHED = shutil.ignore_patterns("charts", "Chart.lock")
LIBRARY = CHARTS / "akv-agent"
VALUES_SCHEMA = LIBRARY / "values.schema.json"
CONFIGURATION_SCHEMA = ROOT / "src" / "config" / "schema.json"
# What is generated is written anew by the tests that compare it.
WRITE = bool(os.environ.get("AKV_TEST_WRITE_SNAPSHOTS"))
RELEASE, NAMESPACE = "shop", "shop"
KUBERNETES = "1.37.0"
# Under which key the values of a library chart are.
OURS = "akv-agent"


class Refused(AssertionError):
    """What Helm said, on one line."""


class Charts:
    """A copy of the charts, with the library put into the example as its user does."""

    def __init__(self, directory):
        self.directory = directory
        for charts in (CHARTS, OF_THE_TESTS):
            shutil.copytree(charts, directory / "helm", ignore=FETCHED, dirs_exist_ok=True)
        homes = {name: str(directory / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(directory),
            **{f"HELM_{name}_HOME": path for name, path in homes.items()},
        }  # fmt: skip
        for chart in (self.example, self.two_agents):
            self.run("dependency", "update", chart)

    @property
    def example(self):
        return self.directory / "helm" / "example"

    @property
    def two_agents(self):
        return self.directory / "helm" / "two-agents"

    @property
    def library(self):
        return self.directory / "helm" / "akv-agent"

    def run(self, *arguments):
        """What Helm prints."""
        done = subprocess.run(
            ["helm", *map(str, arguments)], env=self._environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Refused(" ".join((done.stderr + done.stdout).split()))
        return done.stdout

    def text(self, *options, agent=None, kubernetes=KUBERNETES, chart=None, **values):
        """What `helm install` would send, with these values over the example's own."""
        file = self.directory / "values.yaml"
        file.write_text(yaml.safe_dump({**values, OURS: agent or {}}))
        return self.run(
            "template", RELEASE, chart or self.example, f"--namespace={NAMESPACE}", f"--kube-version={kubernetes}",
            "--values", file, *options,
        )  # fmt: skip

    def documents(self, *options, **values):
        return documents(self.text(*options, **values))


def generated_schema():
    """The schema of the values as it has to be: with the one of the agent's configuration in it."""
    schema = json.loads(VALUES_SCHEMA.read_text())
    # An identifier of its own makes its references stay within it.
    configuration = {"$id": "https://github.com/akv-agent/akv-agent/configuration.json"}
    schema["$defs"]["configuration"] = configuration | json.loads(CONFIGURATION_SCHEMA.read_text())
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def compare(file, text):
    """Compares a generated file with what it has to be, or writes it."""
    if WRITE:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.exists(), f"{file} is missing; AKV_TEST_WRITE_SNAPSHOTS=1 writes it"
    assert file.read_text() == text, f"{file.name} is out of date; AKV_TEST_WRITE_SNAPSHOTS=1 writes it anew"
