"""What the server puts on the wire, for the page's own decoder to read.

Knows nothing about JavaScript: it writes `frames.json`, which `tests/frontend/protocol.test.js`
reads. Run it as a program to write the file anew; as a test it holds the file to the server's
encoder.
"""

import base64
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from livegrad import protocol
from livegrad.errors import ProtocolError
from livegrad.protocol import Column, Frame, Slot

CONTRACT = Path(__file__).with_name("frames.json")
PARAMETERS = (
    ("hidden_linear.weight", (2, 1)),
    ("hidden_linear.bias", (2,)),
    ("output_linear.weight", (1, 2)),
    ("output_linear.bias", (1,)),
)
SLOTS = (Slot("step", is_scalar=True), Slot("exp_avg", is_scalar=False))
NAN, INFINITY = float("nan"), float("inf")


def columns() -> tuple[Column, ...]:
    """A small network under a small Adam."""
    return protocol.columns_of(PARAMETERS, SLOTS)


def frames() -> list[tuple[Frame, list[float]]]:
    """Frames of each kind, with the numbers in them.

    Every one a float32 that a decimal writes exactly.
    """
    width = protocol.record_bytes(columns()) // protocol.FLOAT_BYTES
    one = [float(i) / 8 for i in range(width)]
    two = one + [-float(i) / 4 for i in range(width)]
    odd = [NAN, INFINITY, -INFINITY, -0.0, 2.0**-149, *one[5:]]
    return [
        (_frame(protocol.RECORDS, 1, 0, one), one),
        (_frame(protocol.RECORDS, 2, 2**40 + 1, two, skipped=7), two),
        (_frame(protocol.PHASE, 1, 12, odd), odd),
    ]


def _frame(kind: int, count: int, first: int, values: list[float], skipped: int = 0) -> Frame:
    return Frame(
        kind, count, first, 3, skipped, 1_700_000_000.25, struct.pack(f"<{len(values)}f", *values)
    )


def layouts() -> dict[str, list[dict[str, Any]]]:
    """Columns that a trainer may send or may not, by what is odd about them."""
    plain = [column.as_json() for column in columns()]

    def changed(place: int, **values: Any) -> list[dict[str, Any]]:
        return [item | values if at == place else item for at, item in enumerate(plain)]

    empty = protocol.columns_of([("empty.weight", (0, 3)), *PARAMETERS], ())
    return {
        "as they are": plain,
        "a parameter without elements": [column.as_json() for column in empty],
        "a dimension that is true": changed(3, shape=[2, True]),
        "a dimension that is negative": changed(3, shape=[-2, -1]),
        "half a dimension": changed(3, shape=[2, 0.5]),
        "a name that is empty": changed(3, name=""),
        "an unknown role": changed(3, role="weight"),
        "an offset in words": changed(3, offset="3"),
        "a gradient of another shape": changed(7, shape=[1, 2]),
        "a parameter without a gradient": [item for at, item in enumerate(plain) if at != 7],
    }


def is_layout(plain: list[dict[str, Any]]) -> bool:
    """Say whether these are columns of a record."""
    try:
        protocol.check_layout(protocol.columns_from_json(plain))
    except ProtocolError:
        return False
    return True


TIMES = (0.0, 1_700_000_000.25, -1.0, protocol.END_OF_TIME)


def is_time(time: float) -> bool:
    """Say whether a frame may have this time."""
    frame, _ = frames()[0]
    try:
        protocol.decode(protocol.encode(replace(frame, time=time)))
    except ProtocolError:
        return False
    return True


def contract() -> dict[str, Any]:
    """Everything that the decoder needs, and what it must find."""
    return {
        "columns": [column.as_json() for column in columns()],
        "record_bytes": protocol.record_bytes(columns()),
        "frames": [
            {
                "bytes": base64.b64encode(protocol.encode(frame)).decode(),
                "kind": "phase" if frame.kind == protocol.PHASE else "records",
                "count": frame.count,
                "first": frame.first,
                "epoch": frame.epoch,
                "skipped": frame.skipped,
                "time": frame.time,
                "values": protocol.plain_numbers(values),
            }
            for frame, values in frames()
        ],
        "layouts": [
            {"what": what, "columns": plain, "is_layout": is_layout(plain)}
            for what, plain in layouts().items()
        ],
        "times": [{"time": time, "is_time": is_time(time)} for time in TIMES],
    }


def written() -> str:
    """The file's text."""
    return json.dumps(contract(), indent=1, allow_nan=False) + "\n"


def test_what_a_trainer_may_send_is_told_from_what_it_may_not() -> None:
    verdicts = {what: is_layout(plain) for what, plain in layouts().items()}
    assert [what for what, good in verdicts.items() if good] == [
        "as they are",
        "a parameter without elements",
    ]
    assert [is_time(time) for time in TIMES] == [True, True, False, False]


def test_the_frames_that_the_page_is_tested_with_are_the_servers() -> None:
    assert CONTRACT.read_text(encoding="utf-8") == written()


if __name__ == "__main__":
    CONTRACT.write_text(written(), encoding="utf-8")
