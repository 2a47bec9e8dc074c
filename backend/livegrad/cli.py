"""The command line, which starts the dashboard.

It imports modules late, because each trainer imports this module too.
"""

import logging
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from livegrad.errors import LivegradError, SettingsError

if TYPE_CHECKING:
    from livegrad.server import Server
    from livegrad.settings import Settings
    from livegrad.signals import Ending

PORTS_TRIED = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run livegrad and return the exit code.

    0: it was asked to stop; 1: it ended because of a fault of its own; 2: the operator must change
    something.
    """
    from livegrad import console
    from livegrad.signals import Ending

    console.secure()
    ending = Ending()
    with ending.handling():
        try:
            return _run(sys.argv[1:] if arguments is None else arguments, ending)
        except LivegradError as error:
            _tell(str(error))
            return 2
        except KeyboardInterrupt:
            return 0


def _run(arguments: Sequence[str], ending: "Ending") -> int:
    from livegrad.settings import notices, read

    settings = read(arguments)
    for notice in notices():
        _tell(notice)
    code = serve(settings, listen(settings), ending)
    _tell("stopped")
    return code


def _tell(text: str) -> None:
    print(f"livegrad: {text}", file=sys.stderr, flush=True)


def listen(settings: "Settings") -> socket.socket:
    """Return a socket listening on the requested port, or on the first free default one.

    Raises SettingsError for a requested port that is busy, and for an address that is not this
    machine's.
    """
    tries = 1 if settings.port_was_asked_for else PORTS_TRIED
    for port in range(settings.port, settings.port + tries):
        try:
            listener = _bind(settings.host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: an invalid host name
            if settings.port_was_asked_for or not _is_busy(error):
                why = getattr(error, "strerror", None) or error
                raise SettingsError(
                    f"cannot listen on {settings.host} port {port}: {why}"
                ) from error
            continue
        if port != settings.port:
            _tell(f"port {settings.port} is busy; using {port}")
        return listener
    raise SettingsError(
        f"ports {settings.port} to {settings.port + tries - 1} are all busy: choose one with --port"
    )


def _is_busy(error: Exception) -> bool:
    import errno

    return isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)


def _bind(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # on Windows it would share a busy port instead of refusing it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _notice_dead_peers(listener)
        listener.bind(address)
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


def _notice_dead_peers(listener: socket.socket) -> None:
    # A laptop that falls asleep sends nothing. After two minutes its connection is closed, and its
    # viewer's place is free again.
    # accepted connections inherit it
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def serve(settings: "Settings", listener: socket.socket, ending: "Ending | None" = None) -> int:
    """Serve until `ending` asks for the end; return the exit code.

    Without `ending`, signals are handled here. The first line on stdout is the dashboard's URL,
    printed once the server answers.
    """
    if ending is None:
        from livegrad.signals import Ending

        ending = Ending()
        with ending.handling():
            return serve(settings, listener, ending)
    logging.getLogger("livegrad").setLevel(logging.INFO)
    server = _server(settings, listener.getsockname()[1])
    ending.take = server.end
    if not ending.asked:
        server.run(sockets=[listener])
    return server.exit_code


def _server(settings: "Settings", port: int) -> "Server":
    import uvicorn

    from livegrad.api import limits
    from livegrad.api.app import create_app
    from livegrad.api.auth import Authenticator
    from livegrad.api.uvicorn_protocols import HttpProtocol, WebSocketProtocol
    from livegrad.hosts import AllowedHosts
    from livegrad.server import Server

    names = AllowedHosts(settings.host, settings.allow_host, port)
    token = settings.token.get_secret_value() if settings.token else None
    authenticator = Authenticator(token, names, port)
    crash: list[Callable[[BaseException], None]] = []  # the server's method, once the server exists
    app, stop_trainers = create_app(settings, authenticator, port, lambda error: crash[0](error))

    def announce() -> None:
        link = _url(settings.host, port) + authenticator.one_time_path()
        print(link, flush=True)
        if not settings.no_browser:
            from livegrad.browser import open_page

            open_page(link)

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # the access log would contain one-time links
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,  # records hardly compress: 4 % saved at the price of a core
        ws_max_size=limits.MESSAGE_BYTES,
        ws_ping_interval=limits.PING_SECS,  # proxies close silent connections
        ws_ping_timeout=None,  # a suspended tab does not answer for a while
        timeout_keep_alive=int(limits.KEEP_ALIVE_SECS),
        timeout_graceful_shutdown=2,
        server_header=False,
        lifespan="on",
        # Set explicitly, since uvicorn otherwise reads variables that are meant for other programs.
        workers=1,
        forwarded_allow_ips=["127.0.0.1", "::1"],
    )
    server = Server(config, announce, stop_trainers)
    crash.append(server.crash)
    return server


def _url(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name and not name.startswith('[') else name}:{port}/"
