"""Stands in for `kubectl`: notes how it was called; its cluster runs the seed's apps as far as logs show.

Building a kustomization is left to the real one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from cloud import Cloud


def say_value(demo_app, value):
    """The first line that the demonstration app writes with this value."""
    app = subprocess.Popen(["sh", demo_app], env={"PATH": "/usr/bin:/bin", "SECRET": value}, stdout=subprocess.PIPE)
    line = app.stdout.readline()
    app.kill()
    app.wait()
    return line.decode()


def logs(state):
    [secret] = [secret for vault in state["vaults"] for secret in vault["secrets"]]
    state["lag"] = state.get("lag", 0) - 1
    value = "what it was before" if state["lag"] >= 0 else secret["value"]
    return say_value(os.environ["FAKE_DEMO_APP"], value)


def main():
    argv = sys.argv[1:]
    cloud = Cloud(os.environ["FAKE_AZ_STATE"])
    state = cloud.state
    kube = state.setdefault("kube", {"context": [], "cluster": [], "user": [], "applied": None})
    with open(os.environ["FAKE_KUBECTL_CALLS"], "a", encoding="utf-8") as calls:
        calls.write(json.dumps(argv) + "\n")
    match argv:
        case ["kustomize", _]:
            os.execv(os.environ["REAL_KUBECTL"], ["kubectl", *argv])
        case ["config", word, *rest]:
            verb, _, kind = word.partition("-")
            if verb == "get":
                print(*kube[kind.removesuffix("s")], sep="\n")
            else:
                kube[kind].remove(rest[0])
        case ["--context", context, *rest] if context in kube["context"]:
            match [word for word in rest if not word.startswith("-")]:
                case ["apply", file]:
                    kube["applied"] = Path(file).read_text(encoding="utf-8")
                case [_, "rollout", "status", deployment, _]:
                    if state.get("stuck") == deployment:
                        print("error: timed out waiting for the condition", file=sys.stderr)
                        sys.exit(1)
                case [_, "logs", *_]:
                    print(logs(state), end="")
                case ["delete", "namespace", *_]:
                    kube["applied"] = None
                case _:
                    raise SystemExit(f"unexpected: kubectl {argv}")
        case _:
            raise SystemExit(f"unexpected: kubectl {argv}")
    cloud.save()
