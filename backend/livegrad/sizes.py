"""Sizes as people write them: 500MB, 2GiB. PURE; knows nothing of what is that large."""

import re
from typing import Annotated, Any

from pydantic import ByteSize, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

_WRITTEN = re.compile(r"\s*\d{1,15}(\.\d{1,6})?\s*[A-Za-z]+\s*", re.ASCII)


def _read(value: Any, read: ValidatorFunctionWrapHandler) -> ByteSize:
    # ByteSize alone reads a number without a unit as bytes, and ignores what follows the unit.
    try:
        if not isinstance(value, str) or _WRITTEN.fullmatch(value):
            size: ByteSize = read(value)
            return size
    except ValidationError:
        pass
    raise ValueError("expected a number and a unit, such as 2MB")


Size = Annotated[ByteSize, WrapValidator(_read)]
