"""Waiting for what will be true, for as long as a slow machine may need."""

import time

PATIENCE = 30
# Often enough to be quick, and rarely enough to leave the machine to those that are waited for.
INTERVAL = 0.05


def eventually(what, probe, patience=PATIENCE):
    """The first true result of `probe`; an error that names `what` if none comes in time."""
    deadline = time.monotonic() + patience
    while True:
        # Looked at once more after the time is up: the last look may have been long ago.
        late = time.monotonic() >= deadline
        result = probe()
        if result:
            return result
        if late:
            raise AssertionError(f"waited {patience} s for {what}; seen instead: {result!r}")
        time.sleep(INTERVAL)
