"""The examples in docs/usage.md work as written.

The curl lines, and the Python that follows a run.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.running import Server, serving

USAGE = (Path(__file__).parents[2] / "docs" / "usage.md").read_text(encoding="utf-8")
# A proxy that does not answer: requests to this machine's own server must not go through it.
DEAD = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
DEAD |= {"no_proxy": "", "NO_PROXY": ""}
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def lines(language: str, word: str, server: Server) -> str:
    """Return the example in `language` that contains `word`, with the port of `server`."""
    blocks = re.findall(rf"```{language}\n(.*?)```", USAGE, re.DOTALL)
    [block] = [block for block in blocks if word in block]
    return str(block).replace("localhost:8000", f"localhost:{server.port}")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """A server as a newcomer has it: with the default run alone."""
    with serving(tmp_path / "data") as server:
        yield server


def test_the_curl_lines_step_and_fetch_what_pytorch_holds(fresh: Server, tmp_path: Path) -> None:
    assert shutil.which("curl"), "the examples need curl"
    done = subprocess.run(
        ["bash", "-ec", lines("sh", "curl", fresh)],
        cwd=tmp_path,
        env=os.environ | DEAD | {"PATH": PATH},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    decoder, told, at = json.JSONDecoder(), [], 0
    while at < len(done.stdout):
        answer, at = decoder.raw_decode(done.stdout, at)
        told.append(answer)
    stepped, snapshot, bias = told
    assert stepped == {"applied_at_step": 0, "state": "paused", "phase": "step", "step": 10}
    assert snapshot == fresh.get(f"/runs/{snapshot['run']}/parameters")
    assert bias["value"] == snapshot["parameters"][3]["value"]
    third = fresh.get(f"/runs/{snapshot['run']}/parameters", params={"step": 3})["parameters"][0]
    arrays = load_file(tmp_path / "step3.safetensors")
    assert np.array(arrays["hidden_linear.weight"]).tolist() == third["value"]


def statements(program: str) -> int:
    """Return how many statements there are, however a formatter breaks their lines."""
    return sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(program)))


def test_the_python_lines_follow_a_run(fresh: Server) -> None:
    [run] = fresh.get("/runs")
    fresh.wait(run["id"], "paused")
    program = lines("python", "websockets", fresh)
    assert statements(program) <= 12
    process = subprocess.Popen(
        [sys.executable, "-uc", program], env=os.environ | DEAD, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "0 loss nan\n"
        for step in (1, 2, 3):
            fresh.command(run["id"], "step")
            number, word, loss = process.stdout.readline().split()
            assert (number, word) == (str(step), "loss")
            assert np.float32(loss) == np.float32(fresh.get(f"/runs/{run['id']}")["loss"])
    finally:
        process.kill()
        process.communicate()
