"""The page opens by itself in a browser with windows.

One of the console does not use the one-time link up.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

TOKEN = "a-token-that-is-long-enough"


def program(folder: Path, name: str) -> Path:
    """A stand-in for a browser, which writes down what it was asked to open, and stays."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(
        f'#!/bin/sh\nprintf "%s" "$1" > {folder}/opened.tmp\n'
        f"mv {folder}/opened.tmp {folder}/opened\n"
    )
    path.chmod(0o755)
    return folder / "opened"


def start(folder: Path, data: Path, **variables: str) -> tuple[subprocess.Popen[str], str]:
    kept = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "livegrad", "--port", "0", "--data", str(data), "--token", TOKEN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kept | {"PATH": str(folder), "TERM": "xterm"} | variables,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("name", ["www-browser", "links", "elinks", "lynx", "w3m"])
@pytest.mark.parametrize("variables", [{}, {"DISPLAY": ":99"}, {"BROWSER": "lynx"}], ids=str)
def test_a_browser_of_the_console_is_left_alone_and_the_link_is_good(
    name: str, variables: dict[str, str], tmp_path: Path
) -> None:
    opened = program(tmp_path / "bin", name)
    process, link = start(tmp_path / "bin", tmp_path / "data", **variables)
    time.sleep(1.0)
    assert not opened.exists()
    assert httpx.get(link).status_code == 200
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=40)
    assert process.returncode == 0
    assert "Traceback" not in told


def test_a_browser_with_windows_gets_the_link(tmp_path: Path) -> None:
    opened = program(tmp_path / "bin", "x-www-browser")
    path = f"{tmp_path / 'bin'}:/bin:/usr/bin"
    process, link = start(
        tmp_path / "bin", tmp_path / "data", DISPLAY=":99", PATH=path, BROWSER="x-www-browser %s &"
    )
    end = time.monotonic() + 60
    while not opened.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert opened.read_text() == link
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 0
