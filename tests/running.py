"""A real livegrad server in a process of its own, on a real port, for tests and benchmarks."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

NOBODYS_PORTS = range(15_000, 32_000)  # below those that systems hand out to whoever asks for any


def free_port() -> int:
    """Return a port that is free, and stays so while a server on it is started again."""
    for port in random.SystemRandom().sample(NOBODYS_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@dataclass
class Server:
    """A running server. `url` ends without a slash; `port` is the one it picked."""

    process: subprocess.Popen[bytes]
    url: str
    port: int
    data: Path
    first_line: str
    output: IO[bytes] = field(repr=False)  # opened apart: the server's own place in it is not moved
    client: httpx.Client = field(repr=False)

    @property
    def stream_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    def get(self, path: str, **options: Any) -> Any:
        return self._json(self.client.get(f"/api{path}", **options))

    def post(self, path: str, body: Any = None) -> Any:
        return self._json(self.client.post(f"/api{path}", json=body))

    def command(self, run: str, kind: str, **arguments: Any) -> Any:
        return self.post(f"/runs/{run}/commands", {"kind": kind, **arguments})

    def create(self, **config: Any) -> str:
        """Make a run and wait until it stands at step 0; return its id."""
        run = str(self.post("/runs", config)["id"])
        self.wait(run, "paused", "failed")
        return run

    def wait(self, run: str, *states: str, seconds: float = 60.0) -> Any:
        """Return the run once it is in one of `states`."""
        begun = time.monotonic()
        while (found := self.get(f"/runs/{run}"))["state"] not in states:
            waited = time.monotonic() - begun
            assert waited < seconds, f"expected {states} within {seconds} s, the run is {found}"
            # A trainer is there in milliseconds, or once torch is loaded: seconds, and a core's
            # work.
            time.sleep(0.01 if waited < 0.3 else 0.05)
        return found

    def descendants(self) -> set[psutil.Process]:
        """Return its processes below its own: the forkserver, and the trainers."""
        return set(psutil.Process(self.process.pid).children(recursive=True))

    def _json(self, response: httpx.Response) -> Any:
        assert response.is_success, response.text
        return response.json()

    def stop(self) -> int:
        """End it with Ctrl-C; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)

    def log_text(self) -> str:
        """Return what it wrote to stderr so far."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


@contextmanager
def serving(
    data: Path,
    *flags: str,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "livegrad"),
    **options: Any,
) -> Iterator[Server]:
    """Start a server, on a free port if none is given, with its log in `data`.

    End it, however the test went.

    `program` is what is run instead of `python -m livegrad`; `options` are subprocess.Popen's own.
    """
    data.mkdir(parents=True, exist_ok=True)
    token = flags[flags.index("--token") + 1] if "--token" in flags else None
    said = data / "stderr.txt"
    with said.open("wb") as output, said.open("rb") as reading:
        process = subprocess.Popen(
            [
                *program,
                "--port",
                str(port),
                "--no-browser",
                "--data",
                str(data),
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=output,
            env=os.environ | {"PYTHONWARNINGS": "error"} | dict(environment or {}),
            **options,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode().strip()
            assert line.startswith("http://"), said.read_text(errors="replace")
            port = int(line.split("/")[2].rpartition(":")[2])
            url = f"http://127.0.0.1:{port}"
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
                yield Server(process, url, port, data, line, reading, client)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            assert process.stdout is not None
            process.stdout.close()
