"""Who may import whom: torch only at the trainer's end, the web only at its own; arrows point one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import Server

PACKAGE = Path(__file__).parents[2] / "backend" / "livegrad"
WEB = ("fastapi", "starlette", "uvicorn")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Return every module that a file names in an import, wherever the statement stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: relative imports hide where they lead"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


IMPORTS = {module_name(path): imports_of(path) for path in sorted(PACKAGE.rglob("*.py"))}


def reached_from(module: str) -> set[str]:
    """Return the modules of livegrad that `module` imports, directly or not."""
    reached, waiting = set[str](), [module]
    while waiting:
        for name in IMPORTS[waiting.pop()] & IMPORTS.keys() - reached:
            reached.add(name)
            waiting.append(name)
    return reached


def outsiders(module: str) -> set[str]:
    """Return the top packages from elsewhere that `module` brings in, directly or not."""
    names = set().union(*(IMPORTS[m] for m in {module} | reached_from(module)))
    return {name.partition(".")[0] for name in names} - {"livegrad"}


def in_folder(folder: str) -> list[str]:
    return [module for module in IMPORTS if module.startswith(f"livegrad.{folder}")]


FLAT = [m for m in IMPORTS if m.count(".") == 1 and m not in ("livegrad.api", "livegrad.training")]


def test_the_walk_finds_the_package() -> None:
    assert {"livegrad.cli", "livegrad.hub", "livegrad.api.app", "livegrad.training.loop"} <= IMPORTS.keys()
    assert "livegrad.training.observer" in reached_from("livegrad.training.process")


@pytest.mark.parametrize("module", [*in_folder("training"), "livegrad.datasets"])
def test_the_trainers_end_knows_no_web(module: str) -> None:
    assert not outsiders(module) & set(WEB)
    assert not [name for name in reached_from(module) if name.startswith("livegrad.api")]


@pytest.mark.parametrize("module", [*in_folder("api"), *FLAT])
def test_everything_else_knows_neither_torch_nor_the_trainers_end(module: str) -> None:
    assert "torch" not in outsiders(module)
    assert not [name for name in reached_from(module) if name.startswith("livegrad.training")]


@pytest.mark.parametrize("module", [m for m in FLAT if m not in ("livegrad.cli", "livegrad.__main__")])
def test_the_middle_knows_no_web(module: str) -> None:
    assert not outsiders(module) & set(WEB)
    assert not [name for name in reached_from(module) if name.startswith("livegrad.api")]


PURE = {
    "protocol": {"errors"},
    "lifecycle": set(),
    "errors": set(),
    "datasets": set(),
    "config": {"datasets"},
    "snapshot": {"errors", "protocol"},
    "feed": {"errors", "protocol"},
    "port": {"errors"},
}


@pytest.mark.parametrize("module", PURE)
def test_what_is_below_does_not_know_what_is_above(module: str) -> None:
    allowed = {"livegrad"} | {f"livegrad.{name}" for name in PURE[module]}
    assert reached_from(f"livegrad.{module}") <= allowed


SERVING = ("api", "cli", "hub", "trainers", "committer", "meeting", "feed", "port", "launcher", "settings")


@pytest.mark.parametrize("module", ["log", "series", "branching", "divergence", "listing", "report"])
def test_what_keeps_and_reads_records_knows_nobody_who_serves_them(module: str) -> None:
    above = {f"livegrad.{name}" for name in SERVING}
    assert not {name for name in reached_from(f"livegrad.{module}") if name in above}


@pytest.mark.parametrize("module", ["protocol", "lifecycle", "errors", "snapshot", "series", "datasets"])
def test_what_calls_itself_pure_does_no_io(module: str) -> None:
    io = {"asyncio", "socket", "sqlite3", "threading", "time", "os", "pathlib", "websockets", "subprocess"}
    assert not outsiders(f"livegrad.{module}") & io


def test_nobody_imports_in_a_circle() -> None:
    assert not [module for module in IMPORTS if module in reached_from(module)]


def test_the_server_process_never_loads_torch(server: Server) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=10)
    for format in ("json", "npz", "csv", "safetensors"):
        server.client.get(f"/api/runs/{run}/parameters", params={"format": format})
    server.get(f"/runs/{run}/series", params={"name": "gradient_norm/0.weight"})
    mapped = Path(f"/proc/{server.process.pid}/maps")
    if mapped.exists():
        assert "libtorch" not in mapped.read_text()
        assert "numpy" in mapped.read_text()  # what it does load is seen
    server.client.delete(f"/api/runs/{run}")


def test_the_web_application_loads_no_torch() -> None:
    code = "import sys, livegrad.cli, livegrad.api.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
