"""Whatever bits a record holds come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from livegrad.errors import LogError
from livegrad.store.compression import pack, unpack
from tests.backend.recorded import records

ANY_BITS = arrays.arrays(
    np.uint32, st.tuples(st.integers(1, 300), st.integers(1, 9)), elements=st.integers(0, 2**32 - 1)
)


@given(ANY_BITS)
def test_any_bits_come_back(bits: np.ndarray[tuple[int, int], np.dtype[np.uint32]]) -> None:
    assert unpack(pack(bits.tobytes(), len(bits)), len(bits)) == bits.tobytes()


def test_training_takes_less_room() -> None:
    payload = records(256).tobytes()
    assert len(pack(payload, 256)) < 0.85 * len(payload)


@pytest.mark.parametrize("place", [0, 9, -1])
def test_damage_is_told(place: int) -> None:
    packed = bytearray(pack(records(256).tobytes(), 256))
    packed[place] ^= 0x55
    with pytest.raises(LogError, match="damaged"):
        unpack(bytes(packed), 256)
