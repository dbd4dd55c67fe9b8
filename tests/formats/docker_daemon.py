"""As much of a Docker daemon as `docker create` needs: it tells what it is asked to create."""

import json
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer


class Daemon:
    """Listens on a socket while it is entered."""

    def __init__(self, socket):
        self.address = f"unix://{socket}"
        self.created = []
        self._server = ThreadingUnixStreamServer(str(socket), self._handler())
        self._server.daemon_threads = True

    def _handler(self):
        created = self.created

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self._answer(200, b"")

            def do_GET(self):
                self._answer(200, b"OK")

            def do_POST(self):
                created.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer(201, b'{"Id": "0", "Warnings": []}')

            def _answer(self, status, body):
                self.send_response(status)
                self.send_header("Api-Version", "1.47")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Nobody reads it, and it would look for the address of a client that has none."""

        return Handler

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
