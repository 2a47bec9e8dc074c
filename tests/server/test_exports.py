"""A run taken out: tables and files, held to the records they were made from.

Covers api/exports.py.
"""

import csv
import io
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pyarrow.parquet
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from livegrad.config import RunConfig
from livegrad.protocol import NO_GRADIENT_BITS
from livegrad.training import network
from tests.long_run import write_run
from tests.running import Server, serving

LONG = 100_000
DAMAGED = 51_200  # the first step of a block
RUN = "10000000"


@pytest.fixture(scope="module")
def run(server: Server) -> str:
    made = server.create(optimizer={"kind": "adam", "lr": 0.01}, hidden=3, batch_size=4, pace=None)
    server.command(made, "step", count=3000)
    return made


def arrays(server: Server, run: str, step: int) -> dict[str, NDArray[np.float32]]:
    answer = server.client.get(
        f"/api/runs/{run}/parameters", params={"step": step, "format": "npz"}
    )
    found = dict(np.load(io.BytesIO(answer.content)))
    del found["__metadata__"]
    return found


def elements(server: Server, run: str, step: int) -> dict[str, float]:
    """Return every element of every parameter and gradient, by the name that a table gives it."""
    found = {}
    for name, array in arrays(server, run, step).items():
        for index in np.ndindex(array.shape):
            found[f"{name}[{', '.join(map(str, index))}]"] = float(array[index])
    return found


def table(server: Server, run: str, **query: int) -> list[dict[str, str]]:
    answer = server.client.get(f"/api/runs/{run}/history.csv", params=query)
    assert answer.is_success, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="livegrad-{run}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == int(answer.headers["livegrad-rows"])
    return rows


def test_csv_has_every_number_of_every_step(server: Server, run: str) -> None:
    rows = table(server, run)
    assert [int(row["step"]) for row in rows] == list(range(3001))
    for step in (1, 2, 1023, 1024, 1025, 3000):
        row, expected = rows[step], elements(server, run, step)
        assert list(row)[:4] == ["step", "loss", "validation_loss", "lr"]
        assert set(row) - {"step", "loss", "validation_loss", "lr"} == set(expected)
        assert {name: float(np.float32(row[name])) for name in expected} == expected
        snapshot = server.get(f"/runs/{run}/parameters", params={"step": step})
        assert np.float32(row["loss"]) == np.float32(snapshot["loss"])
        assert np.float32(row["lr"]) == np.float32(0.01)


def test_csv_leaves_empty_what_step_0_does_not_have(server: Server, run: str) -> None:
    [row] = table(server, run, to=0)
    empty = {name for name, text in row.items() if text == ""}
    assert empty == {"loss", "validation_loss"} | {name for name in row if ".grad[" in name}


def test_csv_of_a_range(server: Server, run: str) -> None:
    whole = table(server, run)
    assert table(server, run, **{"from": 1000, "to": 2100}) == whole[1000:2101]
    assert table(server, run, **{"from": 2999}) == whole[2999:]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_range_that_is_not_there_is_refused(server: Server, run: str, kind: str) -> None:
    path = f"/api/runs/{run}/history.{kind}"
    assert server.client.get(path, params={"from": 3001}).status_code == 404
    assert server.client.get(path, params={"from": 5, "to": 4}).status_code == 422


def test_parquet_is_the_same_table(server: Server, run: str) -> None:
    answer = server.client.get(f"/api/runs/{run}/history.parquet")
    assert answer.is_success, answer.text
    found = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    rows = table(server, run)
    assert found.column_names == list(rows[0])
    assert found["step"].to_pylist() == list(range(3001))
    for name in found.column_names[1:]:
        expected = np.array([np.float32(row[name] or "nan") for row in rows])
        if ".grad[" in name:  # None at step 0
            expected.view(np.uint32)[0] = NO_GRADIENT_BITS
        assert found[name].to_numpy().tobytes() == expected.tobytes()
    assert json.loads(found.schema.metadata[b"livegrad.config"])["hidden"] == 3


