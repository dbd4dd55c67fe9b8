"""What the sample app has said."""

import re
from dataclasses import dataclass

from waiting import eventually

_LINE = re.compile(r"(?P<kind>ready|reloaded|stopping) pid=(?P<pid>\d+)(?P<values>.*)")
_VALUE = re.compile(r" (\w+)=(?:unset|'((?:[^'\\]|\\.)*)')")


@dataclass(frozen=True)
class Event:
    """One line of the app; an unset variable has the value None."""

    kind: str
    pid: int
    values: dict


def events(container):
    """Every event so far."""
    found = []
    for line in container.output().splitlines():
        match = _LINE.fullmatch(line)
        assert match, f"the sample app said {line!r}"
        values = {value[1]: value[2] for value in _VALUE.finditer(match["values"])}
        found.append(Event(match["kind"], int(match["pid"]), values))
    return found


def wait_for(container, count, kind, **values):
    """Waits until there are `count` events, of which the last one is this."""
    eventually(f"{count} events of {container.name}", lambda: len(events(container)) >= count)
    seen = events(container)
    last = seen[count - 1]
    assert (last.kind, last.values) == (kind, values), seen
    return last
