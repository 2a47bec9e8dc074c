"""The command line: starts the dashboard. Imports little before it must, since each trainer imports this module too."""

import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING

from livegrad.errors import LivegradError, SettingsError

if TYPE_CHECKING:
    from livegrad.settings import Settings

PORTS_TRIED = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run livegrad; return the exit code: 0 after Ctrl-C, 2 for what the operator must change."""
    from livegrad.settings import read

    try:
        settings = read(sys.argv[1:] if arguments is None else arguments)
        listener = listen(settings)
        serve(settings, listener)
    except LivegradError as error:
        print(f"livegrad: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def listen(settings: "Settings") -> socket.socket:
    """Return a listening socket: the port asked for, or the first free one from the default on.

    Raises SettingsError for a port that was asked for and is busy, and for an address that is not this machine's.
    """
    tries = 1 if settings.port_was_asked_for else PORTS_TRIED
    for port in range(settings.port, settings.port + tries):
        try:
            listener = _bind(settings.host, port)
        except OSError as error:
            if settings.port_was_asked_for or not _is_busy(error):
                raise SettingsError(
                    f"cannot listen on {settings.host} port {port}: {error.strerror}"
                ) from error
            continue
        if port != settings.port:
            print(f"livegrad: port {settings.port} is busy; using {port}", file=sys.stderr)
        return listener
    raise SettingsError(
        f"ports {settings.port} to {settings.port + tries - 1} are all busy: choose one with --port"
    )


def _is_busy(error: OSError) -> bool:
    import errno

    return error.errno in (errno.EADDRINUSE, errno.EACCES)


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[
        0
    ]
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there, it would share a busy port instead of refusing it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _notice_dead_peers(listener)
        listener.bind(address)
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


def _notice_dead_peers(listener: socket.socket) -> None:
    # A laptop that fell asleep says nothing: after two minutes its connection, and a viewer's place, are free again.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # its connections inherit it
    for option, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def serve(settings: "Settings", listener: socket.socket) -> None:
    """Serve until Ctrl-C. The first line on stdout is the dashboard's URL, printed once it answers."""
    import uvicorn

    from livegrad.api import limits
    from livegrad.api.app import create_app
    from livegrad.api.auth import Doorkeeper
    from livegrad.api.uvicorn_protocols import HttpProtocol, WebSocketProtocol
    from livegrad.hosts import Names

    port = listener.getsockname()[1]
    names = Names(settings.host, settings.allowed_hosts, port)
    doorkeeper = Doorkeeper(settings.token, names, port)
    crashes: list[BaseException] = []

    def on_crash(error: BaseException) -> None:
        crashes.append(error)
        server.should_exit = True

    app, stop_trainers = create_app(settings, doorkeeper, port, on_crash)
    url = _url(settings.host, port)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            link = url + doorkeeper.one_time_path()
            print(link, flush=True)
            if settings.opens_browser:
                threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await stop_trainers()  # first: once their connections are closed, they can only be killed
            await super().shutdown(sockets)

    logging.getLogger("livegrad").setLevel(logging.INFO)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would write one-time links down
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,  # records are noise to it: 4 % saved at the price of a core
        ws_max_size=limits.MESSAGE_BYTES,
        ws_ping_interval=limits.PING_SECS,  # proxies cut what is silent
        ws_ping_timeout=None,  # a suspended tab answers none for a while
        timeout_keep_alive=int(limits.KEEP_ALIVE_SECS),
        timeout_graceful_shutdown=2,
        server_header=False,
        lifespan="on",
    )
    server = Server(config)
    server.run(sockets=[listener])
    if crashes:
        raise crashes[0]
    print("livegrad: stopped", file=sys.stderr)


def _url(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name and not name.startswith('[') else name}:{port}/"
