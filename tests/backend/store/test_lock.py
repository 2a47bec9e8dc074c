"""One livegrad a data folder: the lock is held, looked after, and gone with its holder."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from livegrad.errors import LogError
from livegrad.store.lock import LOCK, FolderLock

HOLD = """
import sys
from pathlib import Path
from livegrad.store.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def wait(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_second_lock_of_a_folder_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(LogError, match=f"another livegrad is at work on {tmp_path}"):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


def test_the_lock_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LogError, match="another livegrad"):
            FolderLock(tmp_path)
        holder.kill()
        holder.wait()
    FolderLock(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot write to the data folder"):
        FolderLock(tmp_path / "file" / "data")


def test_a_lock_file_that_is_deleted_is_locked_again(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    try:
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        (tmp_path / "data" / LOCK).unlink()
        end = time.monotonic() + 20
        while not (tmp_path / "data" / LOCK).exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.1)
        with pytest.raises(LogError, match="another livegrad is at work"):
            FolderLock(tmp_path / "data")
    finally:
        lock.release()
    FolderLock(tmp_path / "data").release()


def test_a_lock_file_that_another_takes_meanwhile_is_said_to_be_lost_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = FolderLock(tmp_path)
    os.unlink(tmp_path / LOCK)
    second = FolderLock(tmp_path)
    try:
        wait(
            lambda: "is no longer ours" in caplog.text or "created and locked again" in caplog.text
        )
    finally:
        second.release()
        first.release()
    assert caplog.text.count("is no longer ours") <= 1


def test_the_lock_of_a_folder_that_was_moved_away_is_not_made_in_what_stands_there_now(
    tmp_path: Path,
) -> None:
    lock = FolderLock(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "moved")
    (tmp_path / "data").mkdir()
    time.sleep(1.2)  # two looks
    assert not (tmp_path / "data" / LOCK).exists()
    lock.release()
