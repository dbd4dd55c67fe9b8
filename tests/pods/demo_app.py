"""What the demonstration app of deploy/ has said."""

import hashlib

from waiting import eventually


def shown(app):
    """What the demonstration app has shown of SECRET, without the time."""
    lines = [line.split(" ", 1)[1] for line in app.output().splitlines()]
    return [line for line in lines if line.startswith("SECRET: ")]


def fingerprint(value):
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"SECRET: {len(value)} characters, fingerprint {digest[:12]}"


def wait_until_shown(app, *values):
    expected = [fingerprint(value) for value in values]
    eventually(f"{len(expected)} values", lambda: len(shown(app)) >= len(expected))
    assert shown(app) == expected
