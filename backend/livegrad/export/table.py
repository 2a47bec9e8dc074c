"""Writes a run's whole history as a table with one row per step: CSV or Parquet. No web, no torch.

The table is read from the log and written page by page, so its memory does not grow with the run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livegrad.errors import NotInstalled
from livegrad.export.float_text import lines
from livegrad.protocol import Column, Frame

CSV_ROWS = 256  # per page: about a quarter of a megabyte of text, and a few megabytes to make it
PARQUET_ROWS = 16_384  # per row group
_ROLES = ("scalar", "parameter", "gradient")
Read = Callable[[int, int], Iterable[Frame]]
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Table:
    """A run's records from step `first` to `last`, which `read(first, last)` reads from the log."""

    run: str
    columns: tuple[Column, ...]
    first: int
    last: int
    read: Read

    def names(self) -> list[str]:
        """Return the names of the columns after the step, elements as PyTorch spells them."""
        return [name for column in self._shown() for name in _elements(column)]

    def pages(self, size: int) -> Iterator[tuple[int, Rows]]:
        """Yield (first step, rows of the named columns), at most `size` rows at a time."""
        floats = sum(column.size for column in self.columns)
        chosen = np.concatenate([np.arange(c.offset, c.offset + c.size) for c in self._shown()])
        for start in range(self.first, self.last + 1, size):
            for frame in _joined(self.read(start, min(start + size - 1, self.last))):
                rows = np.frombuffer(frame[1], np.float32).reshape(-1, floats)
                yield frame[0], rows[:, chosen]

    def _shown(self) -> list[Column]:
        return [column for role in _ROLES for column in self.columns if column.role == role]


def _elements(column: Column) -> Iterator[str]:
    name = f"{column.name}.grad" if column.role == "gradient" else column.name
    for index in np.ndindex(column.shape):
        yield f"{name}[{', '.join(map(str, index))}]" if column.shape else name


def _joined(frames: Iterable[Frame]) -> list[tuple[int, bytes]]:
    # Consecutive records are joined; a new part begins where steps were thinned out.
    parts: list[tuple[int, int, list[bytes]]] = []  # first step, step after the last, payloads
    for frame in frames:
        if parts and parts[-1][1] == frame.first:
            first, _, payloads = parts[-1]
            parts[-1] = (first, frame.last + 1, [*payloads, frame.payload])
        else:
            parts.append((frame.first, frame.last + 1, [frame.payload]))
    return [(first, b"".join(payloads)) for first, _, payloads in parts]


def csv(table: Table) -> Iterator[bytes]:
    """Yield the table as CSV: a line of names, then pages of lines.

    Cells without a value at step 0 are empty.
    """
    quoted = (f'"{name}"' if "," in name else name for name in table.names())
    yield (",".join(["step", *quoted]) + "\n").encode()
    for first, rows in table.pages(CSV_ROWS):
        if first > 0:
            yield lines(first, rows)
            continue
        yield lines(0, rows[:1], np.isnan(rows[0]))
        if len(rows) > 1:
            yield lines(1, rows[1:])


def parquet(table: Table, metadata: dict[str, str]) -> Iterator[bytes]:
    """Yield the table as a Parquet file, one row group at a time.

    Raises NotInstalled, before the first group, if pyarrow is missing.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise NotInstalled(
            "Parquet needs pyarrow, which is not installed: run pip install "
            "'livegrad[parquet]', then start livegrad again"
        ) from error
    names = table.names()
    fields = [("step", pyarrow.int64()), *((name, pyarrow.float32()) for name in names)]
    return _parquet(table, pyarrow, pyarrow.schema(fields, metadata=metadata))


def _parquet(table: Table, pyarrow: Any, schema: Any) -> Iterator[bytes]:
    sink = _Sink()
    with pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for first, rows in table.pages(PARQUET_ROWS):
            arrays: Sequence[Any] = [
                np.arange(first, first + len(rows)),
                *np.ascontiguousarray(rows.T),
            ]
            writer.write_table(
                pyarrow.Table.from_arrays([pyarrow.array(a) for a in arrays], schema=schema)
            )
            yield sink.take()
    yield sink.take()


class _Sink:
    """A file-like object that keeps what a writer writes until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is no further buffer to write to."""

    def close(self) -> None:
        """Do nothing: the rest is still to be taken."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data
