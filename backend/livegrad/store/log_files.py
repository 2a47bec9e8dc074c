"""Checks that the run log's files were not moved, and restricts access. Knows no SQL."""

import contextlib
import os
from pathlib import Path

from livegrad.errors import LogMoved

ENDINGS = ("", "-wal", "-shm")
OTHERS_RIGHTS = 0o077  # permission bits of the group and of others


class LogFiles:
    """The files of the database `path`, as they were when `remember` was called."""

    def __init__(self, path: Path) -> None:
        self._paths = [f"{path}{ending}" for ending in ENDINGS]
        # device and inode of each file; empty before `remember`
        self._files: list[tuple[int, int]] = []
        self.wal_bytes = 0  # size of the write-ahead log at the last check

    def remember(self) -> None:
        """Remember the identity of the files that are open now."""
        self._files = [(found.st_dev, found.st_ino) for found in map(os.stat, self._paths)]

    def check(self) -> None:
        """Raise LogMoved if a file was moved, deleted or replaced. The open files stay open."""
        for path, known in zip(self._paths, self._files, strict=False):
            try:
                # takes a third of the time of Path.stat, and runs before each commit
                found = os.stat(path)
            except OSError as error:
                raise LogMoved(
                    f"{path} is missing ({error.strerror}): move it back, and training goes "
                    "on; or stop livegrad and start it again, with a copy of the log or a new "
                    "one"
                ) from error
            if (found.st_dev, found.st_ino) != known:
                raise LogMoved(
                    f"{path} was replaced by another file: move the original back, and "
                    "training goes on; or stop livegrad and start it again to use the file "
                    "that is there now"
                )
            if path is self._paths[1]:
                self.wal_bytes = found.st_size


def make_folder(folder: Path) -> None:
    """Create the folder with access for its owner only; leave an existing folder's permissions.

    Raises OSError.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def make_file(path: Path) -> None:
    """Create the file, readable by its owner only, if it is missing.

    SQLite gives the files beside it the same permissions.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def keep_from_others(path: Path) -> None:
    """Remove the permissions of group and others, as far as the system allows it."""
    if os.name == "nt":
        return  # on Windows the folder's permissions apply
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode & 0o777
        if mode & OTHERS_RIGHTS:
            path.chmod(mode & ~OTHERS_RIGHTS)
