"""The server of examples/postgresql starts on its volume as the kubelet leaves it, with stand-ins for PostgreSQL."""

import subprocess

import pytest

from lint.build import EXAMPLES

SERVER = EXAMPLES / "postgresql" / "server"
# Makes the directory as the real one does.
INITDB = """#!/bin/sh
mkdir -m 0700 "${1#--pgdata=}"
echo initdb
"""
# Refuses what the real one refuses: a directory that others may write to or look into.
POSTGRES = """#!/bin/sh
[ -z "$(find "$PGDATA" -maxdepth 0 -perm /027)" ] || exit 1
echo postgres
"""


@pytest.fixture
def start(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("initdb", INITDB), ("postgres", POSTGRES)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:/usr/bin:/bin", "PGDATA": str(tmp_path / "volume" / "pgdata")}
    (tmp_path / "volume").mkdir()

    def run():
        done = subprocess.run(
            ["sh", SERVER / "start.sh"], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout.split()

    return run


def test_the_first_start_makes_a_database_and_later_ones_do_not(start):
    assert start() == (0, ["initdb", "postgres"])
    assert start() == (0, ["postgres"])


def test_it_starts_after_a_mount_that_has_changed_modes(start, tmp_path):
    assert start()[0] == 0
    # What a mount with an fsGroup does to every directory.
    (tmp_path / "volume" / "pgdata").chmod(0o2770)
    assert start() == (0, ["postgres"])


def test_what_was_interrupted_is_begun_anew(start, tmp_path):
    (tmp_path / "volume" / "pgdata.new").mkdir()
    assert start() == (0, ["initdb", "postgres"])
