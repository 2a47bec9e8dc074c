"""One livegrad a data folder: a lock file, held and looked after. docs/decisions/0013 says what it is for.

The database's owner row is what keeps a second writer out; this is what keeps it from starting.
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
    """The lock of `folder`, made if it is not there. Held until `release`, or the end of the process, however it ends.

    A thread looks after it: a lock file that somebody deletes is made again, and locked.

    Raises LogError when another livegrad holds it, and when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._former: list[FileLock] = []  # of files that were deleted
        try:
            make_folder(folder)
            self._lock = self._acquire()
        except Timeout as error:
            raise LogError(
                f"another livegrad is at work on {folder}: end it, or choose another folder with --data"
            ) from error
        except OSError as error:
            raise LogError(
                f"cannot write to the data folder {folder}: {error.strerror}; choose another with --data"
            ) from error
        self._is_released = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="log-lock", daemon=True)
        self._keeper.start()

    def release(self) -> None:
        """Let go of it."""
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
                # the folder was moved away, with the lock in it; what is there now is not ours
                continue
            try:
                lock = self._acquire()
                # not released: that could delete the new one's file
                self._former.append(self._lock)
                self._lock, is_lost = lock, False
                _log.warning("%s was deleted or replaced: made again, and locked", self._path)
            except (Timeout, OSError) as error:
                if not is_lost:
                    _log.warning("%s is not ours any more: %s", self._path, error)
                is_lost = True


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None
