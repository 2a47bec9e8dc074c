"""Checks for growth over hours: `python -m benchmarks.soak --minutes 60`.

Prints memory, descriptors and threads of the server and of its trainers every minute, and finally
their growth per hour after a warm-up. It takes an hour, so it is not one of the subjects of `python
-m benchmarks`.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import httpx
import psutil

from benchmarks.server import FOREVER
from benchmarks.viewer import Viewer, attach, watch
from tests.running import Server, serving

RUNS, PACE = 20, 50.0
WARM_UP_MINUTES = 10.0
SAMPLE_SECS = 60.0
READERS, MUTE = 12, 4  # viewers at once: those that read, and those that never do
STAY_SECS = 10.0  # after which the readers are replaced by others
MUTE_TURNS = 6  # turns of the readers for which a viewer that never reads stays
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures at one time: megabytes, descriptors and threads.

    Those of the trainers are summed.
    """

    minutes: float
    server_rss: float
    server_pss: float
    server_descriptors: float
    server_threads: float
    trainers_rss: float
    trainers_pss: float
    trainers_descriptors: float
    trainers_threads: float
    log_megabytes: float
    steps: float


NAMES = [field.name for field in fields(Sample)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak for the requested time; return 0 whatever grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--pace", type=float, default=PACE, help="steps per second of each run")
    parser.add_argument(
        "--every", type=float, default=SAMPLE_SECS, help="seconds between two lines"
    )
    chosen = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--max-runs", str(chosen.runs)) as server,
    ):
        runs = _begin(server, chosen.runs, chosen.pace)
        with _Visitors(server, runs) as visitors:
            samples = _watch(server, 60 * chosen.minutes, chosen.every)
        code = server.stop()
    warm_up = min(WARM_UP_MINUTES, chosen.minutes / 3)
    print(f"\nafter {warm_up:.1f} minutes of warm-up; the server's exit code: {code}")
    print(
        f"{visitors.turns} turns of viewers, {visitors.asked} requests; {len(visitors.lost)} "
        "of them lost"
    )
    print("\n".join(visitors.lost[:10]))
    print(growth_table([sample for sample in samples if sample.minutes >= warm_up]))
    return 0


def _begin(server: Server, count: int, pace: float) -> list[str]:
    for run in server.get("/runs"):
        server.client.delete(f"/api/runs/{run['id']}")
    optimizers = ("sgd", "adam", "adamw", "rmsprop")
    runs = []
    for number in range(count):
        optimizer = {"kind": optimizers[number % len(optimizers)], "lr": 1e-4}
        runs.append(server.create(optimizer=optimizer, pace=pace, max_steps=FOREVER, seed=number))
        server.command(runs[-1], "play")
    return runs


# -- measurements


def _watch(server: Server, secs: float, every: float) -> list[Sample]:
    begun = time.monotonic()
    print(
        f"| {' | '.join(name.replace('_', ' ') for name in NAMES)} |\n|{'---:|' * len(NAMES)}",
        flush=True,
    )
    samples: list[Sample] = []
    while (spent := time.monotonic() - begun) < secs:
        samples.append(_sample(server, spent / 60))
        print(
            f"| {' | '.join(f'{getattr(samples[-1], name):.1f}' for name in NAMES)} |", flush=True
        )
        time.sleep(max(0.0, min(every * len(samples), secs) - (time.monotonic() - begun)))
    return samples


def _sample(server: Server, minutes: float) -> Sample:
    own = _sizes([psutil.Process(server.process.pid)])
    trainers = _sizes(server.descendants())
    size = sum(path.stat().st_size for path in server.data.glob("livegrad.sqlite3*")) / MEGABYTE
    steps = sum(run["step"] for run in server.get("/runs"))
    return Sample(minutes, *own, *trainers, size, steps)


def _sizes(
    processes: Sequence[psutil.Process] | set[psutil.Process],
) -> tuple[float, float, float, float]:
    # Returns RSS and PSS in megabytes, descriptors, threads.
    rss = pss = descriptors = threads = 0.0
    for process in processes:
        try:
            memory = process.memory_full_info()
            rss, pss = rss + memory.rss / MEGABYTE, pss + memory.pss / MEGABYTE
            descriptors, threads = descriptors + process.num_fds(), threads + process.num_threads()
        except psutil.NoSuchProcess:
            continue
    return rss, pss, descriptors, threads


def growth_table(samples: Sequence[Sample]) -> str:
    """Return a table of how much each figure grew per hour, by least squares."""
    lines = ["| what | first | last | growth per hour |", "|---|---:|---:|---:|"]
    minutes = [sample.minutes for sample in samples]
    for name in NAMES[1:]:
        values = [float(getattr(sample, name)) for sample in samples]
        ends = f"{values[0]:.1f} | {values[-1]:.1f}" if values else "– | –"
        lines.append(f"| {name.replace('_', ' ')} | {ends} | {60 * slope(minutes, values):+.2f} |")
    return "\n".join(lines)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of the points by least squares; NaN for fewer than two."""
    if len(x) < 2:
        return float("nan")
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - middle_x) ** 2 for a in x)
    return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / spread


# -- visitors


class _Visitors:
    # Viewers that come and go, some that never read, and occasional requests for a snapshot or a
    # series.

    def __init__(self, server: Server, runs: list[str]) -> None:
        self._url, self._runs, self._source = server.url, runs, random.Random(5)
        self._over = threading.Event()
        self.turns = self.asked = 0
        self.lost: list[str] = []  # visits that ended unexpectedly
        self._threads = [threading.Thread(target=work) for work in (self._come_and_go, self._ask)]

    def __enter__(self) -> "_Visitors":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _attach(self) -> Viewer:
        return attach(self._url, self._source.choice(self._runs), self._source.random() < 0.5)

    def _come_and_go(self) -> None:
        mute: list[Viewer] = []
        readers: list[Viewer] = []
        while not self._over.is_set():
            try:
                if self.turns % MUTE_TURNS == 0:
                    _leave(mute)
                    mute = [self._attach() for _ in range(MUTE)]
                readers = [self._attach() for _ in range(READERS)]
                watch(readers, STAY_SECS * self._source.uniform(0.5, 1.5))
            except (OSError, AssertionError) as error:
                self.lost.append(f"a viewer: {error!r:.200}")
            _leave(readers)
            self.turns += 1
        _leave(mute)

    def _ask(self) -> None:
        paths = [
            "parameters",
            "parameters?format=npz",
            "series?name=loss&points=1000",
            "script",
            "kept",
        ]
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._over.wait(1):
                run, path = self._source.choice(self._runs), self._source.choice(paths)
                self.asked += 1
                try:
                    client.get(f"/api/runs/{run}/{path}").raise_for_status()
                except httpx.HTTPError as error:
                    self.lost.append(f"{path}: {error!r:.200}")


def _leave(viewers: list[Viewer]) -> None:
    for viewer in viewers:
        viewer.connection.close()


if __name__ == "__main__":
    sys.exit(main())
