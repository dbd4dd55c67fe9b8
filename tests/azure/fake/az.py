"""Stands in for `az`: notes how it was called, and has the small Azure answer."""

import json
import os
import socket
import sys


def main():
    argv = sys.argv[1:]
    with open(os.environ["FAKE_AZ_CALLS"], "a", encoding="utf-8") as calls:
        calls.write(json.dumps(argv) + "\n")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["FAKE_AZ_SOCKET"])
        connection.sendall(json.dumps({"state": os.environ["FAKE_AZ_STATE"], "argv": argv}).encode() + b"\n")
        answer = json.loads(connection.makefile().read())
    sys.stdout.write(answer["output"])
    sys.stderr.write(answer["error"])
    sys.exit(answer["status"])
