"""The manifests and the Dockerfile agree on where the binary is.

The manifests give arguments to the image's entry point, call `akv-agent` by name in probes, and mount
volumes into the agent's container, which must not hide the binary.
"""

import json
import re
from pathlib import PurePosixPath

import pytest

from lint.agent_container import BINARY, IN_IMAGE, is_agent_image
from lint.build import ROOT
from lint.pod import pods

# What container runtimes set where an image sets none.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def entry_point(dockerfile):
    """The program of the last stage's ENTRYPOINT, and that stage's PATH."""
    stage = re.split(r"(?mi)^FROM\s", dockerfile)[-1]
    found = re.search(r"(?mi)^ENTRYPOINT\s+(\[.*\])", stage)
    path = re.search(r"(?mi)^ENV\s+PATH[= ]\"?([^\s\"]+)", stage)
    return json.loads(found[1])[0] if found else None, path[1] if path else DEFAULT_PATH


def problems(dockerfile, docs):
    program, path = entry_point(dockerfile)
    if not program or PurePosixPath(program).name != BINARY or not program.startswith("/"):
        return [f"the entry point is {program}, not an absolute path of {BINARY}"]
    found = []
    if str(PurePosixPath(program).parent) not in path.split(":"):
        found.append(f"{program} is not on the PATH {path}")
    for pod in pods(docs):
        for container in filter(is_agent_image, pod.containers):
            mount, _ = container.mount_of(program)
            if mount:
                found.append(f"{container.where}: the volume at {mount['mountPath']} hides {program}")
    return found


def test_the_dockerfile_fits(seed):
    dockerfile = ROOT / "Dockerfile"
    if not dockerfile.exists():
        pytest.skip("there is no Dockerfile to compare the manifests with")
    assert problems(dockerfile.read_text(), seed) == []
    # Where a container finds it that mounts the image as a volume.
    assert entry_point(dockerfile.read_text())[0] == IN_IMAGE


@pytest.mark.parametrize(
    ("dockerfile", "problem"),
    [
        ("FROM scratch\nCOPY a b\n", "entry point"),
        ('FROM scratch\nENTRYPOINT ["/bin/sh"]\n', "entry point"),
        ('FROM scratch\nENTRYPOINT ["/opt/akv-agent"]\n', "not on the PATH"),
        ('FROM scratch\nENV PATH=/\nENTRYPOINT ["/akv-agent"]\n', "hides"),
    ],
)
def test_a_dockerfile_that_does_not_fit_is_found(seed, dockerfile, problem):
    assert problem in "\n".join(problems(dockerfile, seed))


def test_a_dockerfile_that_fits_has_no_problem(seed):
    dockerfile = 'FROM x AS build\nENTRYPOINT ["/x"]\nFROM scratch\nENTRYPOINT ["/usr/local/bin/akv-agent"]\n'
    assert problems(dockerfile, seed) == []
