"""Finding, reading and building what lies under deploy/ and examples/."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
EXAMPLES = ROOT / "examples"
KUSTOMIZATION = "kustomization.yaml"
# For Prometheus and not for Kubernetes.
RULES = DEPLOY / "monitoring" / "alerts.yaml"


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that occurs twice, of which other readers silently keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


def documents(text):
    """The documents in a YAML text, without empty ones."""
    return [doc for doc in yaml.load_all(text, StrictLoader) if doc is not None]


def yaml_files():
    """Every YAML file for Kubernetes, but those of charts, which are templates."""
    charts = [path.parent for path in DEPLOY.rglob("Chart.yaml")]
    files = (path for top in (DEPLOY, EXAMPLES) for path in top.rglob("*") if path.suffix in (".yaml", ".yml"))
    return sorted(path for path in files if path != RULES and not any(chart in path.parents for chart in charts))


def kustomizations(kind):
    """The directories with a kustomization file of that kind, `Kustomization` or `Component`."""
    files = [path for path in yaml_files() if path.name == KUSTOMIZATION]
    return [path.parent for path in files if documents(path.read_text())[0]["kind"] == kind]


def objects():
    """Every document of every file that holds Kubernetes objects, with the file's path."""
    directories = kustomizations("Kustomization") + kustomizations("Component")
    others = set().union(*(_without_objects(directory) for directory in directories))
    return [(path, doc) for path in yaml_files() if path not in others for doc in documents(path.read_text())]


def parts(directory, seen=None):
    """Every file that a kustomization reaches."""
    seen = set() if seen is None else seen
    seen |= _without_objects(directory)
    content = _content(directory)
    for entry in (content.get("resources") or []) + (content.get("components") or []):
        path = (directory / entry).resolve()
        if path.is_dir():
            parts(path, seen)
        else:
            seen.add(path)
    return seen


def _without_objects(directory):
    """The kustomization's own file, its patches and what it generates objects from."""
    content = _content(directory)
    names = [patch["path"] for patch in content.get("patches") or [] if "path" in patch]
    for generator in content.get("configMapGenerator") or []:
        names += [entry.rpartition("=")[2] for entry in generator.get("files") or []]
    return {(directory / name).resolve() for name in (KUSTOMIZATION, *names)}


def _content(directory):
    return documents((directory / KUSTOMIZATION).read_text())[0]


def kustomize_command():
    """How to build a kustomization here, or None."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return None


@cache
def build(directory):
    """What `kubectl apply -k DIRECTORY` would send, as text."""
    done = subprocess.run(
        [*kustomize_command(), str(directory)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{directory} does not build: {done.stderr.strip()}")
    return done.stdout
