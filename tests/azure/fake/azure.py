"""Answers for `az` from the small Azure, one process for all commands: starting the real one's libraries takes time.

Runs in the environment of azure-cli, whose own libraries do --query and --output. Listens on the Unix socket
that it is given; each connection is one command.
"""

import json
import socketserver
import sys

import jmespath
from cloud import Cloud, Refused
from commands import run
from knack.output import format_tsv
from knack.util import CommandResultItem


def parsed(argv):
    """The words before the first option, and the options with their values."""
    words, options, name = [], {}, None
    for word in argv:
        if word.startswith("--"):
            name = word[2:]
            options[name] = None
        elif name is None:
            words.append(word)
        elif options[name] is None:
            options[name] = word
        else:
            options[name] = [*([options[name]] if isinstance(options[name], str) else options[name]), word]
    return " ".join(words), options


def answer(state, argv):
    cloud = Cloud(state)
    words, options = parsed(argv)
    status, output, error = 0, "", ""
    try:
        result = run(cloud, words, options)
        if "query" in options:
            result = jmespath.search(options["query"], result)
        if options.get("output") == "tsv" and result is not None:
            output = format_tsv(CommandResultItem(result))
        elif options.get("output") != "none" and result is not None:
            output = json.dumps(result, indent=2) + "\n"
    except Refused as refused:
        status, error = 1, f"ERROR: {refused}\n"
    cloud.save()
    return {"status": status, "output": output, "error": error}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        asked = json.loads(self.rfile.readline())
        self.wfile.write(json.dumps(answer(asked["state"], asked["argv"])).encode())


if __name__ == "__main__":
    with socketserver.UnixStreamServer(sys.argv[1], Handler) as server:
        print("listening", flush=True)
        server.serve_forever()
