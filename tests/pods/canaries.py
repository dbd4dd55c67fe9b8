"""Every value that a secret has in these tests. None of them may be in what an agent says."""

OLD = "This message is secret! Do NOT share!"
NEW = "This message was rotated!"
OLD_KEY = "key-one-canary"
NEW_KEY = "key-two-canary"
# What files have to escape, each in its way.
AWKWARD = " wörd-canary \\ # ! : = '\" \t\u20ac\n"

ALL = (OLD, NEW, OLD_KEY, NEW_KEY, AWKWARD)
