"""Every `az` command that a document or a comment under deploy/ or examples/ shows is one that the real az takes."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("deploy", "examples")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
FIRST = ROOT / "deploy/README.md"
VARIABLES = ROOT / "deploy/azure/README.md"
COMMENTED = [path for path in FILES if path.suffix in (".yaml", ".sh", ".bash", ".env", ".bicep")]

# What blocks may use beside the shell itself; all else in them is a stub or an error.
TOOLS = ("cat", "cut", "find", "mktemp", "rm", "sed", "sha256sum", "xargs")
STUBS = ("kubectl", "helm", "podman", "grep", "openssl", "curl", "mvn")

# Names of images that no cluster can pull.
NOT_PULLED = re.compile(r"ghcr\.io/akv-agent/akv-agent:|example\.azurecr\.io/")

NOTE = """#!{shell}
printf '%s\\0' "$@" >>"$CALLS"
printf '\\n' >>"$CALLS"
echo answer
"""


def name(path):
    return str(path.relative_to(ROOT))


def blocks(text):
    """The shell commands of a document, in its order."""
    for indent, kind, body in re.findall(r"^( *)```(\w+)\n(.*?)^ *```", text, re.M | re.S):
        body = re.sub(rf"(?m)^{indent}", "", body)
        if kind in ("bash", "sh"):
            yield body
        elif kind == "console":
            yield "".join(line[2:] + "\n" for line in body.splitlines() if line.startswith("$ "))


def variables():
    """What a reader has set in a new shell, before any document but the first."""
    section = re.search(r"(?ms)^## The variables of the other documents\n(.*?)^## ", VARIABLES.read_text())[1]
    return re.findall(r"(?m)^(\w+)=", "".join(blocks(section)))


def commands_of(document, shell):
    """What a document gives to az. It is an error to use a variable that neither it nor that section sets."""
    text = "".join(blocks(document.read_text()))
    if document != FIRST:
        text = "".join(f"{variable}=x\n" for variable in variables()) + text
    return shell.commands(text)


def mentions(text):
    """Commands in running text, which may be cut short."""
    prose = re.sub(r"^ *```\w+\n.*?^ *```", "", text, flags=re.M | re.S)
    for span in re.findall(r"`(az [^`]+)`", prose):
        yield shlex.split(span)[1:]


def commented(text):
    """Commands at the end of a comment."""
    for command in re.findall(r"(?m)^\s*(?:#|//).*?[:,] (az [a-z][^\n;]*)$", text):
        yield shlex.split(command)[1:]


class Shell:
    def __init__(self, directory):
        self._directory = directory
        self._calls = directory / "calls"
        programs = directory / "bin"
        programs.mkdir()
        for tool in TOOLS:
            (programs / tool).symlink_to(shutil.which(tool))
        for stub in STUBS:
            (programs / stub).write_text("#!/bin/sh\n")
        (programs / "az").write_text(NOTE.format(shell=shutil.which("sh")))
        for stub in (*STUBS, "az"):
            (programs / stub).chmod(0o755)
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, directory / folder)
        # These have tests of their own.
        for script in ("deploy/azure/azure.sh", "examples/postgresql/rotate.sh"):
            (directory / script).write_text("#!/bin/sh\n")

    def manifests(self):
        """What kustomize reads in the copy that the commands work on."""
        return [path.read_text() for folder in FOLDERS for path in (self._directory / folder).rglob("*.yaml")]

    def commands(self, text):
        self._calls.write_text("")
        env = {"PATH": str(self._directory / "bin"), "CALLS": str(self._calls), "HOME": str(self._directory)}
        done = subprocess.run(
            [shutil.which("bash"), "-eu", "-c", text],
            cwd=self._directory,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [call.split("\0") for call in self._calls.read_text().split("\0\n")[:-1]]


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_the_blocks_of_a_document_run_and_az_takes_their_commands(document, shell, az_parser):
    assert az_parser.problems(commands_of(document, shell)) == {}


def test_the_variables_for_a_new_shell_are_those_of_the_first_document():
    set_there = re.findall(r"(?m)^(\w+)=", "".join(blocks(FIRST.read_text())))
    assert "REGISTRY" in variables() and set(variables()) <= set(set_there)


def test_running_text_uses_no_other_variables():
    for document in DOCUMENTS:
        prose = re.sub(r"^ *```\w+\n.*?^ *```", "", document.read_text(), flags=re.M | re.S)
        used = {name for span in re.findall(r"`([^`]+)`", prose) for name in re.findall(r"\$([A-Z][A-Z_]+)", span)}
        own = re.findall(r"(?m)^(\w+)=", "".join(blocks(document.read_text())))
        assert used <= {*variables(), *own}, name(document)


def test_az_takes_the_commands_of_a_rotation(shell, az_parser):
    answers = """
        KV=x
        az() { command az "$@" >/dev/null; echo '{"username":"orders_a"}'; }
        kubectl() { echo 0; }
        setsid() { cat >/dev/null; }
    """
    commands = shell.commands(answers + (ROOT / "examples/postgresql/rotate.sh").read_text())
    assert [command[:3] for command in commands] == [["keyvault", "secret", "show"], ["keyvault", "secret", "set"]]
    assert az_parser.problems(commands) == {}


def test_the_registry_reaches_every_manifest(shell):
    registry = re.search(r"(?m)^ACR=(\w+)", FIRST.read_text())[1] + ".azurecr.io"
    before = shell.manifests()
    assert any(NOT_PULLED.search(text) for text in before) and not any(registry in text for text in before)
    commands_of(FIRST, shell)
    assert not any(NOT_PULLED.search(text) for text in shell.manifests())
    agents = sum(text.count("ghcr.io/akv-agent/akv-agent:") for text in before)
    assert sum(text.count(f"{registry}/akv-agent:") for text in shell.manifests()) == agents


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_command_shows_the_value_that_it_sets(document, shell):
    setting = [call for call in commands_of(document, shell) if call[:3] == ["keyvault", "secret", "set"]]
    # az prints the whole secret, unless it is told not to.
    assert [call for call in setting if call[-2:] != ["--output", "none"]] == []


def test_settings_that_are_no_references_are_only_named(shell, azure_python):
    """Their values may be secrets, and the file that the settings go to is in git."""
    settings = {
        "SIGNING_KEY": "@Microsoft.KeyVault(VaultName=v;SecretName=signing-key)",
        "AzureWebJobsStorage": "AccountName=x;AccountKey=secret",
        "SHOP_REGION": "northeurope",
        "EMPTY": "",
    }
    answer = [{"name": name, "slotSetting": False, "value": value} for name, value in settings.items()]
    apply = "import json, jmespath, sys; print(json.dumps(jmespath.search(sys.argv[1], json.loads(sys.argv[2]))))"

    def selected(command):
        query = command[command.index("--query") + 1]
        done = subprocess.run([azure_python, "-c", apply, query, json.dumps(answer)], capture_output=True, check=True)
        return json.loads(done.stdout)

    commands = commands_of(ROOT / "examples/app-service-references/README.md", shell)
    listing = [command for command in commands if command[:4] == ["webapp", "config", "appsettings", "list"]]
    references = [f"SIGNING_KEY={settings['SIGNING_KEY']}"]
    assert [selected(command) for command in listing] == [references, ["AzureWebJobsStorage", "SHOP_REGION", "EMPTY"]]


def test_blocks_with_az_are_found(shell):
    commands = [call for document in DOCUMENTS for call in commands_of(document, shell)]
    assert ["group", "create"] in [call[:2] for call in commands]
    assert len(commands) > 10


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_az_knows_the_commands_in_running_text(document, az_parser):
    assert az_parser.problems(mentions(document.read_text()), complete=False) == {}


@pytest.mark.parametrize("path", COMMENTED, ids=name)
def test_az_knows_the_commands_in_comments(path, az_parser):
    assert az_parser.problems(commented(path.read_text()), complete=False) == {}


def test_mentions_and_comments_are_found():
    readme = (ROOT / "deploy/README.md").read_text()
    assert ["keyvault", "secret", "set"] in list(mentions(readme))
    assert ["account", "show", "--query", "tenantId"] in list(
        commented((ROOT / "deploy/seed/base/azure.env").read_text())
    )


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("aks crate --name x", "no such command"),
        ("aks create --name x", "--resource-group"),
        ("aks create --resource-group x --name y --enable-secret-rotations", "unrecognized"),
        ("keyvault create --resource-group x --name y --enable-rbac-authorization maybe", "maybe"),
        ("aks show --resource-group x --name y --query [?", "jmespath"),
        ("role assignment create --role x --scope y --description z", "preview"),
    ],
)
def test_what_az_refuses_is_found(az_parser, command, problem):
    assert problem in az_parser.problem(command.split())


def test_what_is_only_mentioned_may_be_incomplete(az_parser):
    assert az_parser.problem(["aks", "show"], complete=False) is None
    assert az_parser.problem(["aks", "show", "--named", "x"], complete=False)


def test_each_command_is_recorded_with_its_words(shell):
    assert shell.commands("az one 'two three'\naz four \"$(az five)\"\n") == [
        ["one", "two three"],
        ["five"],
        ["four", "answer"],
    ]


def test_a_program_that_a_document_must_not_use_is_an_error(shell):
    with pytest.raises(AssertionError, match="not found"):
        shell.commands("wget https://example.com\n")
