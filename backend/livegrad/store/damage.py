"""Describes damage in the rows of one run, and reads JSON columns back with a check.

Damage in one run does not affect other runs.
"""

import json
from typing import Any

from livegrad.errors import LivegradError, RunDamaged
from livegrad.protocol import Column, columns_from_json


def damaged_run(run: str, what: str) -> RunDamaged:
    """Return the error that describes the damage and what to do about it."""
    return RunDamaged(
        f"run {run} is damaged in the run log ({what}); the other runs are not: delete it, "
        "or put a copy of the log back"
    )


def object_of(run: str, what: str, text: str) -> dict[str, Any]:
    """Return the JSON object that a row holds. Raises RunDamaged if it was altered."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise damaged_run(run, f"{what}: {error}") from error
    if not isinstance(found, dict) or not text.isascii():  # `json.dumps` writes ASCII only
        raise damaged_run(run, f"{what} is not as it was written")
    return found


def columns_of_text(run: str, text: str) -> tuple[Column, ...]:
    """Return the columns that a row holds. Raises RunDamaged."""
    try:
        return columns_from_json(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, LivegradError) as error:
        raise damaged_run(run, f"its columns: {error}") from error
