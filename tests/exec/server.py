"""A server that is handed its listening sockets as systemd hands them over, and ends on SIGTERM.

It does one thing after the other, so that no connection that it has accepted is lost at its end. Every answer
tells which socket it came through, which process gave it, and which secret that was started with. With an
address and a port as arguments it opens its socket itself. With SHUT_DOWN in its environment it shuts its sockets
down at its end, for whoever else has them too.
"""

import os
import selectors
import signal
import socket
import sys

if sys.argv[1:]:
    listeners = [("own", socket.create_server((sys.argv[1], int(sys.argv[2]))))]
else:
    assert os.environ["LISTEN_PID"] == str(os.getpid()), "the sockets are for somebody else"
    names = os.environ["LISTEN_FDNAMES"].split(":")
    assert len(names) == int(os.environ["LISTEN_FDS"]), names
    listeners = [(name, socket.socket(fileno=3 + place)) for place, name in enumerate(names)]

told, to_end = socket.socketpair()
to_end.setblocking(False)
signal.set_wakeup_fd(to_end.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)

selector = selectors.DefaultSelector()
selector.register(told, selectors.EVENT_READ)
for name, listener in listeners:
    print("socket", name, "blocking" if os.get_blocking(listener.fileno()) else "nonblocking", flush=True)
    # As most servers do it. The next one must not inherit that.
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, name)
print("serving", flush=True)


def answer(connection, name):
    connection.setblocking(True)
    request = b""
    while b"\n" not in request:
        received = connection.recv(1024)
        if not received:
            return
        request += received
    connection.sendall(f"{name} {os.getpid()} {os.environ['SECRET']}\n".encode())


while True:
    for key, _ in selector.select():
        if key.fileobj is told:
            if "SHUT_DOWN" in os.environ:
                for _, listener in listeners:
                    listener.shutdown(socket.SHUT_RDWR)
            raise SystemExit(0)
        connection, _ = key.fileobj.accept()
        with connection:
            answer(connection, key.data)
