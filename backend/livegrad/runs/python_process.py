"""Starts livegrad's own Python processes independently of where the server was started. No torch.

Each gets a safe import path, a permanent working folder, and plain pipes: no socket, no temporary
file, and not the caller's main module.
"""

import asyncio
import contextlib
import errno
import os
import signal
import site
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from livegrad.errors import NotStarted
from livegrad.process_protocol import LENGTH, Message, body_length, decode, encode

# the folder that must be on the import path for `import livegrad`
PACKAGE_FOLDER = Path(__file__).parents[2]
# Training runs on the CPU. The value is "-1" because some systems treat an empty variable as unset.
NO_DEVICES = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}
ADVICE = "close other programs, or let some runs finish, and try again"
MISSING = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC)


async def start(module: str, hides_devices: bool) -> Process:
    """Start `module` as a program. With `hides_devices` it sees no GPU. Raises NotStarted."""
    if not sys.executable:
        raise NotStarted(
            "a process could not be started: Python does not know the path of its own program"
        )
    environment = os.environ | {"PYTHONPATH": import_path()} | (NO_DEVICES if hides_devices else {})
    command = [sys.executable, *flags(), "-m", module]
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=environment, cwd=staying_folder()
        )
    except OSError as error:
        advice = (
            f"check that {sys.executable} exists and may be run"
            if error.errno in MISSING
            else ADVICE
        )
        raise NotStarted(
            f"a process could not be started: {error.strerror or error}; {advice}"
        ) from error


def flags() -> list[str]:
    """Return this interpreter's flags, and -P: no imports from the working folder."""
    found = ["-P"]
    if sys.flags.ignore_environment:
        found.append("-E")
    if sys.flags.no_user_site:
        found.append("-s")
    return found


def import_path() -> str:
    """Return PYTHONPATH for a process: this one's absolute entries, and livegrad's folder.

    A relative or empty entry means the working folder, whose files may have names like random.py or
    torch.py. Installed packages are found without PYTHONPATH, and must not come before the standard
    library.
    """
    entries = [
        entry
        for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if os.path.isabs(entry)
    ]
    installed = {*site.getsitepackages(), site.getusersitepackages()}
    if str(PACKAGE_FOLDER) not in installed:
        entries.append(str(PACKAGE_FOLDER))
    return os.pathsep.join(entries)


def staying_folder() -> str:
    """Return a folder that always exists and that everybody may enter."""
    return sys.base_prefix if sys.platform == "win32" else "/"


async def write(process: Process, message: Message) -> None:
    """Send a message to the process. Raises OSError when it is gone."""
    assert process.stdin is not None
    process.stdin.write(encode(message))
    await process.stdin.drain()


async def read(process: Process) -> Message:
    """Wait for the process's next message.

    Raises EOFError when there are no more, ProtocolError, OSError.
    """
    assert process.stdout is not None
    head = await process.stdout.readexactly(LENGTH.size)  # IncompleteReadError is an EOFError
    return decode(await process.stdout.readexactly(body_length(head)))


def kill(process: Process) -> None:
    """Kill the process unless it has ended.

    `process.kill` is not used: it polls whether the process has ended and so takes the exit code
    away from asyncio.
    """
    if process.returncode is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
