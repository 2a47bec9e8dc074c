"""A server's trainers as the operating system sees them."""

import sqlite3
import time
from pathlib import Path

import psutil

from tests.running import Server


def trainer_of(server: Server) -> psutil.Process:
    """Return the server's only trainer, waiting for it to be connected."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = [process for process in _processes() if _trains(process, server.port)]
        if len(found) == 1:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"expected one trainer of port {server.port}, found {found}")


def trainers_of(port: int) -> list[psutil.Process]:
    """Return every process but the server that holds a connection to the server's port."""
    return [process for process in _processes() if _trains(process, port)]


def forkserver_of(server: Server) -> psutil.Process:
    """Return the process that the server's trainers are forked from, waiting for it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        children = psutil.Process(server.process.pid).children()
        found = [
            process for process in children if "livegrad.training.forkserver" in _command(process)
        ]
        if len(found) == 1:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"expected one forkserver, found {found}")


def _processes() -> list[psutil.Process]:
    return [p for p in psutil.process_iter() if "livegrad.training." in _command(p)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def _trains(process: psutil.Process, port: int) -> bool:
    try:
        return any(bool(c.raddr) and c.raddr[1] == port for c in process.net_connections("tcp"))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def integrity(data: Path) -> str:
    """Return what SQLite says of the run log's integrity."""
    db = sqlite3.connect(data / "livegrad.sqlite3")
    try:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        db.close()
