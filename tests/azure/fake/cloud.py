"""A small Azure: resources as `az` prints them, kept in a file between two commands.

Only what deploy/azure asks for, with the refusals that matter to it. A command it does not know is an error. Names are
kept in the case in which they were given, and found in any.
"""

import json
import os
from pathlib import Path

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
TENANT = "55555555-6666-7777-8888-999999999999"
OPERATOR = "aaaaaaaa-0000-0000-0000-000000000001"
OFFICER = "Key Vault Secrets Officer"


class Refused(Exception):
    """What az says on standard error; it then ends with 1."""


def same(one, other):
    """Whether two names or ids are the same to Azure."""
    return one.lower() == other.lower()


def within(scope, outer):
    return scope.lower().startswith(outer.lower())


class Cloud:
    def __init__(self, path):
        self.path = Path(path)
        self.state = json.loads(self.path.read_text())

    def save(self):
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(self.state, indent=1))
        os.replace(temporary, self.path)

    def scope(self, group, kind="", name=""):
        return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}" + (f"/providers/{kind}/{name}" if kind else "")

    def all(self, kind, group=None):
        if group is None:
            return list(self.state[kind])
        self.group(group)
        return [thing for thing in self.state[kind] if same(thing["resourceGroup"], group)]

    def group(self, name):
        for found in self.state["groups"]:
            if same(found["name"], name):
                return found
        raise Refused(f"(ResourceGroupNotFound) Resource group '{name}' could not be found.")

    def one(self, kind, name, group=None):
        for thing in self.all(kind, group):
            if same(thing["name"], name):
                return thing
        raise Refused(f"(ResourceNotFound) There is no '{name}' among the {kind}.")

    def add(self, kind, arm_type, options, **more):
        group, name = self.group(options["resource-group"])["name"], options["name"]
        if any(same(thing["name"], name) for thing in self.all(kind, group)):
            raise Refused(f"(AlreadyExists) {name} exists already among the {kind}.")
        thing = {
            "id": self.scope(group, arm_type, name),
            "name": name,
            "resourceGroup": group,
            "location": options["location"],
            "tags": tags(options),
            **more,
        }
        self.state[kind].append(thing)
        return thing

    def remove(self, kind, name, group=None):
        thing = self.one(kind, name, group)
        self.state[kind].remove(thing)
        return thing

    def look_into(self, vault):
        """The vault, if whoever is logged in may read and write its secrets, as far as it has heard."""
        found = self.one("vaults", vault)
        holders = [a for a in self.state["assignments"] if a["roleDefinitionName"] == OFFICER]
        allowed = any(a["principalId"] == OPERATOR and within(found["id"], a["scope"]) for a in holders)
        if self.state["firewall"]:
            raise Refused("(Forbidden) Client address is not authorized.\nInner error: ForbiddenByFirewall")
        if not allowed or self.state["deaf"] > 0:
            self.state["deaf"] -= 1 if allowed else 0
            raise Refused("(Forbidden) Caller is not authorized.\nInner error: ForbiddenByRbac")
        return found


def tags(options):
    words = options.get("tags")
    if words is None:
        return None
    return dict(word.split("=", 1) for word in ([words] if isinstance(words, str) else words))


def empty():
    """An Azure subscription as it is on its first day."""
    kinds = ("groups", "clusters", "vaults", "deleted_vaults", "identities", "assignments", "others")
    return {kind: [] for kind in kinds} | {"registered": [], "deaf": 0, "firewall": False, "user": "user"}
