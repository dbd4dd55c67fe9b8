"""examples/app-service-references: settings as App Service had them, resolved in place."""

import hashlib
import re
import shutil

import pytest

from canaries import NEW, NEW_KEY, OLD, OLD_KEY
from hardening import assert_hardened
from images import AGENT, APP, ROOT, SHELL
from kubelet import Kubelet, Workload
from sources import Vault
from waiting import eventually

# The vault that the settings name.
HOST = "myk8skv.vault.azure.net"
PINNED = "0123456789abcdef0123456789abcdef"
IMAGES = {"install-akv-agent": AGENT, "app": SHELL}
# The order in which the app shows them.
NAMES = ("PARTNER_API_KEY", "SIGNING_KEY", "ARCHIVE_KEY")
SOON = {"AKV_AGENT_POLL_INTERVAL": "1s", "AKV_AGENT_SPLAY": "0s"}


@pytest.fixture
def workload():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in examples/")
    return Workload(ROOT / "examples" / "app-service-references")


@pytest.fixture
def pod(pods):
    return pods.create()


@pytest.fixture
def vault(pod, tmp_path):
    return Vault(pod, APP, tmp_path / "vault", {"partner-api-key": OLD_KEY, "signing-key": OLD}, host=HOST)


def start(pod, workload, vault, directory, **settings):
    """The example, whose agent trusts the vault's certificate and has an identity from its token endpoint."""
    trust = vault.settings()
    # Which vault, and that it is one, is for the references to say.
    del trust["AKV_AGENT_VAULT"], trust["AKV_AGENT_VAULT_SUFFIXES"]
    kubelet = Kubelet(pod, workload, directory / "volumes", IMAGES)
    return kubelet.start(env={"app": trust | SOON | settings}, volumes={"app": [vault.volume, vault.hosts]})["app"]


def lines(*values):
    """What the app shows at a start with these values."""
    shown = [
        f"{name}: {len(value)} characters, fingerprint {hashlib.sha256(value.encode()).hexdigest()[:12]}"
        for name, value in zip(NAMES, values, strict=True)
    ]
    return ["SHOP_REGION: northeurope", *shown]


def wait_for_lines(app, expected):
    eventually(f"{len(expected)} lines", lambda: len(app.output().splitlines()) >= len(expected))
    assert app.output().splitlines() == expected


def test_references_follow_rotation_by_a_restart_except_a_pinned_version(pod, workload, vault, tmp_path):
    settings = workload.config_map("app-settings")
    # Each vault gives its versions ids of its own; nothing else of the settings is touched.
    assert settings["ARCHIVE_KEY"].count(PINNED) == 1
    version = vault.set("archive-key", OLD_KEY).rpartition("/")[2]
    settings["ARCHIVE_KEY"] = settings["ARCHIVE_KEY"].replace(PINNED, version)
    app = start(pod, workload, vault, tmp_path)
    expected = lines(OLD_KEY, OLD, OLD_KEY)
    wait_for_lines(app, expected)
    assert_hardened(app)

    vault.set("archive-key", NEW_KEY)
    vault.set("partner-api-key", NEW_KEY)
    expected += lines(NEW_KEY, OLD, OLD_KEY)
    wait_for_lines(app, expected)
    vault.set("signing-key", NEW)
    expected += lines(NEW_KEY, NEW, OLD_KEY)
    wait_for_lines(app, expected)

    app.signal("TERM")
    assert app.exit_code() == 0
    # Two rotations, two restarts: the third secret had a new version, too, and nobody was restarted for it.
    assert app.output().splitlines() == expected


def test_a_reference_to_what_is_not_there_is_named(pod, workload, vault, tmp_path):
    app = start(pod, workload, vault, tmp_path, AKV_AGENT_TIMEOUT="3s")
    assert app.exit_code() == 125
    [reason] = [line for line in app.errors().splitlines() if "ARCHIVE_KEY" in line][-1:]
    assert "archive-key" in reason
    assert app.output() == ""


def test_a_reference_that_is_misspelt_is_named_at_once(pod, workload, vault, tmp_path):
    workload.config_map("app-settings")["SIGNING_KEY"] = "@Microsoft.KeyVault(VaultName=myk8skv;Secret=signing-key)"
    app = start(pod, workload, vault, tmp_path)
    assert app.exit_code() == 125
    assert re.search("SIGNING_KEY: .*Secret", app.errors()), app.errors()
    assert app.output() == ""
