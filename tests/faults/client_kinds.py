"""Faults of connections: lost, abandoned, never read, refused."""

import contextlib
import random
import socket
import struct
import time

from tests.faults.kind import LeftOut, kind
from tests.faults.processes import cut
from tests.faults.system import System
from tests.faults.watched_run import WatchedRun
from tests.server.raw import UPGRADE, head

LINGER_RESET = struct.pack("ii", 1, 0)
MUTE_SECS = (0.5, 6.0)  # how long a viewer stays that does not read


@kind(8)
def cut_trainers_connection(system: System, source: random.Random) -> None:
    """Shut down a trainer's connection to the server; both processes live on."""
    found = system.processes.connections(system.port, system.server.process.pid)
    if found:
        try:
            cut(source.choice(found))
        except ProcessLookupError:
            return
        except OSError as error:
            if error.errno == 9:  # EBADF: the descriptor was closed meanwhile
                return
            raise LeftOut(
                f"no descriptor may be taken from another process: {error.strerror}"
            ) from error


@kind(6)
def cut_viewers_connections(system: System, source: random.Random) -> None:
    """Reset the connections of all viewers behind the relay."""
    system.viewers.cut_relayed()


@kind(5)
def viewer_vanishes(system: System, source: random.Random) -> None:
    """Attach a viewer that resets its connection after a moment."""
    with _stream(system, source) as stream:
        time.sleep(source.uniform(0, 0.05))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)


@kind(2)
def half_open_viewer(system: System, source: random.Random) -> None:
    """Attach a viewer that closes its sending half and stays silent."""
    stream = _stream(system, source)
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_WR)
    _keep(system, stream, source)


@kind(3)
def viewer_never_reads(system: System, source: random.Random) -> None:
    """Attach a viewer that never reads a byte."""
    _keep(system, _stream(system, source), source)


@kind(2)
def storm_of_viewers(system: System, source: random.Random) -> None:
    """Let 20 viewers connect at once; each leaves without a word after the first message."""
    if system.watched_runs:
        system.viewers.storm(source.choice(system.watched_runs), 20)


@kind(6)
def abandon_export(system: System, source: random.Random) -> None:
    """Ask for an export or for all records, read a little, and reset the connection."""
    run = _some(system, source).run
    path = source.choice(
        ["history.csv", "records", "replay.html", "script", "parameters?format=npz"]
    )
    with _request(system, "GET", f"/api/runs/{run}/{path}", []) as connection:
        with contextlib.suppress(OSError):
            connection.recv(source.choice([1, 1000, 30_000]))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)


@kind(4)
def trainer_with_a_wrong_secret(system: System, source: random.Random) -> None:
    """Connect as a trainer with a secret that is not the run's: refused."""
    run = _some(system, source).run
    headers = [*UPGRADE, "Authorization: Bearer wrong"]
    said = b""
    with _request(system, "GET", f"/api/runs/{run}/trainer", headers) as connection:
        with contextlib.suppress(OSError):
            said = connection.recv(100)
        if said and b" 403 " not in said and b" 404 " not in said:
            system.report.violate(f"a trainer with a wrong secret was answered {said!r}")


def _some(system: System, source: random.Random) -> WatchedRun:
    return (
        source.choice(system.watched_runs)
        if system.watched_runs
        else WatchedRun("00000000", "", {})
    )


def _request(system: System, method: str, path: str, headers: list[str]) -> socket.socket:
    # An unconnected socket where the server is not there: the fault was for nothing then.
    connection = socket.socket()
    connection.settimeout(2)
    with contextlib.suppress(OSError):
        connection.connect(("127.0.0.1", system.port))
        connection.sendall(head(method, path, [f"Host: 127.0.0.1:{system.port}", *headers]))
    return connection


def _stream(system: System, source: random.Random) -> socket.socket:
    return _request(system, "GET", f"/api/runs/{_some(system, source).run}/stream", list(UPGRADE))


def _keep(system: System, stream: socket.socket, source: random.Random) -> None:
    name = f"mute viewer {source.randrange(12)}"  # so many at once at most
    if not system.lasting.begin(name, source.uniform(*MUTE_SECS), lambda: None, stream.close):
        stream.close()
