"""Locks a data folder for one livegrad with a lock file. docs/decisions/0013 gives the reasons.

The lock file keeps a second server from starting. The owner row in the database keeps a second
server from writing.
"""

import contextlib
import logging
import os
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from livegrad.errors import LogError
from livegrad.store.log_files import keep_from_others, make_folder

LOCK = "livegrad.lock"
LOOK_SECS = 0.5
_log = logging.getLogger("livegrad.store.lock")


class FolderLock:
    """The lock of `folder`, created if missing and held until `release` or the end of the process.

    A thread watches the lock file: if somebody deletes it, the thread creates and locks it again.

    Raises LogError when another livegrad holds the lock, or when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._former: list[FileLock] = []  # locks on files that were deleted
        try:
            make_folder(folder)
            self._lock = self._acquire()
        except Timeout as error:
            raise LogError(
                f"another livegrad is at work on {folder}: end it, or choose another folder "
                "with --data"
            ) from error
        except OSError as error:
            raise LogError(
                f"cannot write to the data folder {folder}: {error.strerror}; choose another "
                "with --data"
            ) from error
        self._is_released = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="log-lock", daemon=True)
        self._keeper.start()

    def release(self) -> None:
        """Release the lock."""
        self._is_released.set()
        self._keeper.join()
        self._lock.release()

    def _acquire(self) -> FileLock:
        lock = FileLock(self._path, mode=0o600, timeout=0, thread_local=False)
        lock.acquire()
        keep_from_others(self._path)
        self._file, self._folder = _identity(self._path), _identity(self._path.parent)
        return lock

    def _keep(self) -> None:
        is_lost = False
        while not self._is_released.wait(LOOK_SECS):
            if _identity(self._path) == self._file:
                continue
            if _identity(self._path.parent) != self._folder:
                # the folder was moved away with the lock in it; a folder now at its path belongs to
                # others
                continue
            try:
                lock = self._acquire()
                # not released, because that could delete the new lock's file
                self._former.append(self._lock)
                self._lock, is_lost = lock, False
                _log.warning(
                    "%s was deleted or replaced; it was created and locked again", self._path
                )
            except (Timeout, OSError) as error:
                if not is_lost:
                    _log.warning("%s is no longer ours: %s", self._path, error)
                is_lost = True


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None
