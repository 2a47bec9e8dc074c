"""Trainers that need no process.

They compute made-up records, and speak the trainers' protocol to a real hub.

A record follows from the one before it and the learning rate, exactly, so that any that does not is
found out.
"""

import json
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from livegrad.assignment import Assignment
from livegrad.errors import NotStarted, ProtocolError, StaleEpoch
from livegrad.protocol import RECORDS, Frame, columns_of, encode
from livegrad.runs.hub import Hub
from livegrad.runs.launcher import End
from livegrad.runs.run import LiveRun
from livegrad.runs.trainer_session import TrainerSession

COLUMNS = columns_of([("weight", (1,))], [])
RECORD = struct.Struct("<5f")  # loss, validation_loss, lr, weight, its gradient


def follow(weight: float, lr: float, step: int) -> float:
    """Return the weight after update `step`.

    A whole number below 2**24, which float32 holds exactly.
    """
    return float((int(weight) * 1_103_515 + int(lr * 1000) * 7919 + step) % 2**24)


def record(weight: float, lr: float, step: int) -> bytes:
    return RECORD.pack(step, step, lr, weight, 1.0)


@dataclass
class SimulatedTrainer:
    """One simulated trainer.

    What it has computed, what of it is not logged, what is still on its way.
    """

    run: str
    secret: str
    epoch: int
    step: int
    weight: float
    lr: float
    on_end: Any
    asked: dict[int, dict[str, Any]]  # by serial number: the commands that trainers have answered
    plays: bool
    unlogged: deque[bytes | str] = field(default_factory=deque)
    logged: int = 0
    sent: int = 0  # of `unlogged`, over the present connection
    wire: deque[bytes | str] = field(default_factory=deque)  # sent, and not yet read by the server
    session: TrainerSession | None = None
    live: LiveRun | None = None
    is_alive: bool = True
    obeys: bool = True  # has its training code not raised an error?
    is_reported: bool = False  # has its end been told?
    seen: set[str] = field(default_factory=set)

    @classmethod
    def begin(
        cls, assignment: Assignment, on_end: Any, asked: dict[int, dict[str, Any]]
    ) -> "SimulatedTrainer":
        origin, address = assignment.origin, assignment.address
        config = json.loads(assignment.config)
        step, weight, lr = 0, 1.0, config["optimizer"]["lr"]
        if origin is not None:
            step, lr = origin.step, origin.lr
            weight = RECORD.unpack(origin.record)[3]
        run = address.url.split("/")[-2]
        work = cls(
            run, address.secret, address.epoch, step, weight, lr, on_end, asked, assignment.plays
        )
        if origin is None or not origin.is_own:
            work._put(step, record(weight, lr, step))
        work.say_state()
        return work

    # -- what it does

    def _put(self, step: int, payload: bytes) -> None:
        self.unlogged.append(encode(Frame(RECORDS, 1, step, self.epoch, 0, 1.0, payload)))

    def train(self, steps: int) -> None:
        if not self.obeys:
            return
        for _ in range(steps):
            self.step += 1
            self.weight = follow(self.weight, self.lr, self.step)
            self._put(self.step, record(self.weight, self.lr, self.step))

    def say_state(self, kind: str = "state") -> None:
        self._say(
            {
                "kind": kind,
                "state": "running" if self.plays else "paused",
                "phase": "step",
                "step": self.step,
                "loss": 1.0,
                "validation_loss": 1.0,
                "lr": self.lr,
                "pace": None,
                "grad_states": ["fresh"],
            }
        )

    def _say(self, message: dict[str, Any]) -> None:
        self.unlogged.append(json.dumps(message))

    def fail(self) -> None:
        self._say({"kind": "failed", "reason": "ValueError: made up"})
        self.plays = self.obeys = False

    def obey(self, name: str, command: dict[str, Any]) -> None:
        if name in self.seen or not self.obeys:
            return
        self.seen.add(name)
        serial = len(self.asked)
        self.asked[serial] = command
        match command["kind"]:
            case "tune":
                self.lr = command["lr"]
            case "play":
                self.plays = True
            case "pause":
                self.plays = False
            case "step":
                self.train(command["count"] % 5)
        self.say_state()
        answer = {"kind": "answer", "id": name, "applied_at_step": serial}
        self._say(answer | {"state": "paused", "phase": "step", "step": self.step})

    # -- its connection

    async def connect(self, hub: Hub) -> None:
        if self.live is None or self.session is not None:
            return
        data: dict[str, Any] = {}
        columns = [column.as_json() for column in COLUMNS]
        hello = {"kind": "hello", "epoch": self.epoch, "columns": columns, "data": data}
        try:
            hub.supervisor.admit(self.live, self.secret)
            session = await hub.supervisor.greet(self.live, json.dumps(hello))
        except StaleEpoch:
            self.is_alive = False
            return
        self.session = session
        self.sent = 0
        self.wire.clear()

    def send(self, most: int) -> None:
        if self.session is None or self.session.is_closed or not self.is_alive:
            return
        for message in list(self.unlogged)[self.sent : self.sent + most]:
            self.wire.append(message)
            self.sent += 1

    def arrive(self, hub: Hub, most: int) -> None:
        """Let the server read some of what is on its way."""
        while self.wire and most > 0 and self.session is not None and self.live is not None:
            most -= 1
            try:
                hub.supervisor.ingest.receive(self.live, self.session, self.wire.popleft())
            except StaleEpoch:
                self.part(hub)
            except ProtocolError as error:
                hub.supervisor.broke(self.live, self.session, error)
                self.part(hub)
                raise

    async def read(self) -> None:
        """Read what the server has said; what it says takes no time to come."""
        session = self.session
        if session is None or not self.is_alive:
            return
        while session._messages or session._told < session._acknowledged:
            text = await session.next()
            if text is None:
                return
            self._hear(json.loads(text))

    def _hear(self, said: dict[str, Any]) -> None:
        match said["kind"]:
            case "welcome" | "ack":
                while self.unlogged and self.logged < said["seq"]:
                    self.unlogged.popleft()
                    self.logged += 1
                    self.sent = max(self.sent - 1, 0)
            case "command":
                self.obey(said["id"], said["command"])
            case "stop":
                self.is_alive = False

    def part(self, hub: Hub) -> None:
        """Lose the connection; what the server has not read is lost."""
        if self.session is not None and self.live is not None:
            session, self.session = self.session, None
            self.wire.clear()
            hub.supervisor.part(self.live, session)

    def report(self, how: End) -> None:
        """Let the server hear of the process's end."""
        self.is_alive = False
        if not self.is_reported:
            self.is_reported = True
            self.on_end(how)


class SimulatedLauncher:
    """Starts simulated trainers. `refuses`: the surroundings keep processes from starting."""

    def __init__(self, asked: dict[int, dict[str, Any]]) -> None:
        self.is_warm = True
        self.warm_failure = None
        self.works: dict[str, SimulatedTrainer] = {}
        self.all: list[SimulatedTrainer] = []
        self.refuses = False
        self._asked = asked

    async def warm_up(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def start(self, run: str, assignment: Assignment, on_end: Any) -> None:
        if self.refuses:
            raise NotStarted("there is no memory for another process")
        if (before := self.works.get(run)) is not None:
            before.report(End(-9))
        work = self.works[run] = SimulatedTrainer.begin(assignment, on_end, self._asked)
        self.all.append(work)

    async def end(self, run: str, patience_secs: float = 0) -> None:
        if (work := self.works.get(run)) is not None:
            work.report(End(-9))

    async def end_all(self) -> None:
        for work in self.works.values():
            work.report(End(-9))

    def pid(self, run: str) -> int | None:
        work = self.works.get(run)
        return 1 if work is not None and work.is_alive else None
