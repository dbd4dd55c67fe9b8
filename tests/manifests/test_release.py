"""The way to a release: workflows that run, with no more rights than they need, and one version everywhere."""

import json
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from lint.build import DEPLOY, ROOT, documents
from workflow import Machine

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# What a job may be given beyond reading, and which one is.
WRITES = {
    ("platform", "packages"), ("image", "packages"), ("image", "id-token"), ("image", "attestations"),
    ("chart", "packages"), ("chart", "id-token"),
    ("release", "contents"), ("release", "id-token"), ("release", "attestations"),
}  # fmt: skip
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]

# A runner of a release: what it sets by itself, and what the workflow asks it for.
REPOSITORY = "akv-agent/akv-agent"
VARIABLES = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_ACTOR": "somebody", "GITHUB_SHA": "c0ffee"}
CONTEXT = {
    "github.repository": REPOSITORY,
    "github.repository_owner": "akv-agent",
    "github.server_url": "https://github.com",
    "github.workflow_ref": f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/v{VERSION}",
    "github.token": "token",
    "matrix.platform": "amd64",
    "needs.version.outputs.version": VERSION,
    "needs.version.outputs.build-image": "registry.example/rust@sha256:c0de",
}

each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def parsed(path):
    [workflow] = documents(path.read_text())
    # YAML 1.1 reads the key `on` as true.
    workflow["on"] = workflow.pop(True)
    return workflow


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def test_actionlint_has_nothing_to_say():
    assert {path.stem for path in WORKFLOWS} == {"ci", "release", "advisories"}
    if not shutil.which("actionlint"):
        pytest.skip("needs actionlint on the PATH")
    done = subprocess.run(["actionlint", *WORKFLOWS], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_actionlint_finds_what_is_wrong(tmp_path):
    if not shutil.which("actionlint"):
        pytest.skip("needs actionlint on the PATH")
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    for right, wrong in (("runs-on:", "run-on:"), ("matrix.platform", "matrix.platfrom"), ("contents: read", "content: read")):
        file = tmp_path / "ci.yml"
        file.write_text(text.replace(right, wrong))
        assert subprocess.run(["actionlint", file], capture_output=True, timeout=120, check=False).returncode == 1, wrong


@each
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path):
    used = re.findall(r"^ +(?:- )?uses: +(.*)$", path.read_text(), re.M)
    assert used
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml", line), line


def test_an_action_has_one_commit():
    used = {
        tuple(line.split("@"))
        for path in WORKFLOWS
        for line in re.findall(r"uses: +(\S+@.*)$", path.read_text(), re.M)
    }
    assert len({action for action, _ in used}) == len(used)


@each
def test_a_job_may_do_what_it_must_and_no_more(path):
    workflow = parsed(path)
    assert workflow["permissions"] == ({} if path.stem == "release" else {"contents": "read"})
    granted = {
        (name, what)
        for name, job in workflow["jobs"].items()
        for what, level in job.get("permissions", {}).items()
        if level != "read"
    }
    assert granted == (WRITES if path.stem == "release" else set())
    # Where it would run with the rights of this repository on the code of others.
    assert "pull_request_target" not in workflow["on"]


@each
def test_a_step_leaves_no_token_behind_and_ends_in_time(path):
    workflow = parsed(path)
    for name, job in workflow["jobs"].items():
        assert "uses" in job or "timeout-minutes" in job, name
    for step in steps(workflow):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        # What GitHub puts into the text of a script is run as part of it.
        assert "${{" not in step.get("run", ""), step["name"]


@each
def test_a_command_that_fails_in_a_pipeline_fails_the_step(path):
    workflow = parsed(path)
    # What GitHub takes if nothing is said does not set pipefail.
    assert workflow["defaults"] == {"run": {"shell": "bash"}}
    for place in (*workflow["jobs"].values(), *steps(workflow)):
        assert "shell" not in place and "defaults" not in place


def test_nothing_is_published_before_the_checks_have_passed():
    jobs = parsed(ROOT / ".github" / "workflows" / "release.yml")["jobs"]

    def before(name):
        needs = jobs[name].get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        return set(needs).union(*map(before, needs))

    for name in {job for job, _ in WRITES}:
        assert {"version", "ci"} <= before(name), name
    assert {"image", "chart"} <= before("release")


def manifest(name, architecture, os="linux", **more):
    return {"digest": f"sha256:{name}", "platform": {"architecture": architecture, "os": os, **more}}


# As it is after the indexes of two builds were put together: with what each states about its own.
INDEX = [
    manifest("amd64", "amd64"),
    manifest("about-amd64", "unknown", "unknown"),
    manifest("arm64", "arm64", variant="v8"),
    manifest("about-arm64", "unknown", "unknown"),
]


