"""Run logs as older livegrads wrote them.

Dumps of their databases, one for each form that there ever was.

Each has a run of one hidden unit that stands at step 340, tuned at step 40; those that could, a
branch of it from 250.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

FOLDER = Path(__file__).parent / "logs"
FORMS = sorted(path.stem for path in FOLDER.glob("*.sql"))
STEPS = 340


def restore(form: str, folder: Path) -> Path:
    """Make the run log of that form in `folder`; return its path."""
    path = folder / "livegrad.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((FOLDER / f"{form}.sql").read_text())
    return path


def records(path: Path) -> dict[tuple[str, int], bytes]:
    """Return every record that is stored as it was sent, by run and step, read without livegrad's
    code.
    """
    found: dict[tuple[str, int], bytes] = {}
    with closing(sqlite3.connect(path)) as db:
        has_packed = "is_packed" in [
            name for _, name, *_ in db.execute("PRAGMA table_info(chunks)")
        ]
        plain = "WHERE is_packed = 0" if has_packed else ""
        for run, first, count, payload in db.execute(
            f"SELECT run, first, count, payload FROM chunks {plain}"
        ):
            length = len(payload) // count
            for place in range(count):
                found[run, first + place] = payload[place * length : (place + 1) * length]
    return found
