"""Faults of connections: lost, abandoned, never read, refused."""

import contextlib
import random
import socket
import struct
import time

from tests.faults.kind import LeftOut, kind
from tests.faults.processes import cut
from tests.faults.subject import Subject
from tests.faults.world import World
from tests.server.raw import UPGRADE, head

LINGER_RESET = struct.pack("ii", 1, 0)
MUTE_SECS = (0.5, 6.0)  # how long a viewer stays that does not read


@kind(8)
def cut_trainers_connection(world: World, source: random.Random) -> None:
    """Shut down a trainer's connection to the server; both processes live on."""
    found = world.family.connections(world.port, world.server.process.pid)
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
def cut_viewers_connections(world: World, source: random.Random) -> None:
    """Reset the connections of all viewers behind the relay."""
    world.gallery.cut_relayed()


@kind(5)
def viewer_vanishes(world: World, source: random.Random) -> None:
    """Attach a viewer that resets its connection after a moment."""
    with _stream(world, source) as stream:
        time.sleep(source.uniform(0, 0.05))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)


@kind(2)
def half_open_viewer(world: World, source: random.Random) -> None:
    """Attach a viewer that closes its sending half and stays silent."""
    stream = _stream(world, source)
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_WR)
    _keep(world, stream, source)


@kind(3)
def viewer_never_reads(world: World, source: random.Random) -> None:
    """Attach a viewer that never reads a byte."""
    _keep(world, _stream(world, source), source)


@kind(2)
def storm_of_viewers(world: World, source: random.Random) -> None:
    """Let 20 viewers connect at once; each leaves without a word after the first message."""
    if world.subjects:
        world.gallery.storm(source.choice(world.subjects), 20)


@kind(6)
def abandon_export(world: World, source: random.Random) -> None:
    """Ask for an export or for all records, read a little, and reset the connection."""
    run = _some(world, source).run
    path = source.choice(
        ["history.csv", "records", "replay.html", "script", "parameters?format=npz"]
    )
    with _request(world, "GET", f"/api/runs/{run}/{path}", []) as connection:
        with contextlib.suppress(OSError):
            connection.recv(source.choice([1, 1000, 30_000]))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)


@kind(4)
def trainer_with_a_wrong_secret(world: World, source: random.Random) -> None:
    """Knock at the trainers' door with a secret that is not the run's: refused."""
    run = _some(world, source).run
    headers = [*UPGRADE, "Authorization: Bearer wrong"]
    said = b""
    with _request(world, "GET", f"/api/runs/{run}/trainer", headers) as connection:
        with contextlib.suppress(OSError):
            said = connection.recv(100)
        if said and b" 403 " not in said and b" 404 " not in said:
            world.ledger.violate(f"a trainer with a wrong secret was answered {said!r}")


def _some(world: World, source: random.Random) -> Subject:
    return source.choice(world.subjects) if world.subjects else Subject("00000000", "", {})


def _request(world: World, method: str, path: str, headers: list[str]) -> socket.socket:
    # An unconnected socket where the server is not there: the fault was for nothing then.
    connection = socket.socket()
    connection.settimeout(2)
    with contextlib.suppress(OSError):
        connection.connect(("127.0.0.1", world.port))
        connection.sendall(head(method, path, [f"Host: 127.0.0.1:{world.port}", *headers]))
    return connection


def _stream(world: World, source: random.Random) -> socket.socket:
    return _request(world, "GET", f"/api/runs/{_some(world, source).run}/stream", list(UPGRADE))


def _keep(world: World, stream: socket.socket, source: random.Random) -> None:
    name = f"mute viewer {source.randrange(12)}"  # so many at once at most
    if not world.troubles.begin(name, source.uniform(*MUTE_SECS), lambda: None, stream.close):
        stream.close()
