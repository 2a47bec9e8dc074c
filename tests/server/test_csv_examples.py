"""What /docs gives as an example of a CSV is what the default run's CSV really says."""

import csv
import io
from typing import Any

import numpy as np

from tests.running import Server

MORE = "…"  # an example leaves out what goes on in the same way


def example(server: Server, path: str) -> list[list[str]]:
    document: Any = server.client.get("/openapi.json").json()
    content = document["paths"][path]["get"]["responses"]["200"]["content"]
    return rows(content["text/csv"]["example"])


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def assert_shows(shown: list[list[str]], real: list[list[str]]) -> None:
    """The header word by word.

    Numbers to the precision to which machines agree, in the same notation.
    """
    named = [name for name in shown[0] if name != MORE]
    assert named == (real[0][: len(named)] if MORE in shown[0] else real[0])
    for line, found in zip(shown[1:], real[1:], strict=False):
        for cell, there in zip((part for part in line if part != MORE), found, strict=False):
            assert notation(cell) == notation(there), (cell, there)
            if notation(cell) != "text":
                np.testing.assert_allclose(float(cell), float(there), rtol=1e-4)
            else:
                assert cell == there


def notation(cell: str) -> str:
    try:
        float(cell)
    except ValueError:
        return "text"
    return "exponent" if "e" in cell else "point" if "." in cell else "whole"


def test_the_example_of_the_history_is_the_default_runs(server: Server) -> None:
    run = server.create()
    real = rows(server.client.get(f"/api/runs/{run}/history.csv").text)
    assert_shows(example(server, "/api/runs/{run}/history.csv"), real)


def test_the_example_of_a_steps_parameters_is_the_default_runs(server: Server) -> None:
    run = server.create()
    server.command(run, "step", count=1)
    real = rows(
        server.client.get(f"/api/runs/{run}/parameters", params={"format": "csv", "step": 1}).text
    )
    assert_shows(example(server, "/api/runs/{run}/parameters"), real)