@pytest.fixture
def machine(tmp_path):
    """Runs a job of the release, against a registry with an index of these manifests."""
    if not shutil.which("jq"):
        pytest.skip("needs jq on the PATH")
    release = parsed(ROOT / ".github" / "workflows" / "release.yml")

    def run(job, manifests=INDEX, only=()):
        index = json.dumps({"manifests": manifests})
        docker = f"""
            case "$*" in
            *' --raw '*) echo '{index}' ;;
            *' inspect '*) echo '{{"digest": "sha256:of-the-tag"}}' ;;
            *' build '*) echo '{{"containerimage.digest": "sha256:of-the-build"}}' >metadata.json ;;
            esac"""
        answers = {"docker": docker, "cosign": "", "gh": "", "git": "echo 1", "helm": "echo 'Digest: sha256:of-the-chart'"}
        root = tmp_path / job
        root.mkdir()
        machine = Machine(root, VARIABLES, CONTEXT, answers)
        # What the jobs before have left, and what is checked out.
        for platform in ("amd64", "arm64"):
            (machine.work / f"digest-{platform}").write_text(f"sha256:index-of-{platform}\n")
        (machine.work / "out").mkdir()
        shutil.copy(ROOT / "Dockerfile", machine.work)
        return machine, machine.job(release, job, only)

    return run


def test_a_list_of_contents_is_attested_to_the_platform_that_users_find(machine):
    there, done = machine("image")
    assert done.returncode == 0, done.stderr
    attested = {call[-1]: call[call.index("--predicate") + 1] for call in there.calls("cosign", "attest")}
    assert attested == {
        f"ghcr.io/{REPOSITORY}@sha256:{platform}": f"akv-agent-{VERSION}-linux-{platform}.cdx.json"
        for platform in ("amd64", "arm64")
    }


@pytest.mark.parametrize(
    ("manifests", "found"),
    [(INDEX[:2], "0 manifests for linux/arm64"), ([*INDEX, INDEX[0]], "2 manifests for linux/amd64")],
)
def test_without_exactly_one_manifest_of_a_platform_nothing_is_signed(machine, manifests, found):
    there, done = machine("image", manifests)
    assert done.returncode != 0 and found in done.stderr
    assert there.calls("cosign") == []


def test_the_release_checks_what_it_signed_as_everybody_is_told_to(machine):
    [told] = re.findall(r"```bash\n(IMAGE=.*?)```", (ROOT / "RELEASING.md").read_text(), re.S)
    there, _ = machine("image")
    checks = [call for call in there.calls() if call[0] in ("cosign", "gh")]
    chart, _ = machine("chart", only=("Push, sign and check",))
    checks += chart.calls("cosign")
    [verified] = chart.calls("cosign", "verify")
    assert verified == chart.calls("cosign")[-1]

    before = len(there.calls())
    done = there.shell(told.replace("0.2.0", VERSION))
    assert done.returncode == 0, done.stderr
    asked = [call for call in there.calls()[before:] if call[0] != "docker"]
    assert [call[:2] for call in asked] == [
        ["cosign", "verify"], ["cosign", "verify"], ["gh", "attestation"], ["cosign", "verify-attestation"],
    ]  # fmt: skip
    assert [call for call in asked if call not in checks] == []


