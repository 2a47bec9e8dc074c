"""A wall clock that can be set, for one server and its trainers.

A small library that is loaded before libc.
"""

import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).parent / "clock.c"
_OFFSET = struct.Struct("=d")


class Clock:
    """Build the library in `folder`; needs a C compiler.

    Raises FileNotFoundError or CalledProcessError.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._library = folder / "clock", folder / "clock.so"
        self._file.write_bytes(_OFFSET.pack(0.0))
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def environment(self) -> dict[str, str]:
        """Return what a process's environment must hold to go by this clock."""
        return {"LD_PRELOAD": str(self._library), "LIVEGRAD_CLOCK": str(self._file)}

    def set(self, offset_secs: float) -> None:
        """Set the clock `offset_secs` beside the true one, at once for every process."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(_OFFSET.pack(offset_secs))
