"""The messages between the server and the processes that it starts, over plain pipes.

PURE; no torch.

A message is a little-endian u32, the number of bytes that follow, and a JSON object. Nothing is
unpickled.

server → forkserver       Start, any number of times
    server → spawned process  Start, once
    back                      Ready; then for each Start: Started or StartFailed; Ended
    forked process            Report to its forkserver, which passes it on inside Ended
"""

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from livegrad.assignment import Assignment
from livegrad.errors import ProtocolError

LENGTH = struct.Struct("<I")
MAX_MESSAGE_BYTES = 256 * 1024 * 1024
MAX_ERROR_LETTERS = 1000

FAILED = 1  # exit code: the training code, or an import that it needs, raised an error
TROUBLE = 75  # exit code: the system prevented the work; EX_TEMPFAIL of sysexits.h


@dataclass(frozen=True, slots=True)
class Call:
    """Call `function`, "module:name". `arguments` is the result of `pack`; the answer is bytes."""

    function: str
    arguments: str


Task = Assignment | Call


@dataclass(frozen=True, slots=True)
class Start:
    """Do `task` in a separate process. `number` identifies it in every answer."""

    number: int
    task: Task
    kind: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class Ready:
    """Torch is loaded, or `failure` says why not.

    `can_fork`: a process forked from this one can train. `is_trouble`: the system prevented torch
    from being loaded, and another attempt may succeed.
    """

    failure: str | None = None
    can_fork: bool = False
    is_trouble: bool = False
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Started:
    """The task's process has started."""

    number: int
    pid: int
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The operating system did not start a process for the task; `error` is its message."""

    number: int
    error: str
    kind: Literal["start_failed"] = "start_failed"


@dataclass(frozen=True, slots=True)
class Report:
    """A process's report: its error, or the result of its call."""

    error: str = ""
    result: bytes = b""
    kind: Literal["report"] = "report"


@dataclass(frozen=True, slots=True)
class Ended:
    """The task's process has ended. `code` is negative for a signal, as in `subprocess`."""

    number: int
    code: int
    error: str = ""
    result: bytes = b""
    kind: Literal["ended"] = "ended"


Message = Start | Ready | Started | StartFailed | Report | Ended

_CONFIG = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")
_MESSAGES: TypeAdapter[Message] = TypeAdapter(
    Annotated[Message, Field(discriminator="kind")], config=_CONFIG
)


def encode(message: Message) -> bytes:
    """Return the bytes of a message, preceded by its length."""
    body = _MESSAGES.dump_json(message)
    return LENGTH.pack(len(body)) + body


def decode(body: bytes | bytearray) -> Message:
    """Return the message in a body. Raises ProtocolError."""
    try:
        return _MESSAGES.validate_json(bytes(body))
    except ValidationError as error:
        raise ProtocolError(
            f"a process of livegrad's own sent an invalid message: {error}"
        ) from error


def body_length(head: bytes | bytearray) -> int:
    """Return how many bytes follow the first four. Raises ProtocolError."""
    length: int = LENGTH.unpack_from(head)[0]
    if length > MAX_MESSAGE_BYTES:
        raise ProtocolError(
            f"expected at most {MAX_MESSAGE_BYTES} bytes, received a length of {length}"
        )
    return length


class Decoder:
    """Splits a stream of bytes, which arrive in pieces of any size, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()  # the received part of an incomplete message

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take a piece; yield each message that it completes. Raises ProtocolError."""
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + body_length(self._buffer)
            if len(self._buffer) < end:
                return
            body = self._buffer[LENGTH.size : end]
            del self._buffer[:end]
            yield decode(body)


def pack(arguments: tuple[Any, ...]) -> str:
    """Return a call's arguments as JSON; bytes become {"$base64": text}. Raises TypeError."""
    return json.dumps(arguments, default=_packed)


def unpack(text: str) -> list[Any]:
    """Return the arguments that `pack` was given; tuples come back as lists."""
    found: list[Any] = json.loads(text, object_hook=_unpacked)
    return found


def _packed(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"$base64": b64encode(value).decode()}
    raise TypeError(f"cannot pass a {type(value).__name__} to another process")


def _unpacked(found: dict[str, Any]) -> Any:
    return b64decode(found["$base64"]) if found.keys() == {"$base64"} else found


def in_words(error: BaseException) -> str:
    """Return an error's type and message, for use in a run's reason."""
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_LETTERS].removesuffix(": ")
