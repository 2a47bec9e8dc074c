"""The log's files: known again by what they are, not by their names; and for their owner alone."""

import os
import stat
from pathlib import Path

import pytest

from livegrad.errors import LogMoved
from livegrad.store.log_files import ENDINGS, LogFiles, keep_from_others, make_file, make_folder

needs_rights = pytest.mark.skipif(os.name == "nt", reason="rights are the folder's there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.sqlite3"
    for ending in ENDINGS:
        Path(f"{path}{ending}").write_bytes(b"x" * (1 + len(ending)))
    return path


def test_files_that_stay_where_they_are_pass_and_the_write_ahead_log_is_measured(
    path: Path,
) -> None:
    files = LogFiles(path)
    files.check()  # nothing is remembered yet
    files.remember()
    Path(f"{path}-wal").write_bytes(b"x" * 1000)
    files.check()
    assert files.wal_bytes == 1000


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_away_or_another_is_told_and_its_return_is_enough(
    path: Path, ending: str
) -> None:
    files, file = LogFiles(path), Path(f"{path}{ending}")
    files.remember()
    file.rename(path.parent / "away")
    with pytest.raises(LogMoved, match=f"{file} is missing \\(.*No such file"):
        files.check()
    file.write_bytes(b"x")
    with pytest.raises(LogMoved, match=f"{file} was replaced by another file"):
        files.check()
    (path.parent / "away").replace(file)
    files.check()


@needs_rights
def test_a_folder_is_made_for_its_owner_and_one_that_is_there_keeps_its_rights(
    tmp_path: Path,
) -> None:
    make_folder(tmp_path / "deep" / "data")
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
    (tmp_path / "deep" / "data").chmod(0o755)
    make_folder(tmp_path / "deep" / "data")
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o755


@needs_rights
def test_a_file_is_made_for_its_owner_and_one_that_is_there_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "file"
    make_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"kept")
    make_file(file)
    assert file.read_bytes() == b"kept"


@needs_rights
@pytest.mark.parametrize(("before", "after"), [(0o666, 0o600), (0o640, 0o600), (0o500, 0o500)])
def test_the_rights_of_others_are_taken_away_and_the_owners_kept(
    tmp_path: Path, before: int, after: int
) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(before)
    keep_from_others(file)
    assert stat.S_IMODE(file.stat().st_mode) == after
    keep_from_others(tmp_path / "nothing")
