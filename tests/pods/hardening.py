"""Whether a container really runs with the least privileges, as the kernel sees it."""

from pathlib import Path

from podman import NON_ROOT


def assert_hardened(container, user=NON_ROOT):
    """Looks at the container's first process, from which all others have what they have."""
    proc = Path("/proc") / container.inspect("State.Pid")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
    assert set(status["Uid"].split()) == {str(user)}
    assert int(status["CapEff"], 16) == 0 == int(status["CapBnd"], 16)
    assert status["NoNewPrivs"] == "1"
    # A filter, not merely the strict mode.
    assert status["Seccomp"] == "2"
    mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
    [root] = [fields for fields in mounts if fields[4] == "/"]
    assert "ro" in root[5].split(",")
