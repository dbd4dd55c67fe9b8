"""Values of secrets, which nobody may find where they do not belong."""

MARK = "canary-7f3a"


def secret(label: str) -> str:
    """A value that can be found again."""
    return f"{MARK}-{label}"


def assert_clean(where: str, text: str):
    assert MARK not in text, f"{where} gives a secret away"
