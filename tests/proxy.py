"""A real reverse proxy on loopback.

Serves what another server has below a path of its own, websockets too.

It knows nothing of what it passes on. Like nginx with `proxy_pass http://…/;` it takes the prefix
off the path and leaves the Host as it came.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MAX_HEAD_BYTES = 64 * 1024


@dataclass
class Proxy:
    """`url` ends with the prefix, and a slash.

    `strays`: request lines that asked for something beside it.
    """

    prefix: str
    listener: socket.socket
    upstream: int | None = None
    strays: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed: the test is over
            threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client: socket.socket) -> None:
        """Pass one request on, and whatever follows in both directions until one side ends."""
        with client, contextlib.suppress(OSError):
            head, body = read_head(client)
            method, target, version = head[0].split(" ", 2)
            if not target.startswith(self.prefix):
                self.strays.append(head[0])
                client.sendall(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            head[0] = f"{method} {target[len(self.prefix) - 1 :]} {version}"
            if not any(line.lower().startswith("upgrade:") for line in head):
                head = [line for line in head if not line.lower().startswith("connection:")]
                # one request a connection: each has its own prefix to lose
                head.append("Connection: close")
            assert self.upstream is not None
            with socket.create_connection(("127.0.0.1", self.upstream)) as server:
                server.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join()


def read_head(client: socket.socket) -> tuple[list[str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(65536)
        if not part or len(received) > MAX_HEAD_BYTES:
            raise ConnectionError("no request")
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), body


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxying(prefix: str) -> Iterator[Proxy]:
    """Serve below `prefix`, which begins and ends with a slash.

    Set `upstream`, a port, before it is asked.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(prefix, listener)
        threading.Thread(target=proxy.accept, daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
