"""The vaults of the session, each with what a test starts beside them."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "pods"))
# Before they are imported, so that their assertions too show what was compared.
pytest.register_assert_rewrite("agent", "backends", "canary")

import network
from agent import TEST_APP, Agent, App
from backends import BACKENDS, DevVault, Unavailable
from canary import assert_clean

FOREIGN = ("AZURE_", "IDENTITY_", "MSI_")


def unavailable(reason):
    """Skips, but not in CI, where a machine that cannot run these tests is the wrong one."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def own_network(tmp_path_factory):
    """Moves this process into a network of its own, and rids it of what would lead elsewhere."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower().endswith("_proxy"):
            del os.environ[name]
    hosts = {backend.address: backend.hosts() for backend in BACKENDS.values()}
    try:
        network.enter(hosts, tmp_path_factory.mktemp("network"))
    except OSError as error:
        return f"no network of our own: {error}"
    return None


@pytest.fixture(scope="session")
def dev_vault(own_network, tmp_path_factory):
    """One of the vaults, and for all of them the Entra that gives tokens."""
    if own_network:
        unavailable(own_network)
    if not TEST_APP.is_file():
        unavailable("AKV_AGENT_BIN must name the agent, beside which test-app was built")
    dev_vault = DevVault(tmp_path_factory.mktemp(DevVault.name))
    try:
        dev_vault.start()
        yield dev_vault
        dev_vault.expect_end()
    finally:
        dev_vault.stop()


@pytest.fixture(scope="session", params=BACKENDS.values(), ids=BACKENDS.keys())
def backend(request, dev_vault, tmp_path_factory):
    """Runs while its tests do; they share it, so each uses names of its own."""
    if request.param is DevVault:
        yield dev_vault
        return
    backend = request.param(tmp_path_factory.mktemp(request.param.name))
    try:
        backend.start()
    except Unavailable as reason:
        # A repository that does not have the other vault says nothing about the agent. Who names a jar means it.
        if os.environ.get("LOWKEY_VAULT_REQUIRED") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    else:
        yield backend
        backend.expect_end()
    finally:
        backend.stop()


class Scene:
    """What one test works with: names that nobody else uses, and processes that end with it."""

    def __init__(self, backend, entra, directory, name):
        self.backend = backend
        self._directory = directory
        self._identity = entra.workload_identity()
        self._trusted = self.file("ca.pem", entra.ca_file.read_text() + backend.ca_file.read_text())
        self._name = name
        self._processes = []

    def name(self, label="secret") -> str:
        """The name of a secret."""
        return f"{self._name}-{label}"

    def write(self, value, label="secret", vault="one", **attributes):
        """Sets a secret as anybody would; gives its version."""
        written = self.backend.client(vault).set_secret(self.name(label), value, **attributes)
        return written.properties.version

    def agent(self, use, env, program=(), **variables) -> Agent:
        """Starts an agent; `env` has the reference of each variable."""
        settings = self.backend.variables() | self._identity
        settings["AKV_AGENT_CA_FILE"] = str(self._trusted)
        settings["AKV_AGENT_ENV"] = "\n".join(f"{name}={reference}" for name, reference in env.items())
        settings |= variables
        return self._add(Agent(use, f"{use}-{len(self._processes)}", self._directory, settings, program))

    def managed(self, variables) -> dict[str, str]:
        """Settings that put a managed identity in place of the usual one."""
        return dict.fromkeys(self._identity, "") | variables

    def init(self, env, **variables) -> Agent:
        """Runs `init`, which must succeed."""
        agent = self.agent("init", env, **variables)
        assert agent.wait() == 0, agent.err()
        return agent

    def sidecar(self, env, **variables) -> Agent:
        """Starts a sidecar and waits for its first set."""
        agent = self.agent("sidecar", env, **variables)
        agent.wait_until_ready()
        return agent

    def file(self, name, text) -> Path:
        path = self._directory / name
        path.write_text(text)
        return path

    def app(self) -> App:
        return self._add(App(f"app-{len(self._processes)}", self._directory))

    def _add(self, process):
        self._processes.append(process)
        return process

    def close(self):
        for process in self._processes:
            process.kill()
        for process in self._processes:
            assert_clean(f"standard error of {process.name}", process.err())

    def describe(self) -> str:
        return "\n".join(f"== {process.name}\n{process.err()}" for process in self._processes)


@pytest.fixture
def scene(backend, dev_vault, request, tmp_path):
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    variant = "".join(f"-{index}" for index in request.node.callspec.indices.values())
    scene = Scene(backend, dev_vault, tmp_path, name + variant)
    yield scene
    scene.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Puts the scene beside a failure: what every process said."""
    report = yield
    scene = item.funcargs.get("scene")
    if report.failed and scene and call.when == "call":
        report.sections.append(("standard error of the processes", scene.describe()))
    return report
