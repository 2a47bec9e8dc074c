"""Where the run log's files stand: are they still those that were opened? Who may read them? Knows no SQL."""

import contextlib
import os
from pathlib import Path

from livegrad.errors import LogMoved

ENDINGS = ("", "-wal", "-shm")
OTHERS_RIGHTS = 0o077  # of the group, and of everybody else


class LogFiles:
    """The files of the database `path`, as they were when `remember` was called."""

    def __init__(self, path: Path) -> None:
        self._paths = [f"{path}{ending}" for ending in ENDINGS]
        self._files: list[tuple[int, int]] = []  # device and inode of each, empty before `remember`
        self.wal_bytes = 0  # the write-ahead log's size at the last check

    def remember(self) -> None:
        """Take note of the files that are open now."""
        self._files = [(found.st_dev, found.st_ino) for found in map(os.stat, self._paths)]

    def check(self) -> None:
        """Raise LogMoved when one of them was moved, deleted or replaced; what was open stays open."""
        for path, known in zip(self._paths, self._files, strict=False):
            try:
                # a third of the time of Path.stat, and it comes before each commit
                found = os.stat(path)
            except OSError as error:
                raise LogMoved(
                    f"{path} is not there any more ({error.strerror}): move it back, and training goes on; "
                    "or end livegrad and start it again, with a copy of the log or a new one"
                ) from error
            if (found.st_dev, found.st_ino) != known:
                raise LogMoved(
                    f"{path} was replaced by another file: move the former one back, and training goes on; "
                    "or end livegrad and start it again to work with the file that is there now"
                )
            if path is self._paths[1]:
                self.wal_bytes = found.st_size


def make_folder(folder: Path) -> None:
    """Make the folder, for its owner alone; one that is there keeps its rights. Raises OSError."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def make_file(path: Path) -> None:
    """Make the file, for its owner alone, unless it is there. SQLite gives the files beside it the same rights."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def keep_from_others(path: Path) -> None:
    """Take from everybody but the owner the right to read the file, where there is such a right and we may."""
    if os.name == "nt":
        return  # rights are the folder's there
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode & 0o777
        if mode & OTHERS_RIGHTS:
            path.chmod(mode & ~OTHERS_RIGHTS)
