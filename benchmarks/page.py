"""Measures how many bytes the page makes a browser load, uncompressed."""

from collections.abc import Iterator

from benchmarks.sampling import Effort
from benchmarks.server import server
from benchmarks.table import Row
from tests.server.page import load

SUBJECT = "page"
REACH_KILOBYTES = 300.0


def rows(effort: Effort) -> Iterator[Row]:
    """Follow the page link by link, and add up the sizes."""
    with server() as running:
        sizes = load(running.client, "/", later=False)
    total, heaviest = sum(sizes.values()), max(sizes, key=sizes.__getitem__)
    note = (
        f"{len(sizes)} files; the heaviest is {heaviest.rpartition('/')[2]}, "
        f"{sizes[heaviest] / 1000:.0f} KB"
    )
    yield Row(SUBJECT, "bytes that the page loads", total / 1000, "KB", REACH_KILOBYTES, note=note)