def test_what_is_checked_is_all_that_was_signed(machine):
    there, _ = machine("image")
    checked = {call[-1] for call in there.calls("cosign", "verify-attestation")}
    assert checked == {call[-1] for call in there.calls("cosign", "attest")}
    # After the last signature, since that is what users find.
    steps = parsed(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["image"]["steps"]
    assert steps[-1]["name"] == "Check what was signed"


def test_all_platforms_are_built_in_one_image_which_is_named(machine):
    there, done = machine("version", only=("Look up the image with the compiler",))
    assert done.returncode == 0, done.stderr
    [tag] = re.findall(r"^ARG BUILD_IMAGE=(.*)$", (ROOT / "Dockerfile").read_text(), re.M)
    image = f"{tag}@sha256:of-the-tag"
    assert there.context["steps.compiler.outputs.build-image"] == image
    assert image in there.summary
    outputs = parsed(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["version"]["outputs"]
    assert outputs["build-image"] == "${{ steps.compiler.outputs.build-image }}"

    there, done = machine("platform", only=("Build and push",))
    assert done.returncode == 0, done.stderr
    [build] = there.calls("docker", "buildx", "build")
    assert f"BUILD_IMAGE={CONTEXT['needs.version.outputs.build-image']}" in build


@pytest.fixture
def copy(tmp_path):
    """A copy of what the scripts of a release look at."""
    left_out = shutil.ignore_patterns(".git", ".venv", "target", "node_modules", "__pycache__")
    root = tmp_path / "checkout"
    shutil.copytree(ROOT, root, ignore=left_out, symlinks=True)

    def run(script, *arguments):
        return subprocess.run(
            [root / "scripts" / script, *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    return root, run


def versions(root):
    """Every version of the agent that is named, by file."""
    named = {}
    for path in (root / "Dockerfile", root / "README.md", *(root / "deploy").rglob("*")):
        if path.is_file():
            found = re.findall(
                r"(?:akv-agent:|\?ref=v|newTag: |^version: |^    version: |^appVersion: |^  tag: |image\.version=\")(\d+\.\d+\.\d+)",
                path.read_text(), re.M,
            )  # fmt: skip
            if found:
                named[str(path.relative_to(root))] = set(found)
    return named


def test_everything_names_one_version():
    named = versions(ROOT)
    assert {"Dockerfile", "deploy/policy/inject.yaml", "deploy/helm/akv-agent/Chart.yaml"} <= named.keys()
    assert {file: found for file, found in named.items() if found != {VERSION}} == {}


def test_a_new_version_reaches_every_place(copy):
    root, run = copy
    before = versions(root)
    done = run("set-version", "9.8.7")
    assert done.returncode == 0, done.stderr
    assert versions(root) == {file: {"9.8.7"} for file in before}
    assert tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"] == "9.8.7"
    locked = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    assert {package["version"] for package in locked if package["name"] == "akv-agent"} == {"9.8.7"}


@pytest.mark.parametrize("wrong", ["", "v1.0.0", "1.0", "1.0.0; true"])
def test_what_is_no_version_is_refused(copy, wrong):
    root, run = copy
    before = versions(root)
    assert run("set-version", wrong).returncode == 1
    assert versions(root) == before


def test_the_notes_are_the_versions_part_of_the_changelog(copy):
    root, run = copy
    changelog = root / "CHANGELOG.md"
    assert run("release-notes", f"v{VERSION}").returncode == 1
    changelog.write_text(f"# Changelog\n\n## Unreleased\n\n- later\n\n## {VERSION} - 2030-01-01\n\n- now\n\n## 0.0.1\n\n- before\n")
    done = run("release-notes", f"v{VERSION}")
    assert (done.returncode, done.stdout.strip()) == (0, "- now")
    for wrong in (VERSION, f"v{VERSION}0", "v9.9.9", ""):
        assert run("release-notes", wrong).returncode == 1, wrong


def test_the_list_of_contents_is_that_of_the_agent_and_says_not_where_it_was_made(copy, monkeypatch):
    monkeypatch.delenv("CARGO_TARGET_DIR", raising=False)
    root, run = copy
    version = re.search(r"^cyclonedx=(.*)$", (root / "scripts" / "sbom").read_text(), re.M)[1]
    command = root / f"target/tools/cargo-cyclonedx-{version}/bin/cargo-cyclonedx"
    command.parent.mkdir(parents=True)
    # One list beside each Cargo.toml, with paths in it, as the real one makes them.
    command.write_text(
        "#!/bin/sh\n"
        "for folder in . dev-vault; do\n"
        '    echo "path+file://$PWD#$folder at $SOURCE_DATE_EPOCH" >"$folder/akv-agent-sbom.json"\n'
        "done\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    done = run("sbom")
    assert done.returncode == 0, done.stderr
    [path] = done.stdout.splitlines()
    assert path == str(root / "target" / "akv-agent.cdx.json")
    assert (root / "target" / "akv-agent.cdx.json").read_text() == "path+file:///akv-agent#. at 7\n"
    assert list(root.rglob("akv-agent-sbom.json")) == []


def test_the_changelog_is_open_for_what_comes_next():
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text()


def test_releasing_names_what_is_there():
    text = (ROOT / "RELEASING.md").read_text()
    for script in re.findall(r"\bscripts/([\w-]+)", text):
        assert (ROOT / "scripts" / script).exists(), script
    for name in re.findall(r"`(?:\.github/workflows/)?(\w+\.yml)`", text):
        assert (ROOT / ".github" / "workflows" / name).exists() or name == "dependabot.yml", name
    charts = parsed(ROOT / ".github" / "workflows" / "release.yml")["env"]["CHARTS"]
    readme = (DEPLOY / "helm" / "akv-agent" / "README.md").read_text()
    assert charts == "ghcr.io/${{ github.repository_owner }}/charts" and "oci://ghcr.io/akv-agent/charts" in readme
    assert yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["version"] == 2


def test_newer_versions_are_proposed_for_every_go_program():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    [go] = [update for update in updates if update["package-ecosystem"] == "gomod"]
    programs = {f"/{path.parent.relative_to(ROOT)}" for path in (ROOT / "tests").rglob("go.mod")}
    assert set(go["directories"]) == programs


def test_the_image_is_built_as_asked_and_its_size_is_said(tmp_path):
    engine = tmp_path / "engine"
    engine.write_text(f'#!/bin/sh\n[ "$1" = image ] && echo 4194304 || printf "%s\\n" "$@" >{tmp_path}/asked\n')
    engine.chmod(0o755)
    env = {"PATH": "/usr/bin:/bin", "AKV_IMAGE_ENGINE": str(engine), "BUILD_IMAGE": "registry.example/rust:1",
           "AKV_IMAGE_OPTIONS": "--network=none --no-cache"}  # fmt: skip
    done = subprocess.run(
        [ROOT / "scripts" / "image", "localhost/a:b"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "localhost/a:b: 4194304 bytes, 4.00 MiB\n"), done.stderr
    asked = (tmp_path / "asked").read_text().split()
    assert asked[0] == "build" and asked[-3:] == ["--tag", "localhost/a:b", "."]
    assert {"BUILD_IMAGE=registry.example/rust:1", "--network=none", "--no-cache"} <= set(asked)
