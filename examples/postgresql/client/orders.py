#!/usr/bin/python3
"""Places orders in PostgreSQL for as long as it runs, by a small pool of connections.

User and password are variables, PGUSER and PGPASSWORD. With LOGIN_FILE they are read from that env file instead,
and once more on SIGHUP; a new login that is refused leaves the one before in use. SIGTERM finishes the orders that have
been begun, and ends.
"""

import contextlib
import os
import pathlib
import shlex
import signal
import sys
import threading
import time

import psycopg2

WORKERS = int(os.environ.get("WORKERS", "2"))
# Between two orders of one worker.
PAUSE = float(os.environ.get("PAUSE", "1"))
# How old a connection may grow; with 0 every order has one of its own.
LIFETIME = float(os.environ.get("CONNECTION_LIFETIME", "300"))
# How long a database is waited for that is not there, or refuses the login; then the program says so by its end.
LOGIN_PATIENCE = float(os.environ.get("LOGIN_PATIENCE", "15"))
# Until a new login that was refused is tried again.
RENEW_AGAIN = 5


class Ended(Exception):
    """No connection, because none is needed any more."""


def login():
    """User and password, which belong together: both from the environment, or both from one reading of the file."""
    source, path = os.environ, os.environ.get("LOGIN_FILE")
    if path:
        # Lines such as export PGUSER='orders_a', in the shell's own quoting.
        words = shlex.split(pathlib.Path(path).read_text(encoding="utf-8"))
        source = dict(word.split("=", 1) for word in words if "=" in word)
    return {"user": source["PGUSER"], "password": source["PGPASSWORD"]}


class Pool:
    """Connections with the login of the day."""

    def __init__(self, ending):
        self._ending = ending
        self._lock = threading.Lock()
        self._idle = []
        self._login = login()

    @property
    def user(self):
        return self._login["user"]

    def renew(self):
        """Reads the login again, and takes it if it is good. Connections of the old one are closed: idle ones now,
        those in use when they come back.
        """
        new = login()
        try:
            psycopg2.connect(**new).close()
        except psycopg2.OperationalError as error:
            say(f"still {self.user}: {error}".strip())
            return False
        with self._lock:
            self._login = new
            old, self._idle = self._idle, []
        for _, _, connection in old:
            connection.close()
        say(f"renewed as {self.user}")
        return True

    @contextlib.contextmanager
    def transaction(self):
        """A cursor in a transaction that is committed, or rolled back if the block fails."""
        until, of, connection = self._take() or self._connect()
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if of is self._login and time.monotonic() < until:
                self._idle.append((until, of, connection))
                return
        connection.close()

    def _take(self):
        with self._lock:
            while self._idle:
                until, of, connection = self._idle.pop()
                if time.monotonic() < until:
                    return until, of, connection
                connection.close()
        return None

    def _connect(self):
        deadline = time.monotonic() + LOGIN_PATIENCE
        while True:
            # Taken anew for each try: it may have been renewed.
            of = self._login
            try:
                return time.monotonic() + LIFETIME, of, psycopg2.connect(**of)
            except psycopg2.OperationalError as error:
                if time.monotonic() >= deadline:
                    raise
                say(f"not connected: {error}".strip())
            if self._ending.wait(0.2):
                raise Ended


def say(text):
    print(text, flush=True)


def work(pool, ending, failures):
    try:
        while not ending.is_set():
            with pool.transaction() as cursor:
                cursor.execute("INSERT INTO placed DEFAULT VALUES RETURNING id, session_user")
                order, user = cursor.fetchone()
            say(f"order {order} by {user}")
            ending.wait(PAUSE)
    except Ended:
        pass
    except Exception as error:
        failures.append(error)
        os.kill(os.getpid(), signal.SIGTERM)


def main():
    # Blocked in all threads, for the first one to wait for.
    signals = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    ending, failures = threading.Event(), []
    pool = Pool(ending)
    say(f"ready as {pool.user}")
    workers = [threading.Thread(target=work, args=(pool, ending, failures)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        renewed = True
        while True:
            came = signal.sigwaitinfo(signals) if renewed else signal.sigtimedwait(signals, RENEW_AGAIN)
            if came and came.si_signo != signal.SIGHUP:
                break
            renewed = pool.renew()
    finally:
        ending.set()
        for worker in workers:
            worker.join()
    sys.exit("\n".join(str(failure).strip() for failure in failures) or 0)


if __name__ == "__main__":
    main()
