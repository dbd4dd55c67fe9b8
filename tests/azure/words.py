"""Reading command lines."""

from itertools import takewhile


def words(argv):
    """What stands before the first option: the command."""
    return " ".join(takewhile(lambda word: not word.startswith("-"), argv))