def test_without_pyarrow_parquet_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    path = {"PYTHONPATH": f"{tmp_path}:backend:."}
    with serving(tmp_path / "data", environment=path) as bare:
        made = bare.create()
        answer = bare.client.get(f"/api/runs/{made}/history.parquet")
        assert answer.status_code == 501
        assert answer.headers["content-type"] == "application/problem+json"
        assert "livegrad[parquet]" in answer.json()["detail"]


def at(server: Server, run: str, kind: str, **query: int) -> bytes:
    answer = server.client.get(f"/api/runs/{run}/parameters", params={"format": kind, **query})
    assert answer.is_success, answer.text
    ending = {"state_dict": "pt"}.get(kind, kind)
    assert answer.headers["content-disposition"].endswith(
        f'-step-{query.get("step", 3000)}.{ending}"'
    )
    return answer.content


@pytest.mark.parametrize("step", [0, 1, 2000])
def test_a_state_dict_is_what_torch_save_writes_and_a_model_accepts(
    server: Server, run: str, step: int
) -> None:
    state = torch.load(io.BytesIO(at(server, run, "state_dict", step=step)), weights_only=True)
    model = network.build(RunConfig.model_validate(server.get(f"/runs/{run}")["config"]))
    assert list(state) == list(model.state_dict())
    model.load_state_dict(state)
    expected = arrays(server, run, step)
    for name, parameter in model.named_parameters():
        assert parameter.detach().numpy().tobytes() == expected[name].tobytes()


def test_a_state_dict_inside_an_iteration(server: Server) -> None:
    made = server.create(named_layers=False)
    server.command(made, "phase")
    state = torch.load(io.BytesIO(at(server, made, "state_dict", step=0)), weights_only=True)
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    answer = server.client.get(f"/api/runs/{made}/parameters?format=state_dict")
    now = torch.load(io.BytesIO(answer.content), weights_only=True)
    assert all(torch.equal(now[name], state[name]) for name in state)


def test_safetensors_carry_what_they_are(server: Server, run: str, tmp_path: Path) -> None:
    path = tmp_path / "step.safetensors"
    path.write_bytes(at(server, run, "safetensors", step=40))
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
        expected = arrays(server, run, 40)
        assert {name: file.get_tensor(name).tobytes() for name in file.keys()} == {  # noqa: SIM118
            name: array.tobytes() for name, array in expected.items()
        }
    snapshot = server.get(f"/runs/{run}/parameters", params={"step": 40})
    assert (metadata["run"], metadata["step"], metadata["phase"]) == (run, "40", "step")
    assert json.loads(metadata["loss"]) == snapshot["loss"]
    assert json.loads(metadata["config"]) == server.get(f"/runs/{run}")["config"]


