"""Disks that are full, folders that cannot be written, files that are not a run log.

Real ones, and a real server.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from livegrad.store.database import APPLICATION_ID
from livegrad.store.migrations import VERSION
from tests.running import Server, serving
from tests.server.trainers import integrity
from tests.viewer import stored, viewing

CONFIG: dict[str, Any] = {
    "optimizer": {"kind": "adam", "lr": 0.01},
    "batch_size": 4,
    "pace": None,
    "max_steps": 10**7,
}
DISK_BYTES = 64 * 1024 * 1024
WAITING_SECS = 11.0  # longer than a silent trainer is waited for
# Linux: root writes where it may not; prctl's PR_CAPBSET_DROP
DAC_OVERRIDE, DROP_CAPABILITY = 1, 24

# -- a disk that is full


def mountable() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
        except OSError:
            return False
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return mounted.returncode == 0


# A limit on the size of files works ask_every_route; a small file system needs the right to mount
# one.
WAYS = ["limit", "disk"] if mountable() else ["limit"]


@contextmanager
def small_disk(folder: Path, way: str) -> Iterator[Path]:
    if way == "limit":
        yield folder
        return
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(server: Server, way: str) -> Iterator[None]:
    """Leave the server next to nothing, and give it back at the end."""
    if way == "limit":
        files = (server.data / f"livegrad.sqlite3{ending}" for ending in ("", "-wal"))
        size = max(file.stat().st_size for file in files) + 200_000
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        yield
        if server.process.poll() is None:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        return
    filler = server.data / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(100_000))
    yield
    filler.unlink()


def step_of(server: Server, run: str) -> int:
    return int(server.get(f"/runs/{run}")["step"])


def wait(met: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def stands(server: Server, run: str) -> bool:
    before = step_of(server, run)
    time.sleep(0.5)
    return step_of(server, run) == before


def told(event: Any, title: str) -> bool:
    return isinstance(event, dict) and event["kind"] == "error" and event["title"] == title


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_training_waits_for_a_full_disk_and_goes_on_by_itself(tmp_path: Path, way: str) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(stack.enter_context(small_disk(tmp_path, way))))
        run, plain = server.create(**CONFIG), server.create(**CONFIG)
        viewer = stack.enter_context(viewing(server, run))
        server.command(run, "play")
        viewer.take_step(2000)
        with full(server, way):
            event = viewer.take_until(lambda message: told(message, "log"))
            assert isinstance(event, dict)
            assert (
                "free some space" in event["detail"] or "check that it has space" in event["detail"]
            )
            assert "goes on by itself" in event["detail"]
            wait(lambda: stands(server, run))
            with viewing(server, run) as later:
                later.take_until(lambda message: told(message, "log"))
            held = step_of(server, run)
            time.sleep(WAITING_SECS)
            now = server.get(f"/runs/{run}")
            assert (now["state"], now["step"], now["epoch"]) == ("running", held, 1)
        viewer.take_until(lambda message: told(message, "log-again"))
        viewer.take_step(held + 1000)
        last = server.command(run, "pause")["step"]
        assert server.get(f"/runs/{run}")["epoch"] == 1
        found = stored(server, run, viewer.hello["record_bytes"])
        assert list(found) == list(range(last + 1))
        assert all(found[step] == record for step, record in viewer.records().items())
        for _ in range(-(-last // 10_000)):
            server.command(plain, "step", count=min(10_000, last - step_of(server, plain)))
        assert stored(server, plain, viewer.hello["record_bytes"]) == found
        assert server.stop() == 0
        assert integrity(tmp_path) == "ok"


@pytest.mark.parametrize("way", WAYS)
def test_a_server_ends_while_its_disk_is_full_and_goes_on_after_it(
    tmp_path: Path, way: str
) -> None:
    with small_disk(tmp_path, way) as data:
        with serving(data) as server:
            run = server.create(**CONFIG)
            server.command(run, "play")
            with viewing(server, run) as viewer:
                viewer.take_step(1000)
                with full(server, way):
                    viewer.take_until(lambda message: told(message, "log"))
                    server.process.send_signal(signal.SIGINT)
                    # its trainer waits for the log in vain for a while
                    assert server.process.wait(60) == 0
            seen, length = viewer.records(), viewer.hello["record_bytes"]
        assert integrity(data) == "ok"
        with serving(data) as again:
            wait(lambda: again.get(f"/runs/{run}")["state"] in ("interrupted", "running", "paused"))
            again.command(run, "play")
            wait(lambda: step_of(again, run) > max(seen))
            last = again.command(run, "pause")["step"]
            found = stored(again, run, length)
            assert list(found) == list(range(last + 1))
            assert all(found[step] == record for step, record in seen.items())


def test_while_the_disk_is_full_a_pause_is_answered_at_once_and_the_rest_is_told_why(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as server:
        run = server.create(**CONFIG)
        server.command(run, "play")
        with viewing(server, run) as viewer, full(server, "limit"):
            viewer.take_until(lambda message: told(message, "log"))
            begun = time.monotonic()
            for answer in (
                server.client.post("/api/runs", json=CONFIG),
                server.client.delete(f"/api/runs/{run}"),
                server.client.post(f"/api/runs/{run}/commands", json={"kind": "play"}),
                server.client.post(f"/api/runs/{run}/commands", json={"kind": "tune", "lr": 0.1}),
            ):
                assert answer.status_code == 507
                assert "check that it has space" in answer.json()["detail"]
            held = server.command(run, "pause")["step"]
            assert time.monotonic() - begun < 5
        viewer_sees = server.wait(run, "paused")
        assert viewer_sees["step"] == held
        assert [each["id"] for each in server.get("/runs")].count(run) == 1
        assert server.command(run, "step", count=5)["step"] == held + 5
        assert server.client.delete(f"/api/runs/{run}").status_code == 204


# -- what a start refuses


def refusal(data: Path, prepare: Callable[[], None] | None = None) -> str:
    """Start a server that must refuse; return what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "livegrad", "--port", "0", "--no-browser", "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=prepare,
    )
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.startswith("livegrad: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.fixture(scope="module")
def log_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A run log with some steps in it."""
    folder = tmp_path_factory.mktemp("whole")
    with serving(folder) as server:
        run = server.create(pace=None)
        server.command(run, "step", count=3000)
        assert server.stop() == 0
    return (folder / "livegrad.sqlite3").read_bytes()


def database(folder: Path, data: bytes) -> Path:
    path = folder / "livegrad.sqlite3"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["noise", "torn", "head", "runs"])
def test_a_damaged_log_is_refused_and_not_touched(
    tmp_path: Path, log_bytes: bytes, kind: str
) -> None:
    page = bytes(4096)
    damaged = {
        "noise": os.urandom(50_000),
        "torn": log_bytes[: len(log_bytes) // 2],
        "head": log_bytes[:16] + os.urandom(84) + log_bytes[100:],
        "runs": log_bytes[:8192] + b"".join(page for _ in range(3)) + log_bytes[8192 + 3 * 4096 :],
    }[kind]
    path = database(tmp_path, damaged)
    said = refusal(tmp_path)
    assert f"{path} is damaged" in said
    assert "--data" in said
    assert path.read_bytes() == damaged


def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "livegrad.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    before = path.read_bytes()
    assert "is a database of another program: choose another folder with --data" in refusal(
        tmp_path
    )
    assert path.read_bytes() == before


def test_a_log_of_a_newer_livegrad_is_refused_and_not_touched(
    tmp_path: Path, log_bytes: bytes
) -> None:
    path = database(tmp_path, log_bytes)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    db.close()
    before = path.read_bytes()
    assert "upgrade livegrad, or choose another folder with --data" in refusal(tmp_path)
    assert path.read_bytes() == before


def test_a_folder_that_another_server_uses_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        said = refusal(tmp_path)
        assert (
            f"another livegrad is at work on {tmp_path}: "
            "end it, or choose another folder with --data" in said
        )
        assert server.get("/health")["status"] == "ok"


@pytest.mark.parametrize("what", ["folder", "parent", "database"])
def test_what_cannot_be_written_is_refused_in_words(
    tmp_path: Path, log_bytes: bytes, what: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path = database(data, log_bytes)
    if what == "database":
        path.chmod(0o444)
    elif what == "folder":
        data.chmod(0o555)
    else:
        tmp_path.chmod(0o555)
    try:
        said = refusal(tmp_path / "other" if what == "parent" else data, _without_roots_rights)
        assert "cannot" in said
        assert "--data" in said
        assert path.read_bytes() == log_bytes
    finally:
        tmp_path.chmod(0o755)
        data.chmod(0o755)


def _without_roots_rights() -> None:
    # For root, nothing is read-only, unless it lets go of that right; it is lost with exec.
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(DROP_CAPABILITY, DAC_OVERRIDE, 0, 0, 0)


def test_a_record_that_was_damaged_since_is_told_and_the_server_goes_on(
    tmp_path: Path, log_bytes: bytes
) -> None:
    path = database(tmp_path, log_bytes)
    db = sqlite3.connect(path)
    (run,) = db.execute("SELECT id FROM runs WHERE last_step = 3000").fetchone()
    db.execute(
        "UPDATE chunks SET payload = zeroblob(length(payload)) WHERE run = ? AND first = 256",
        (run,),
    )
    db.commit()
    db.close()
    with serving(tmp_path) as server:
        answer = server.client.get(f"/api/runs/{run}/parameters", params={"step": 300})
        assert answer.status_code == 507
        assert "damaged" in answer.json()["detail"]
        assert server.get(f"/runs/{run}/parameters", params={"step": 700})["step"] == 700


def test_a_run_whose_newest_record_is_damaged_is_told_of_and_the_server_starts(
    tmp_path: Path, log_bytes: bytes
) -> None:
    path = database(tmp_path, log_bytes)
    db = sqlite3.connect(path)
    (run,) = db.execute("SELECT id FROM runs WHERE last_step = 3000").fetchone()
    db.execute("UPDATE runs SET last_step = 511 WHERE last_step = 3000")
    db.execute("UPDATE chunks SET payload = zeroblob(length(payload)) WHERE first = 256")
    db.commit()
    db.close()
    with serving(tmp_path) as server:
        assert f"run {run} is damaged in the run log" in server.log_text()
        assert server.get("/health")["status"] == "ok"
