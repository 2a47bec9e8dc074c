"""Records in less room: each number's change from step to step, byte by byte, through Zstandard. PURE; bit for bit.

From one step to the next most numbers change little: as integers their bits differ by little too, and the upper bytes
of these differences are nearly all zero. docs/decisions/0007 has the measurements.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from livegrad.errors import RunDamaged

LEVEL = 3
Bits = NDArray[np.int32]


def pack(payload: bytes, count: int) -> bytes:
    """Return `count` records in less room."""
    bits: Bits = np.frombuffer(payload, np.int32).reshape(count, -1)
    change = bits.copy()
    change[1:] -= bits[:-1]  # wraps around, and back again
    folded = (change << 1) ^ (change >> 31)  # small ones of either sign have upper bytes of zero
    planes = folded.T.reshape(-1).view(np.uint8).reshape(-1, 4).T  # number by number, byte by byte
    return ZstdCompressor(level=LEVEL, write_checksum=True).compress(planes.tobytes())


def unpack_numbers(packed: Sequence[bytes], count: int, numbers: slice) -> Bits:
    """Return, of several packed payloads of `count` records each, some of the numbers: (payloads, numbers, count).

    To do it at once for thousands takes a tenth of the time. Raises RunDamaged for bytes that are not what `pack` made.
    """
    decompress = ZstdDecompressor().decompress
    try:
        whole = np.frombuffer(b"".join(map(decompress, packed)), np.uint8).reshape(
            len(packed), 4, -1, count
        )
    except (ZstdError, ValueError) as error:
        raise RunDamaged(f"summaries of the run log are damaged: {error}") from error
    folded = np.ascontiguousarray(np.moveaxis(whole[:, :, numbers], 1, -1)).view(np.uint32)[..., 0]
    change: Bits = (folded >> 1).view(np.int32) ^ -(folded & 1).view(np.int32)
    return np.add.accumulate(change, axis=2, dtype=np.int32)


def unpack(packed: bytes, count: int) -> bytes:
    """Return the records that `pack` was given. Raises RunDamaged for bytes that are not what it made."""
    try:
        planes = np.frombuffer(ZstdDecompressor().decompress(packed), np.uint8).reshape(4, -1)
        folded = np.ascontiguousarray(planes.T).view(np.uint32).reshape(-1, count).T
    except (ZstdError, ValueError) as error:
        raise RunDamaged(f"{count} records of the run log are damaged: {error}") from error
    change: Bits = (folded >> 1).view(np.int32) ^ -(folded & 1).view(np.int32)
    return np.add.accumulate(change, axis=0, dtype=np.int32).tobytes()
