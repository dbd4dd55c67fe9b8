"""deploy/helm/example, as Helm renders it: its app gets a secret of the vault, and a new one, in two uses."""

import re
import shutil

import pytest

from canaries import NEW, OLD
from hardening import assert_hardened
from images import AGENT, APP, ROOT, SHELL
from kubelet import Kubelet, Workload
from sources import Vault
from waiting import eventually

HELM = ROOT / "deploy" / "helm"
# The vault that values.yaml names.
HOST = "myk8skv.vault.azure.net"
IMAGES = {"install-akv-agent": AGENT, "akv-agent": AGENT, "app": SHELL}


@pytest.fixture
def start(pods, tmp_path):
    """Starts the chart's pod in one use, with its vault beside it; gives the vault and the containers."""
    if not shutil.which("helm"):
        pytest.skip("needs helm to build what is in deploy/helm")

    def start(use, agent):
        workload = Workload(chart(tmp_path), build=("helm", "template", "demo", f"--set=akv-agent.use={use}"))
        pod = pods.create(share_pids=workload.spec.get("shareProcessNamespace", False))
        vault = Vault(pod, APP, tmp_path / "vault", {"db-password": OLD}, host=HOST)
        given = vault.settings() | {"AKV_AGENT_SPLAY": "0s"}
        # Which vault, and that it is one, is for the values to say.
        del given["AKV_AGENT_VAULT"], given["AKV_AGENT_VAULT_SUFFIXES"]
        kubelet = Kubelet(pod, workload, tmp_path / "volumes", IMAGES)
        return vault, kubelet.start(env={agent: given}, volumes={agent: [vault.volume, vault.hosts]})

    return start


def chart(directory):
    """A copy of the example with the library where `helm dependency update` puts it."""
    copy = directory / "example"
    fetched = shutil.ignore_patterns("charts", "Chart.lock")
    shutil.copytree(HELM / "example", copy, ignore=fetched)
    shutil.copytree(HELM / "akv-agent", copy / "charts" / "akv-agent")
    return copy


def wait_for_lengths(app, *values):
    """What the app got at each of its starts."""
    expected = [f"DB_PASSWORD has {len(value)} characters" for value in values]
    eventually(f"{len(expected)} lines", lambda: len(app.output().splitlines()) >= len(expected))
    assert app.output().splitlines() == expected


def test_exec_starts_the_app_anew_with_a_new_secret(start):
    vault, containers = start("exec", "app")
    app = containers["app"]
    wait_for_lengths(app, OLD)
    assert_hardened(app)
    vault.set("db-password", NEW)
    wait_for_lengths(app, OLD, NEW)


def test_a_native_sidecar_keeps_the_file_of_the_app_up_to_date(start):
    vault, containers = start("native-sidecar", "akv-agent")
    app, agent = containers["app"], containers["akv-agent"]
    wait_for_lengths(app, OLD)
    assert_hardened(app)
    assert_hardened(agent)
    vault.set("db-password", NEW)
    eventually("the new file", lambda: NEW in app.exec("cat", "/run/akv-agent/app.env").stdout)
