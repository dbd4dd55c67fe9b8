"""deploy/synced-secret/holder: an app follows a Secret that the driver keeps, without driver, vault or identity of its own."""

import shutil

import pytest

from canaries import NEW, OLD
from demo_app import wait_until_shown
from hardening import assert_hardened
from images import AGENT, ROOT, SHELL
from kubelet import Kubelet, Workload

HOLDER = ROOT / "deploy" / "synced-secret" / "holder"


def test_a_volume_of_the_secret_is_followed(pods, mount, tmp_path):
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in deploy/synced-secret")
    images = {"install-akv-agent": AGENT, "app": SHELL}
    workload = Workload(HOLDER, "seed-synced")
    app = Kubelet(pods.create(), workload, tmp_path / "volumes", images, csi=mount.directory).start()["app"]
    wait_until_shown(app, OLD)
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(app, OLD, NEW)
