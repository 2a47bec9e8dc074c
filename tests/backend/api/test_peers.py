"""A connection's other end, over a real socket: whether it reads, and how much it may say."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from livegrad.api.peers import Allowance, Reader


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    try:
        yield transport, peer
    finally:
        transport.abort()
        peer.close()
        await asyncio.sleep(0)


async def read(peer: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(await asyncio.to_thread(peer.recv, min(count, 1_000_000)))


async def settled(reader: Reader) -> None:
    """Wait until the system has taken as much as it does without the peer."""
    before = -1
    while before != reader._waiting:
        before = reader._waiting
        await asyncio.sleep(0.1)
        reader.idle_secs()


async def test_a_peer_for_whom_nothing_waits_is_never_idle() -> None:
    clock = Clock()
    async with pair() as (transport, _):
        reader = Reader(transport, clock)
        clock.now += 50
        assert reader.idle_secs() == 0


async def test_a_peer_that_takes_nothing_is_idle_until_it_does() -> None:
    clock = Clock()
    async with pair() as (transport, peer):
        reader = Reader(transport, clock)
        transport.write(bytes(30_000_000))
        await settled(reader)
        clock.now += 7
        assert reader.idle_secs() == 7
        await read(peer, 20_000_000)
        await asyncio.sleep(0.1)
        assert reader.idle_secs() == 0
        clock.now += 2
        assert reader.idle_secs() == 2
        reader.note_progress()
        assert reader.idle_secs() == 0


async def test_a_transport_that_is_closed_is_no_error() -> None:
    async with pair() as (transport, _):
        reader = Reader(transport, Clock())
        transport.abort()
        await asyncio.sleep(0.01)
        assert reader.idle_secs() == 0


def test_an_allowance_is_used_up_and_comes_back_with_time() -> None:
    clock = Clock()
    allowance = Allowance(per_sec=10, at_once=30, clock=clock)
    assert allowance.take(30)
    assert not allowance.take(1)
    clock.now += 1
    assert allowance.take(9)
    clock.now += 1000
    assert not allowance.take(31)
