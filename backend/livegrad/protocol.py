"""Defines the wire format: columns, records and frames, and their bytes.

PURE; knows nothing of sockets or torch.

A frame is a 32-byte little-endian header and `count` records. Each record is a row of float32,
which the columns describe:

0  u16 magic 0x474C ("LG")   2  u8 version   3  u8 kind (1 records, 2 phase)
     4  u32 count                 8  u64 first step
    16  u32 epoch                20  u32 skipped
    24  f64 unix time in seconds at which the trainer finished the last record
    32  count × record_bytes
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from livegrad.errors import ProtocolError

VERSION = 1
MAGIC = 0x474C
HEADER = struct.Struct("<HBBIQIId")
RECORDS = 1
PHASE = 2
FLOAT_BYTES = 4
SCALARS = ("loss", "validation_loss", "lr")
# A `.grad` that is None fills its column with this quiet NaN. Arithmetic produces other NaNs, so
# the record itself tells None from a gradient that became NaN.
NO_GRADIENT_BITS = 0x7FC0_6E6F
_NO_GRADIENT = struct.pack("<I", NO_GRADIENT_BITS)

MAX_VIEWER_MESSAGE_BYTES = 4096
MAX_TRAINER_MESSAGE_BYTES = 4 * 1024 * 1024

# unix seconds: the year 10000, which Python's datetime cannot represent
END_OF_TIME = 253_402_300_800.0

Role = Literal["scalar", "parameter", "gradient", "state"]
GradState = Literal["none", "fresh", "stale"]


@dataclass(frozen=True, slots=True)
class Column:
    """The position of a tensor in a record.

    `offset` counts floats; `shape` is () for one number.
    """

    role: Role
    name: str
    shape: tuple[int, ...]
    offset: int
    slot: str | None = None

    @property
    def size(self) -> int:
        """Return the number of floats."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    def as_json(self) -> dict[str, Any]:
        """Return the column as in the `hello` message."""
        plain: dict[str, Any] = {
            "role": self.role,
            "name": self.name,
            "shape": list(self.shape),
            "offset": self.offset,
        }
        return plain if self.slot is None else plain | {"slot": self.slot}


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor that the optimizer keeps for each parameter, such as exp_avg.

    It has the parameter's shape, or is a single number.
    """

    name: str
    is_scalar: bool


def columns_of(
    parameters: Iterable[tuple[str, tuple[int, ...]]], slots: Sequence[Slot]
) -> tuple[Column, ...]:
    """Return a record's columns: scalars, then parameters, gradients and optimizer state.

    Parameters and gradients are in named_parameters() order.
    """
    named = list(parameters)
    wanted: list[tuple[Role, str, tuple[int, ...], str | None]] = [
        ("scalar", name, (), None) for name in SCALARS
    ]
    wanted += [("parameter", name, shape, None) for name, shape in named]
    wanted += [("gradient", name, shape, None) for name, shape in named]
    for slot in slots:
        wanted += [
            ("state", name, () if slot.is_scalar else shape, slot.name) for name, shape in named
        ]
    columns: list[Column] = []
    offset = 0
    for role, name, shape, slot_name in wanted:
        column = Column(role, name, shape, offset, slot_name)
        columns.append(column)
        offset += column.size
    return tuple(columns)


def record_bytes(columns: Sequence[Column]) -> int:
    """Return the length of one record in bytes."""
    return FLOAT_BYTES * sum(column.size for column in columns)


def grad_states_of(step: int, record: bytes, columns: Sequence[Column]) -> list[GradState]:
    """Return the state of each parameter's `.grad` in the record of `step`.

    After `optimizer.step()` a `.grad` is either None or that of the iteration's own `backward()`,
    never stale. Records that were logged before NO_GRADIENT_BITS existed carry another NaN; only
    their step 0, before the first `backward()`, has a `.grad` that is None.
    """
    places = [FLOAT_BYTES * column.offset for column in columns if column.role == "gradient"]
    return [
        "none" if step == 0 or record.startswith(_NO_GRADIENT, place) else "fresh"
        for place in places
    ]


def columns_from_json(plain: object) -> tuple[Column, ...]:
    """Return the columns that `Column.as_json` wrote. Raises ProtocolError."""
    if not isinstance(plain, list):
        raise ProtocolError(f"expected a list of columns, received {type(plain).__name__}")
    return tuple(_column(item) for item in plain)


def check_layout(columns: Sequence[Column]) -> None:
    """Check the order of columns: scalars first, contiguous, a gradient for each parameter.

    Raises ProtocolError.
    """
    names = tuple(column.name for column in columns if column.role == "scalar")
    if names != SCALARS:
        raise ProtocolError(f"expected the scalars {SCALARS}, received {names!r:.100}")
    offset = 0
    for column in columns:
        if column.offset != offset:
            raise ProtocolError(
                f"expected {column.name!r:.100} at {offset}, received {column.offset}"
            )
        offset += column.size
    if record_bytes(columns) > MAX_TRAINER_MESSAGE_BYTES:
        raise ProtocolError(f"expected records of at most {MAX_TRAINER_MESSAGE_BYTES} bytes")
    _check_parameters(columns)


def _check_parameters(columns: Sequence[Column]) -> None:
    keys = [(column.role, column.name, column.slot) for column in columns]
    if len(set(keys)) < len(keys):
        raise ProtocolError("expected each column once")
    parameters, gradients = (
        [(column.name, column.shape) for column in columns if column.role == role]
        for role in ("parameter", "gradient")
    )
    if parameters != gradients or not parameters:
        raise ProtocolError(
            "expected parameters, and a gradient of the same name and shape for each, in the "
            f"same order; received parameters {parameters!r:.100} and gradients "
            f"{gradients!r:.100}"
        )
    owners = dict(parameters)
    for column in columns:
        is_state = column.role == "state"
        fits = column.name in owners and column.shape in ((), owners[column.name])
        if is_state != (column.slot is not None) or (is_state and not fits):
            raise ProtocolError(
                f"expected state of a parameter, with a slot, received {column!r:.200}"
            )


def _column(item: Any) -> Column:
    match item:
        case {
            "role": "scalar" | "parameter" | "gradient" | "state" as role,
            "name": str(name),
            "shape": list(shape),
            "offset": int(offset),
        } if (
            name and not isinstance(offset, bool) and all(type(n) is int and n >= 0 for n in shape)
        ):
            slot = item.get("slot")
            if slot is None or isinstance(slot, str):
                return Column(role, name, tuple(shape), offset, slot)
    raise ProtocolError(
        f"expected a column with role, name, shape and offset, received {item!r:.200}"
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """`count` consecutive records from step `first` on (or one phase picture), as bytes."""

    kind: int
    count: int
    first: int
    epoch: int
    skipped: int
    time: float
    payload: bytes

    @property
    def last(self) -> int:
        """Return the step of the last record."""
        return self.first + self.count - 1

    @property
    def record_bytes(self) -> int:
        """Return the length of one record in bytes."""
        return len(self.payload) // self.count

    def newest(self) -> "Frame":
        """Return the last record as a separate frame."""
        return self.since(self.last)

    def since(self, step: int) -> "Frame":
        """Return the part from `step` on; `step` must not be after the last record."""
        if step <= self.first:
            return self
        drop = step - self.first
        payload = self.payload[drop * self.record_bytes :]
        return Frame(self.kind, self.count - drop, step, self.epoch, 0, self.time, payload)

    def until(self, step: int) -> "Frame":
        """Return the part up to `step`, included; `step` must not be before the first record."""
        if step >= self.last:
            return self
        keep = step - self.first + 1
        payload = self.payload[: keep * self.record_bytes]
        return Frame(self.kind, keep, self.first, self.epoch, 0, self.time, payload)


def encode(frame: Frame) -> bytes:
    """Return the frame's bytes."""
    header = HEADER.pack(
        MAGIC, VERSION, frame.kind, frame.count, frame.first, frame.epoch, frame.skipped, frame.time
    )
    return header + frame.payload


