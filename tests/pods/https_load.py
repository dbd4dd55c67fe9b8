"""Clients that send requests without a pause until standard input ends. Run in the network of a pod.

usage: https_load.py AUTHORITY NAME PORT

Half of them keep their connections, the others make a new one for each request. Standard output gets the
serial number of each certificate that is new, and at the end a line of JSON with what became of the requests.
"""

import http.client
import json
import socket
import ssl
import sys
import threading

CLIENTS_OF_EACH_KIND = 2
TIMEOUT = 10
# What a client that keeps its connections sees when the server has closed one while it was idle.
CLOSED_BY_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, *CLOSED_BY_TLS)


class Load:
    def __init__(self, authority, name, port):
        self._context = ssl.create_default_context(cafile=authority)
        self._name, self._port = name, port
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._seen = set()
        self.counts = {"kept": 0, "new": 0, "handshakes": 0, "sent again": 0}
        self.failures = []

    def run(self):
        clients = [self._keeping, self._connecting] * CLIENTS_OF_EACH_KIND
        threads = [threading.Thread(target=self._client, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._end.set()
        for thread in threads:
            thread.join()
        print(json.dumps({**self.counts, "failures": self.failures}), flush=True)

    def _client(self, client):
        try:
            client()
        except Exception as error:
            self.failures.append(f"{client.__name__}: {error!r}")

    def _connecting(self):
        while not self._end.wait(0.002):
            connection = self._connect()
            self._request(connection, close=True)
            connection.close()
            self._count("new")

    def _keeping(self):
        connection = self._connect()
        while not self._end.wait(0.002):
            try:
                closes = self._request(connection)
            except CLOSED:
                # No answer has begun, so the request is sent once more on a new connection, as every
                # HTTP client does (RFC 9112, section 9.3.1). That one has to succeed.
                self._count("sent again")
                connection.close()
                connection = self._connect()
                closes = self._request(connection)
            if closes:
                connection.close()
                connection = self._connect()
            self._count("kept")

    def _connect(self):
        """A connection whose certificate was verified."""
        plain = socket.create_connection(("127.0.0.1", self._port), TIMEOUT)
        connection = http.client.HTTPConnection(self._name, timeout=TIMEOUT)
        connection.sock = self._context.wrap_socket(plain, server_hostname=self._name)
        self._count("handshakes")
        serial = int(connection.sock.getpeercert()["serialNumber"], 16)
        with self._lock:
            if serial not in self._seen:
                self._seen.add(serial)
                print(serial, flush=True)
        return connection

    def _request(self, connection, close=False):
        """Whether the server will close the connection."""
        connection.request("GET", "/", headers={"Connection": "close"} if close else {})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or body != b"Hello over TLS\n":
            raise RuntimeError(f"status {response.status} and {len(body)} bytes")
        return response.will_close

    def _count(self, what):
        with self._lock:
            self.counts[what] += 1


if __name__ == "__main__":
    Load(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
