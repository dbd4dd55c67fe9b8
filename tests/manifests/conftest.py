"""What the tests of deploy/ and examples/ share: the builds, and where custom resource definitions come from."""

import copy
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from charts import Charts
from lint import schema
from lint.build import DEPLOY, ROOT, build, documents, kustomizations, kustomize_command
from promtool import Promtool
from workloads import NAMESPACE, PROVIDER_CLASS, USES, config_map, every_workload, service_account
from workloads import built as built_from


@pytest.fixture(scope="session")
def kustomize():
    """Skips where nothing can build a kustomization."""
    if not kustomize_command():
        pytest.skip("needs kubectl or kustomize on the PATH to build what is in deploy/")


# Without those that bring no pod.
WORKLOADS = [path for path in kustomizations("Kustomization") if path not in (DEPLOY / "policy", DEPLOY / "monitoring")]


@pytest.fixture(params=WORKLOADS, ids=lambda path: str(path.relative_to(ROOT)))
def built(request, kustomize):
    """The documents of each kustomization of workloads in turn, newly parsed, so that a test may change them."""
    return documents(build(request.param))


@pytest.fixture
def seed(kustomize):
    """The documents of the seed scenario with all its uses, newly parsed."""
    return documents(build(DEPLOY / "seed"))


CASES = [(use, extra) for use in USES for extra in ((), ("csi",))]


@pytest.fixture(scope="session", params=CASES, ids=lambda case: "-".join((case[0], *case[1])))
def made(request, tmp_path_factory, kustomize):
    """A component, alone or with the volume, on all kinds of workloads: what went in and what came out."""
    use, extra = request.param
    docs = every_workload(use)
    beside = [config_map(use), service_account(), *([PROVIDER_CLASS] if extra else [])]
    directory = tmp_path_factory.mktemp(use) / "app"
    return use, extra, docs, built_from(directory, [*docs, *beside], (use, *extra), namespace=NAMESPACE)


@pytest.fixture
def case(made):
    """The same as a copy, which a test may change."""
    return copy.deepcopy(made)


@pytest.fixture(scope="session")
def charts(tmp_path_factory):
    """Skips where there is no Helm."""
    if not shutil.which("helm"):
        pytest.skip("needs helm on the PATH to render the charts in deploy/helm")
    return Charts(tmp_path_factory.mktemp("charts"))


@pytest.fixture
def promtool(tmp_path):
    """Skips where there is none."""
    if not shutil.which("promtool"):
        pytest.skip("needs promtool on the PATH to evaluate the alerts in deploy/monitoring")
    return Promtool(tmp_path)


@pytest.fixture(scope="session")
def custom_schemas():
    """The schemas of custom resources; the project has no copy of them."""
    return schema.definitions(_definitions_directory())


def _definitions_directory():
    named = os.environ.get("AKV_TEST_CRDS")
    if named:
        return _checked(Path(named))
    beside, fetched = ROOT.parent / "shared" / "schemas", ROOT / "target" / "crds"
    for directory in (beside, fetched):
        if _has_definitions(directory):
            return directory
    done = subprocess.run(
        [ROOT / "scripts" / "fetch-crds", fetched], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"no custom resource definitions: scripts/fetch-crds failed: {reason}")
    return _checked(fetched)


def _has_definitions(directory):
    names = ("*secretproviderclasses.yaml", "aadpodidentity.*.yaml", "*podmonitors.yaml", "*prometheusrules.yaml")
    return all(any(directory.glob(name)) for name in names)


def _checked(directory):
    assert _has_definitions(directory), (
        f"{directory} lacks definitions of SecretProviderClass, of AAD Pod Identity or of the Prometheus Operator"
    )
    return directory
