"""A run once more in plain PyTorch, with the tunings that its log lists, compared with its
records.
"""

import json
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEAR = 50  # steps
LR = 2  # where a record holds it: after loss and validation loss
# (step, learning rate that is in force from the next step on), in order
Rates = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run's records are said to be.

    `payload` holds records `first`, first + 1, … one after another.
    """

    run: str
    asked: dict[str, Any]
    dataset: dict[str, Any]
    columns: list[dict[str, Any]]
    rates: Rates
    first: int
    payload: bytes


def tunings(data: Path, run: str) -> Rates:
    """Return what the run's log lists as its changes of the learning rate, in order."""
    address = f"{(data / 'livegrad.sqlite3').resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=10)) as db:
        rows = db.execute(
            "SELECT step, detail FROM events WHERE run = ? AND kind = 'tune' ORDER BY rowid", (run,)
        ).fetchall()
    return [(step, float(json.loads(detail)["lr"])) for step, detail in rows]


def load() -> None:
    """Load torch: what a process that compares does first."""
    import tests.plain  # noqa: F401  # torch belongs into these processes alone


def compare(claim: Claim) -> str:
    """Train it again; return what differs, in words, or "" where every record is the reference's
    bit for bit.
    """
    from tests.plain import Plain

    plain = Plain(claim.asked, claim.dataset)
    size = 4 * sum(_length(column["shape"]) for column in claim.columns)
    count = len(claim.payload) // size
    rates = _by_step(claim.rates)
    different: list[int] = []
    for step in range(claim.first + count):
        if step:
            plain.iterate()
        if step >= claim.first:
            at = (step - claim.first) * size
            if plain.record(claim.columns) != claim.payload[at : at + size]:
                different.append(step)
        if step in rates:
            for group in plain.optimizer.param_groups:
                group["lr"] = rates[step]
    if not different:
        return ""
    near = [rate for rate in claim.rates if abs(rate[0] - different[0]) <= NEAR][-6:]
    return (
        f"{len(different)} of {count} records differ from plain PyTorch's, "
        f"the first is {different[0]}; "
        f"tunings listed near it {near}, {rate_of(claim, different[0], size)!r} in its record, "
        f"{rate_of(claim, different[0] + 1, size)!r} in the next"
    )


def rate_of(claim: Claim, step: int, size: int) -> float | None:
    """Return the learning rate that a record holds; None behind the last."""
    at = (step - claim.first) * size + 4 * LR
    return (
        None if at >= len(claim.payload) else float(struct.unpack_from("<f", claim.payload, at)[0])
    )


def _by_step(rates: Rates) -> dict[int, float]:
    return dict(rates)  # of several at one step, the last counts


def _length(shape: list[int]) -> int:
    length = 1
    for part in shape:
        length *= part
    return length
