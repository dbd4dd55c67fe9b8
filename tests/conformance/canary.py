"""Values of secrets, which nobody may find where they do not belong."""

MARK = "canary-7f3a"
# What vaults make themselves has no mark of ours.
PRIVATE_KEY = "BEGIN PRIVATE KEY"


def secret(label: str) -> str:
    """A value that can be found again."""
    return f"{MARK}-{label}"


def assert_clean(where: str, text: str):
    found = [mark for mark in (MARK, PRIVATE_KEY) if mark in text]
    assert not found, f"{where} gives a secret away"
