"""Apps with a Secret that the driver keeps: one that gets a variable of it, and one that follows a volume of it."""

import shutil

import pytest

from canaries import NEW, OLD
from demo_app import fingerprint, shown, wait_until_shown
from hardening import assert_hardened
from images import AGENT, ROOT, SHELL
from kubelet import Kubelet, Workload

DEPLOY = ROOT / "deploy"
IMAGES = {"install-akv-agent": AGENT, "app": SHELL}


@pytest.fixture
def start(pods, mount, tmp_path):
    """Starts a new pod of a Deployment beside the Secret, and gives its app. The Secret has what the volume has."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in deploy/")

    def start(kustomization, deployment, secret):
        pod = pods.create()
        secrets = {secret: mount.directory}
        workload = Workload(DEPLOY / kustomization, deployment)
        return Kubelet(pod, workload, tmp_path / pod.name, IMAGES, mount.directory, secrets).start()["app"]

    return start


def test_a_volume_of_the_secret_is_followed(start, mount):
    app = start("synced-secret/holder", "seed-synced", "seed-synced")
    wait_until_shown(app, OLD)
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(app, OLD, NEW)


@pytest.mark.parametrize(
    ("kustomization", "deployment", "secret"),
    [("synced-secret/in-pod", "seed-synced-in-pod", "seed-synced"), ("legacy/as-it-was", "legacy-as-it-was", "akv-synced")],
)  # fmt: skip
def test_a_variable_of_the_secret_is_new_in_a_new_pod_only(start, mount, kustomization, deployment, secret):
    app = start(kustomization, deployment, secret)
    wait_until_shown(app, OLD)
    assert_hardened(app)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(start(kustomization, deployment, secret), NEW)
    assert shown(app) == [fingerprint(OLD)]
