"""What surroundings do to a real server's run log.

Moved, deleted, read for long, its lock file cleaned away.
"""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.running import Server, serving
from tests.viewer import stored, viewing

CONFIG: dict[str, Any] = {
    "optimizer": {"kind": "adam", "lr": 0.01},
    "pace": None,
    "max_steps": 10**7,
}


def wait(met: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def step_of(server: Server, run: str) -> int:
    return int(server.get(f"/runs/{run}")["step"])


def refusal(data: Path) -> str:
    """Start a server that must refuse; return what it says."""
    command = [sys.executable, "-m", "livegrad", "--port", "0", "--no-browser", "--data", str(data)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2, ended.stderr
    return ended.stderr


# -- moved away


@pytest.mark.parametrize(
    "what", ["livegrad.sqlite3", "livegrad.sqlite3-wal", "livegrad.sqlite3-shm", ""]
)
def test_a_log_that_is_moved_away_stops_training_until_it_is_back(
    tmp_path: Path, what: str
) -> None:
    folder, away = tmp_path / "data", tmp_path / "away"
    with serving(folder) as server:
        run = server.create(**CONFIG)
        server.command(run, "play")
        wait(lambda: step_of(server, run) > 300)
        (folder / what).rename(away)
        wait(lambda: "is missing (" in server.log_text())
        time.sleep(0.5)  # what was under way
        stood = step_of(server, run)
        time.sleep(1.5)
        assert step_of(server, run) == stood
        away.rename(folder / what)
        wait(lambda: step_of(server, run) > stood + 100)
        server.command(run, "pause")
        last = step_of(server, run)
        with viewing(server, run) as viewer:
            assert set(stored(server, run, viewer.hello["record_bytes"])) == set(range(last + 1))
        assert server.stop() == 0
    with closing(sqlite3.connect(folder / "livegrad.sqlite3")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT last_step FROM runs WHERE id = ?", (run,)).fetchone() == (last,)


def test_a_log_that_is_replaced_is_not_written_and_neither_is_what_stands_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "livegrad.sqlite3"
    with serving(tmp_path) as server:
        run = server.create(**CONFIG)
        server.command(run, "play")
        wait(lambda: step_of(server, run) > 300)
        shutil.copy(path, tmp_path / "copy")
        before = (tmp_path / "copy").read_bytes()
        path.rename(tmp_path / "former")
        (tmp_path / "copy").rename(path)
        wait(lambda: "was replaced by another file" in server.log_text())
        assert path.read_bytes() == before
        (tmp_path / "former").rename(path)
        stood = step_of(server, run)
        wait(lambda: step_of(server, run) > stood + 100)
        assert server.stop() == 0


# -- the lock file


def test_a_deleted_lock_file_lets_no_second_server_in(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for _ in range(2):
            (tmp_path / "livegrad.lock").unlink()
            wait((tmp_path / "livegrad.lock").exists)
            assert "another livegrad is at work on" in refusal(tmp_path)
        assert server.stop() == 0
        assert "created and locked again" in server.log_text()
        assert "Traceback" not in server.log_text()


def test_a_server_whose_log_was_taken_over_writes_nothing_more_and_says_so(tmp_path: Path) -> None:
    # The second one locks another file: through a link to the log, which no lock file tells of.
    first, second = tmp_path / "first", tmp_path / "second"
    with serving(first) as one:
        run = one.create(**CONFIG)
        one.command(run, "play")
        wait(lambda: step_of(one, run) > 300)
        second.mkdir()
        (second / "livegrad.sqlite3").symlink_to(first / "livegrad.sqlite3")
        with serving(second) as two:
            wait(lambda: "another livegrad has taken over" in one.log_text())
            wait(lambda: two.get(f"/runs/{run}")["state"] == "running")
            wait(lambda: step_of(two, run) > step_of(one, run) + 100)
            assert one.process.poll() is None
            two.command(run, "pause")
            last = step_of(two, run)
            with viewing(two, run) as viewer:
                assert set(stored(two, run, viewer.hello["record_bytes"])) == set(range(last + 1))
            one.stop()
            assert step_of(two, run) == last
            assert two.stop() == 0


# -- who may read it


@pytest.mark.skipif(os.name == "nt", reason="rights are the folder's there")
def test_the_run_log_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        tmp_path.chmod(0o755)
        with serving(tmp_path / "there") as server:
            assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755  # as it was
            for ending in ("sqlite3", "sqlite3-wal", "sqlite3-shm", "lock"):
                assert (
                    stat.S_IMODE((tmp_path / "there" / f"livegrad.{ending}").stat().st_mode)
                    == 0o600
                )
            server.create()  # a server that still loads torch takes long to end
            assert server.stop() == 0
        (tmp_path / "there" / "livegrad.sqlite3").chmod(0o644)
        (tmp_path / "there" / "livegrad.lock").chmod(0o644)
        with serving(tmp_path / "there"):
            for ending in ("sqlite3", "sqlite3-wal", "sqlite3-shm", "lock"):
                assert (
                    stat.S_IMODE((tmp_path / "there" / f"livegrad.{ending}").stat().st_mode)
                    == 0o600
                )
    finally:
        os.umask(before)


# -- whoever reads it


def handles(server: Server) -> int:
    names = [os.path.basename(file) for file in _links(f"/proc/{server.process.pid}/fd")]
    return sum(name.startswith("livegrad.sqlite3") for name in names)


def _links(folder: str) -> list[str]:
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(f"{folder}/{name}"))
        except OSError:
            continue  # closed meanwhile
    return found


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="counts the open files of a Linux process"
)
def test_exports_read_to_the_end_or_given_up_leave_no_file_open(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with serving(tmp_path) as server:
        run = server.create(**CONFIG)
        server.command(run, "step", count=2000)
        path = f"/api/runs/{run}/history.csv"

        def export(number: int) -> int:
            with server.client.stream("GET", path) as answer:
                assert answer.status_code == 200
                if number % 2:
                    return 0  # given up
                return sum(map(len, answer.iter_bytes()))

        def exports(count: int) -> set[int]:
            with ThreadPoolExecutor(25) as threads:
                return set(threads.map(export, range(count)))

        whole = exports(25) - {0}
        before = handles(server)
        assert exports(125) - {0} == whole
        assert len(whole) == 1
        wait(lambda: handles(server) <= max(before, 12))
        assert server.stop() == 0


def test_a_program_that_reads_for_long_holds_nothing_up_and_is_told_of(tmp_path: Path) -> None:
    with serving(tmp_path, "--keep", "20MB") as server:
        run = server.create(**CONFIG | {"hidden": 64})
        server.command(run, "play")
        wait(lambda: step_of(server, run) > 500)
        slowest = 0.0
        with closing(
            sqlite3.connect(tmp_path / "livegrad.sqlite3", isolation_level=None)
        ) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM runs").fetchone()
            end = time.monotonic() + 60
            while "kept one transaction open" not in server.log_text():
                assert time.monotonic() < end
                begun = time.monotonic()
                server.command(run, "tune", lr=0.001)
                slowest = max(slowest, time.monotonic() - begun)
                time.sleep(0.1)
        assert slowest < 2.0  # it was 5 s at a time
        server.command(run, "pause")
        server.command(run, "step", count=600)
        assert (tmp_path / "livegrad.sqlite3-wal").stat().st_size < 150e6
        print(f"slowest command {slowest:.3f} s")
        assert server.stop() == 0


# -- damage


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    folder = tmp_path_factory.mktemp("two")
    with serving(folder) as server:
        runs = server.create(**CONFIG), server.create(**CONFIG)
        for run in runs:
            server.command(run, "step", count=999)
        assert server.stop() == 0
    return folder, *runs


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET payload = substr(payload, 4)"
        " WHERE run = ?1 AND first <= 999 AND first + count > 999",
        "UPDATE runs SET columns = 'nonsense' WHERE id = ?1",
    ],
)
def test_one_runs_damage_stays_that_runs(
    tmp_path: Path, two_runs: tuple[Path, str, str], damage: str
) -> None:
    folder, hurt, whole = two_runs
    path = tmp_path / "livegrad.sqlite3"
    shutil.copy(folder / path.name, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(damage, (hurt,)).rowcount == 1
        db.commit()
    with serving(tmp_path) as server:
        server.command(whole, "step", count=2000)
        assert server.get(f"/runs/{whole}/parameters", params={"step": 2999})["step"] == 2999
        wait(lambda: _compacted(tmp_path, whole) == 2816)
        answer = server.client.get(f"/api/runs/{hurt}/parameters", params={"step": 999})
        assert answer.status_code == 507
        assert server.stop() == 0
        assert f"run {hurt} is damaged in the run log" in server.log_text()
        assert "Traceback" not in server.log_text()


def _compacted(folder: Path, run: str) -> int:
    with closing(sqlite3.connect(folder / "livegrad.sqlite3")) as db:
        return int(db.execute("SELECT compacted FROM runs WHERE id = ?", (run,)).fetchone()[0])
