"""Every run log that an older livegrad wrote opens, keeps its bytes, and goes on.

One of an unknown form is refused.
"""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from livegrad.errors import LogError
from livegrad.protocol import RECORDS, Frame
from livegrad.store import migrations
from livegrad.store.compaction import compact
from livegrad.store.log import RunLog
from livegrad.store.migrations import MIGRATIONS, VERSION, Migration, migrate, pending
from livegrad.store.retention import Retention
from livegrad.store.writes import Append, Appended, Begin, Delete, Standing
from tests.backend.recorded import bytes_by_step, opened
from tests.backend.store.old_logs import FORMS, STEPS, records, restore


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        indices = db.execute(
            "SELECT 'index', name FROM sqlite_master WHERE type = 'index'"
        ).fetchall()
        columns = {
            (table, row[1]) for table in names for row in db.execute(f"PRAGMA table_info({table})")
        }
    return {*columns, *indices}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def test_there_is_a_log_of_each_form() -> None:
    assert len(FORMS) == len(MIGRATIONS)


@pytest.mark.parametrize("form", FORMS)
def test_an_older_log_becomes_what_a_new_one_is(tmp_path: Path, form: str) -> None:
    path = restore(form, tmp_path)
    RunLog(path).close()
    (tmp_path / "new").mkdir()
    RunLog(tmp_path / "new" / "log").close()
    assert schema(path) == schema(tmp_path / "new" / "log")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("form", FORMS)
def test_an_older_logs_runs_are_read_and_go_on(tmp_path: Path, form: str) -> None:
    path = restore(form, tmp_path)
    before = records(path)
    with opened(tmp_path) as log:
        assert log.damaged_runs() == {}
        run = next(entry for entry in log.runs() if entry.parent is None)
        assert (run.name, run.last_step, run.config["hidden"]) == ("old", STEPS, 1)
        assert log.tuning(run.id, 39) == (0.01, None)
        assert log.tuning(run.id, 41) == (0.02, None)
        now = {
            (entry.id, step): data
            for entry in log.runs()
            for step, data in bytes_by_step(log, entry.id, 0, STEPS).items()
        }
        assert set(now) >= {(run.id, step) for step in range(STEPS + 1)}
        assert {place: now[place] for place in before} == before
        [begun] = log.apply([Begin(run.id, "hash")])
        assert isinstance(begun, Standing)
        epoch = begun.epoch
        payload = now[run.id, STEPS] * 300
        further = Frame(RECORDS, 300, STEPS + 1, epoch, 0, 1.0, payload)
        [appended] = log.apply([Append.frames(run.id, epoch, further)])
        assert isinstance(appended, Appended)
        assert appended.last_step == STEPS + 300
        while compact(log):
            pass
        assert log.damaged_runs() == {}
        assert bytes_by_step(log, run.id, 0, STEPS) == {
            step: now[run.id, step] for step in range(STEPS + 1)
        }
        assert log.history(run.id).compacted == 512
        assert len(log.history(run.id).summaries(256, 0, 511)) == 2
        assert len(log.history(run.id).element_summaries(256, 0, 511)) == (
            2 if form != "4-settled" else 1
        )


@pytest.mark.parametrize("form", FORMS)
def test_what_an_older_log_lets_go_of_leaves_its_file(tmp_path: Path, form: str) -> None:
    path = restore(form, tmp_path)
    with opened(tmp_path) as log:
        assert log.truncate()
        before = path.stat().st_size
        retention = Retention(log, 10**9)
        for entry in log.runs():
            log.apply([Delete(entry.id)])
        retention.give_back()
        for _ in range(100):
            if not retention.tidy():
                break
        assert path.stat().st_size < before
        assert log.row("PRAGMA freelist_count") == (0,)


def test_a_chunk_that_reaches_over_the_end_of_a_block_is_parted(tmp_path: Path) -> None:
    path = restore(FORMS[0], tmp_path)
    before = records(path)
    with closing(sqlite3.connect(path)) as db:
        (run,) = db.execute("SELECT id FROM runs").fetchone()
        joined = b"".join(before[run, step] for step in range(STEPS + 1))
        db.execute("DELETE FROM chunks")
        db.execute("INSERT INTO chunks VALUES (?, 0, ?, 1, 1.0, ?)", (run, STEPS + 1, joined))
        db.commit()
    with opened(tmp_path) as log:
        assert log.rows("SELECT first, count FROM chunks ORDER BY first") == [(0, 256), (256, 85)]
        while compact(log):
            pass
        assert bytes_by_step(log, run, 0, STEPS) == {
            step: before[run, step] for step in range(STEPS + 1)
        }


def test_a_migration_that_fails_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    path = restore(FORMS[0], tmp_path)
    before = schema(path), records(path)
    broken = (
        *MIGRATIONS,
        Migration(VERSION + 1, ("runs", "x"), "ALTER TABLE nothing ADD COLUMN x"),
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        with pytest.raises(sqlite3.Error, match="nothing"):
            migrate(db, broken)
        assert pending(db) == MIGRATIONS
    assert (schema(path), records(path)) == before


def test_a_log_in_hand_needs_no_migration(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        assert log.row("PRAGMA user_version") == (migrations.VERSION,)
    with closing(sqlite3.connect(tmp_path / "livegrad.sqlite3")) as db:
        assert pending(db) == ()


@pytest.mark.parametrize(
    "change",
    [
        ("PRAGMA user_version = 0",),
        ("ALTER TABLE runs DROP COLUMN lr",),
        # later forms' marks without those before them
        ("ALTER TABLE runs ADD COLUMN goal INTEGER",),
        ("PRAGMA user_version = 2",),
        ("PRAGMA user_version = 3",),
    ],
)
def test_a_log_of_a_form_that_never_was_is_refused_in_words_and_not_touched(
    tmp_path: Path, change: tuple[str, ...]
) -> None:
    path = restore(FORMS[0], tmp_path)
    execute(path, *change)
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(LogError, match="in a form that this livegrad does not know") as refused:
        RunLog(path)
    assert "damaged" not in str(refused.value)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
