"""The standard streams of a program whose output nobody takes.

Nothing that it prints can end it.
"""

import subprocess
import sys

import pytest

SAFE = "import sys\nfrom livegrad import console\nconsole.secure()\n"


def run(program: str, redirection: str, *flags: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, *flags, "-c", SAFE + program]
    shell = f'exec "$@" {redirection}'
    return subprocess.run(["sh", "-c", shell, "sh", *command], capture_output=True, timeout=60)


@pytest.mark.parametrize("flags", [(), ("-u",)], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", ">/dev/full", "2>/dev/full", ""]
)
def test_printing_to_either_stream_ends_nothing(redirection: str, flags: tuple[str, ...]) -> None:
    program = (
        "for _ in range(3000):\n    print('to stdout')\n    print('to stderr', file=sys.stderr)\n"
        "sys.stdin.read()\nsys.exit(7)"
    )
    assert run(program, redirection, *flags).returncode == 7


def test_what_can_be_written_is_written_and_what_has_no_letters_is_escaped() -> None:
    program = "print('é\\ud800'); print('to stderr', file=sys.stderr)"
    done = run(program, "", "-X", "utf8")
    assert done.stdout == "é\\ud800\n".encode()
    assert done.stderr == b"to stderr\n"


def test_a_file_that_is_opened_later_gets_no_standard_number() -> None:
    program = "file = open(sys.executable)\nsys.exit(file.fileno() if file.fileno() > 2 else 1)"
    assert run(program, ">&- 2>&- <&-").returncode > 2


def test_a_reader_that_leaves_ends_nothing() -> None:
    program = "for _ in range(20_000):\n    print('x' * 80)\nprint('done', file=sys.stderr)"
    command = [sys.executable, "-c", SAFE + program]
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -n 1', "sh", *command], capture_output=True, timeout=60
    )
    assert done.stdout == b"x" * 80 + b"\n"
    assert done.stderr == b"done\n"
