"""A size is a number and a unit; everything else is refused in the same words."""

import pytest
from pydantic import TypeAdapter, ValidationError

from livegrad.sizes import Size

SIZES: TypeAdapter[int] = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2MB", 2 * 10**6), ("1.5 MiB", 3 * 2**19), (" 500mb ", 5 * 10**8), ("1TiB", 2**40)],
)
def test_a_number_and_a_unit_are_a_size(text: str, size: int) -> None:
    assert SIZES.validate_python(text) == size


@pytest.mark.parametrize(
    "text", ["", "2", "MB", "-1MB", "2MB!", "2 XB", "1.2.3MB", "1e3MB", "\u0662MB", "2MB 3MB"]
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="expected a number and a unit, such as 2MB"):
        SIZES.validate_python(text)