@pytest.mark.alone
def test_a_long_table_streams_in_constant_memory_and_delays_nobody(tmp_path: Path) -> None:
    run = write_run(tmp_path, LONG)
    with serving(tmp_path) as own:
        process = psutil.Process(own.process.pid)
        waits: list[float] = []
        done = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=own.url, timeout=60) as client:
                while not done.is_set():
                    started = time.perf_counter()
                    assert client.get("/api/health").is_success
                    waits.append(time.perf_counter() - started)

        asking = threading.Thread(target=ask)
        rows, levels = 0, []
        with own.client.stream("GET", f"/api/runs/{run}/history.csv") as answer:
            for part in answer.iter_bytes():
                if rows == 0:
                    asking.start()
                rows += part.count(b"\n")
                levels.append(process.memory_info().rss)
        done.set()
        asking.join()
    assert rows == LONG + 1
    quarter = len(levels) // 4
    assert max(levels[quarter:]) - max(levels[:quarter]) < 32 * 2**20
    assert sorted(waits)[len(waits) // 2] < 0.25


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one run, RUN, of LONG steps."""
    folder = tmp_path_factory.mktemp("long")
    assert write_run(folder, LONG) == RUN
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same, but that its block at DAMAGED cannot be read."""
    folder = tmp_path_factory.mktemp("damaged")
    write_run(folder, LONG)
    with closing(sqlite3.connect(folder / "livegrad.sqlite3")) as db, db:
        db.execute("UPDATE chunks SET payload = zeroblob(100) WHERE first = ?", (DAMAGED,))
    with serving(folder) as running:
        yield running


def told(server: Server, token: str) -> Any:
    return server.get(f"/runs/{RUN}/progress/{token}")


def ended(server: Server, token: str, seconds: float = 30) -> tuple[list[Any], float]:
    """Return all that was told of an export until it ended, and how many seconds that took."""
    seen: list[Any] = []
    begun = time.monotonic()
    while not seen or seen[-1]["state"] == "running":
        answer = server.client.get(f"/api/runs/{RUN}/progress/{token}")
        if answer.is_success:
            seen.append(answer.json())
        assert time.monotonic() - begun < seconds, seen[-1:]
        time.sleep(0.01)
    return seen, time.monotonic() - begun


@pytest.mark.parametrize(
    ("what", "rows"), [("history.csv", LONG), ("history.parquet", LONG), ("replay.html", None)]
)
def test_progress_is_told_while_an_export_is_made(
    long: Server, what: str, rows: int | None
) -> None:
    token = f"{what.replace('.', '-')}-{'0' * 16}"
    with httpx.Client(base_url=long.url, timeout=60) as other, ThreadPoolExecutor() as pool:
        answer = pool.submit(other.get, f"/api/runs/{RUN}/{what}", params={"progress": token})
        seen, _ = ended(long, token)
        assert answer.result().is_success
    assert all(before["rows_done"] <= after["rows_done"] for before, after in pairwise(seen))
    assert any(0 < one["rows_done"] < one["rows"] for one in seen if one["rows"])
    last = seen[-1]
    assert (last["run"], last["state"], last["detail"]) == (RUN, "done", None)
    assert last["rows_done"] == last["rows"] > 1000
    assert rows in (None, last["rows"])


@pytest.mark.alone
@pytest.mark.parametrize("what", ["history.csv", "history.parquet", "replay.html"])
def test_an_export_whose_client_has_gone_is_cancelled(long: Server, what: str) -> None:
    token = f"left-{what.replace('.', '-')}-{'0' * 16}"
    path = f"/api/runs/{RUN}/{what}?progress={token}" + (
        "&size=20MB" if what == "replay.html" else ""
    )
    with socket.create_connection(("127.0.0.1", long.port)) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{long.port}\r\n\r\n".encode())
        while (
            not (answer := long.client.get(f"/api/runs/{RUN}/progress/{token}")).is_success
            or not answer.json()["rows"]
        ):
            time.sleep(0.01)
    seen, secs = ended(long, token)
    assert seen[-1]["state"] == "cancelled"
    assert seen[-1]["rows_done"] < seen[-1]["rows"]
    assert secs < 2
    assert "Traceback" not in long.log_text()


@pytest.mark.parametrize("what", ["history.csv", "history.parquet"])
def test_a_table_that_breaks_off_says_why(damaged: Server, what: str) -> None:
    token = f"broken-{what.replace('.', '-')}-{'0' * 16}"
    with pytest.raises(httpx.RemoteProtocolError):
        damaged.client.get(f"/api/runs/{RUN}/{what}", params={"progress": token})
    assert_failed(told(damaged, token))


def test_a_replay_that_cannot_be_made_says_why(damaged: Server) -> None:
    token = f"broken-replay-{'0' * 16}"
    answer = damaged.client.get(f"/api/runs/{RUN}/replay.html", params={"progress": token})
    assert answer.status_code == 507
    assert answer.json()["detail"] == told(damaged, token)["detail"]
    assert_failed(told(damaged, token))


def assert_failed(last: Any) -> None:
    assert last["state"] == "failed"
    assert "damaged" in last["detail"]
    assert 0 < last["rows_done"] < last["rows"]


def test_a_token_nobody_used_is_not_found_and_one_that_is_none_is_refused(long: Server) -> None:
    answer = long.client.get(f"/api/runs/{RUN}/progress/{'1' * 16}")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
    for token in ("short", "a" * 65, "with spaces, and longer"):
        answer = long.client.get(f"/api/runs/{RUN}/history.csv", params={"progress": token})
        assert answer.status_code == 422
        assert "progress" in answer.json()["detail"]
