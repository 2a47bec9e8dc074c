"""A server that is killed and started again on the same folder and port, a run of it, and a viewer
that comes back.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from livegrad.protocol import RECORDS, Frame, decode
from tests.running import Server, serving
from tests.server.trainers import trainer_of, trainers_of


class RestartableServer:
    """`server` is the one that runs now.

    `run` stands at step 0 at first, and has the server for itself.

    `killed_at` is the moment of the last kill, by `time.perf_counter`.
    """

    def __init__(self, data: Path, port: int, config: Mapping[str, Any]) -> None:
        self.data, self.port = data, port
        self.killed_at = 0.0
        self._stack = ExitStack()
        self.server = self._start()
        # the default run: its trainer is not the one to kill
        for other in self.server.get("/runs"):
            self.server.wait(other["id"], "paused")
            self.server.client.delete(f"/api/runs/{other['id']}")
        self.run = self.server.create(**config)

    def _start(self) -> Server:
        return self._stack.enter_context(serving(self.data, port=self.port))

    def kill_trainer(self) -> None:
        trainer = trainer_of(self.server)
        self.killed_at = time.perf_counter()
        trainer.kill()

    def kill_server(self) -> None:
        """Kill the server alone, and start the next at once."""
        self.killed_at = time.perf_counter()
        self.server.process.kill()
        self._restart()

    def kill_both(self) -> None:
        """Kill the server and the run's trainer, and start the next server at once."""
        trainer = trainer_of(self.server)
        self.killed_at = time.perf_counter()
        self.server.process.kill()
        trainer.kill()
        self._restart()

    def _restart(self) -> None:
        self.server.process.wait()
        self._stack.close()
        self._stack = ExitStack()
        self.server = self._start()

    def ready_again(self) -> float:
        """Wait until the run trains on; return the seconds it took."""
        begin = time.monotonic()
        step = -1
        while True:
            run = self.server.get(f"/runs/{self.run}")
            if run["state"] == "running" and step >= 0 and run["step"] > step:
                return time.monotonic() - begin
            if run["state"] == "running":
                step = run["step"] if step < 0 else step
            assert time.monotonic() - begin < 30, run
            time.sleep(0.02)

    def close(self) -> None:
        """End the server, and trainers that outlived one."""
        self._stack.close()
        for left in trainers_of(self.port):
            left.kill()


class ReconnectingViewer:
    """A viewer that reconnects by itself. `note(connection, frame)` is told of every frame of
    records, in a thread.

    `connection` counts how often it had to connect.
    """

    def __init__(self, port: int, run: str, note: Callable[[int, Frame], None]) -> None:
        self._url = f"ws://127.0.0.1:{port}/api/runs/{run}/stream"
        self._note = note
        self._connections = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "ReconnectingViewer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.is_set():
            try:
                with connect(self._url, max_size=None, compression=None) as stream:
                    self._connections += 1
                    self._read(stream)
            except (OSError, ConnectionClosed, EOFError):
                time.sleep(0.05)

    def _read(self, stream: Any) -> None:
        while not self._ends.is_set():
            try:
                message = stream.recv(timeout=0.2)
            except TimeoutError:
                continue
            if isinstance(message, bytes) and (frame := decode(message)).kind == RECORDS:
                self._note(self._connections, frame)
