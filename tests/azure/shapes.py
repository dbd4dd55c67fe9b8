"""How az prints what Azure answers, by az's own code: the small Azure of the tests must print the same.

Runs in the environment of azure-cli. Reads lines of {"model", "answer", "query"}; answers with the result of
each query.
"""

import importlib
import json
import sys

import jmespath
from azure.cli.core.util import todict

for line in sys.stdin:
    asked = json.loads(line)
    package, _, name = asked["model"].rpartition(".")
    model = getattr(importlib.import_module(package), name)
    answer = model.deserialize(asked["answer"]) if hasattr(model, "deserialize") else model(asked["answer"])
    print(json.dumps(jmespath.search(asked["query"], todict(answer))), flush=True)