def decode(data: bytes, record_length: int | None = None) -> Frame:
    """Return the frame in `data`.

    With `record_length`, in bytes, the payload's length is checked against it.

    Raises:
        ProtocolError: the header is too short, or has another magic, version or kind, no records
            or no finite time; or the payload's length is not count × record_bytes.
    """
    if len(data) < HEADER.size:
        raise ProtocolError(
            f"expected at least {HEADER.size} bytes of header, received {len(data)}"
        )
    magic, version, kind, count, first, epoch, skipped, time = HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise ProtocolError(
            f"expected magic {MAGIC:#06x} version {VERSION}, received {magic:#06x} version "
            f"{version}"
        )
    if kind not in (RECORDS, PHASE):
        raise ProtocolError(
            f"expected kind {RECORDS} (records) or {PHASE} (phase), received {kind}"
        )
    if count == 0 or (kind == PHASE and count != 1):
        raise ProtocolError(
            f"expected {'one picture' if kind == PHASE else 'at least one record'}, received "
            f"{count}"
        )
    length = len(data) - HEADER.size
    if (
        length % (count * FLOAT_BYTES)
        or length == 0
        or (record_length and length != count * record_length)
    ):
        expected = f"{count} × {record_length or 'a multiple of 4'}"
        raise ProtocolError(f"expected {expected} bytes of records, received {length}")
    if not 0 <= time < END_OF_TIME:
        raise ProtocolError(f"expected a unix time in seconds, received {time}")
    return Frame(kind, count, first, epoch, skipped, time, data[HEADER.size :])


def join(frames: Sequence[Frame], skipped: int = 0) -> Frame:
    """Join consecutive record frames of one epoch; the result reports `skipped` steps."""
    first = frames[0]
    if len(frames) == 1:
        if skipped == first.skipped:
            return first
        return Frame(
            first.kind, first.count, first.first, first.epoch, skipped, first.time, first.payload
        )
    return Frame(
        RECORDS,
        sum(frame.count for frame in frames),
        first.first,
        first.epoch,
        skipped,
        frames[-1].time,
        b"".join(frame.payload for frame in frames),
    )


def plain_number(value: float) -> float | str:
    """Return `value` for JSON, with NaN and infinities as "nan", "inf" and "-inf"."""
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return value


def plain_numbers(values: Any) -> Any:
    """Return nested lists of floats with each number converted by `plain_number`."""
    if isinstance(values, list):
        return [plain_numbers(value) for value in values]
    return plain_number(values) if isinstance(values, float) else values
