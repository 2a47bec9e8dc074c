"""An honest viewer and somebody who commands, beside whatever else goes on.

How well they are served meanwhile.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from benchmarks.viewer import attach, watch
from tests.running import Server

BETWEEN_SECS = 0.02  # commands


@dataclass
class Service:
    """What was measured: the viewer's frames a second, and how many seconds each command took."""

    frames_per_sec: float = 0.0
    # without a frame, as far as a look every twentieth of a second shows
    longest_gap_secs: float = 0.0
    command_secs: list[float] = field(default_factory=list)

    def command_p99(self) -> float:
        ordered = sorted(self.command_secs)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


@contextmanager
def measured_service(server: Server, watched: str, commanded: str) -> Iterator[Service]:
    """Watch one run, at its pace, and command another, until the block ends.

    Then the figures are there.
    """
    service, ends = Service(), threading.Event()
    threads = [
        threading.Thread(target=_watch, args=(server, watched, service, ends)),
        threading.Thread(target=_command, args=(server, commanded, service, ends)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield service
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def _watch(server: Server, run: str, service: Service, ends: threading.Event) -> None:
    viewer = attach(server.url, run, acknowledges=True)
    with viewer.connection:
        watch([viewer], 0.2)
        begun = last = time.monotonic()
        before = seen = viewer.frames
        while not ends.is_set():
            watch([viewer], 0.05)
            now = time.monotonic()
            if viewer.frames > seen:
                seen, last = viewer.frames, now
            service.longest_gap_secs = max(service.longest_gap_secs, now - last)
        service.frames_per_sec = (viewer.frames - before) / (time.monotonic() - begun)


def _command(server: Server, run: str, service: Service, ends: threading.Event) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while not ends.is_set():
            begun = time.monotonic()
            answer = client.post(f"/api/runs/{run}/commands", json={"kind": "step", "count": 1})
            assert answer.is_success, answer.text
            service.command_secs.append(time.monotonic() - begun)
            time.sleep(BETWEEN_SECS)
