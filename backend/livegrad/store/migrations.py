"""The run log's schema, and the migrations from every older one: forward only, in one transaction.

This module knows the tables, not the code that uses them: a migration is never changed after its
release.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

VERSION = 3  # the file's user_version

SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    secret TEXT NOT NULL DEFAULT '',
    lr REAL NOT NULL,
    pace REAL,
    goal INTEGER,
    last_step INTEGER NOT NULL DEFAULT -1,
    compacted INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    parent TEXT,
    parent_step INTEGER,
    config TEXT NOT NULL,
    columns TEXT NOT NULL DEFAULT '[]',
    data TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TABLE chunks (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    time REAL NOT NULL,
    is_packed INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, first)
) STRICT;
CREATE INDEX packed_chunks ON chunks (is_packed) WHERE is_packed = 1;
CREATE TABLE summaries (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    first INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, size, first)
) STRICT;
CREATE TABLE element_summaries (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    first INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, size, first)
) STRICT;
CREATE TABLE events (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run, step);
CREATE TABLE owner (token TEXT NOT NULL) STRICT;
"""

# Columns that every log had from the beginning; a log without them has an unknown form.
_FIRST = (
    (
        "runs",
        ("id", "name", "config", "created_at", "state", "reason", "epoch", "secret", "lr", "pace"),
    ),
    ("runs", ("columns", "data", "last_step")),
    ("chunks", ("run", "first", "count", "epoch", "time", "payload")),
    ("events", ("run", "step", "epoch", "time", "kind", "detail")),
)

_PARENTS = """
ALTER TABLE runs ADD COLUMN parent TEXT;
ALTER TABLE runs ADD COLUMN parent_step INTEGER;
"""

_GOAL = "ALTER TABLE runs ADD COLUMN goal INTEGER"

_SETTLED = """
ALTER TABLE runs ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET settled = coalesce(parent_step, 0) / 256 * 256;
ALTER TABLE chunks ADD COLUMN is_packed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX chunks_by_age ON chunks (time) WHERE is_packed;
CREATE TABLE digests (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    first INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, size, first)
) STRICT;
"""

_ELEMENT_DIGESTS = """
CREATE TABLE element_digests (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    first INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, size, first)
) STRICT;
"""

# Blocks get a packing order that does not depend on a clock, as their time does.
_SECOND = """
ALTER TABLE runs ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
DROP INDEX IF EXISTS chunks_by_age;
CREATE INDEX packed_chunks ON chunks (is_packed) WHERE is_packed = 1;
CREATE TABLE owner (token TEXT NOT NULL) STRICT;
"""

# Tables and columns get the names that the code and the documentation use.
_THIRD = """
ALTER TABLE runs RENAME COLUMN settled TO compacted;
ALTER TABLE digests RENAME TO summaries;
ALTER TABLE element_digests RENAME TO element_summaries;
"""


def _settle_blocks(db: sqlite3.Connection) -> None:
    run_script(db, _SETTLED)
    # Blocks of 256 steps are compacted one at a time, so from now on no chunk crosses the end of a
    # block.
    too_long = db.execute("SELECT rowid FROM chunks WHERE first / 256 < (first + count - 1) / 256")
    for (row,) in too_long.fetchall():
        _part(db, row)


def _part(db: sqlite3.Connection, row: int) -> None:
    run, first, count, epoch, time, payload = db.execute(
        "SELECT run, first, count, epoch, time, payload FROM chunks WHERE rowid = ?", (row,)
    ).fetchone()
    if len(payload) % count:
        return  # damaged; reading the run reports it
    record = len(payload) // count
    db.execute("DELETE FROM chunks WHERE rowid = ?", (row,))
    low = first
    while low < first + count:
        high = min(low // 256 * 256 + 256, first + count)
        part = payload[(low - first) * record : (high - first) * record]
        db.execute(
            "INSERT INTO chunks (run, first, count, epoch, time, is_packed, payload) "
            "VALUES (?,?,?,?,?,0,?)",
            (run, low, high - low, epoch, time, part),
        )
        low = high


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the schema.

    `version` is the file's user_version after it; `mark` is a column that it adds.
    """

    version: int
    mark: tuple[str, str]
    change: str | Callable[[sqlite3.Connection], None]


# Five forms had version 1; the marks that they lack tell them apart. From version 2 on, each form
# has its own version.
MIGRATIONS = (
    Migration(1, ("runs", "parent"), _PARENTS),
    Migration(1, ("runs", "goal"), _GOAL),
    Migration(1, ("digests", "payload"), _settle_blocks),
    Migration(1, ("element_digests", "payload"), _ELEMENT_DIGESTS),
    Migration(2, ("runs", "seq"), _SECOND),
    Migration(3, ("runs", "compacted"), _THIRD),
)


def pending(db: sqlite3.Connection) -> tuple[Migration, ...] | None:
    """Return the migrations that the log still needs, or None if its form is unknown."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    columns = {(table, name) for table in _tables(db) for name in _columns(db, table)}
    if version < 1 or not {(table, name) for table, names in _FIRST for name in names} <= columns:
        return None
    # Only logs of version 1 may lack changes that their version number includes.
    first = [m.version > version or (version == 1 and m.mark not in columns) for m in MIGRATIONS]
    done = first.index(True) if True in first else len(MIGRATIONS)
    # a later migration may rename the marks of earlier ones
    own = [m.mark for m in MIGRATIONS[:done] if m.version == version]
    if not columns.issuperset(own):
        return None
    return None if any(m.mark in columns for m in MIGRATIONS[done:]) else MIGRATIONS[done:]


def migrate(db: sqlite3.Connection, migrations: tuple[Migration, ...]) -> None:
    """Carry out `migrations` in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations:
            if isinstance(migration.change, str):
                run_script(db, migration.change)
            else:
                migration.change(db)
            db.execute(f"PRAGMA user_version = {migration.version}")
        db.commit()
    except BaseException:
        db.rollback()
        raise


def run_script(db: sqlite3.Connection, script: str) -> None:
    """Run statements inside the open transaction, which `executescript` would commit."""
    for statement in script.split(";"):
        db.execute(statement)


def _tables(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]
