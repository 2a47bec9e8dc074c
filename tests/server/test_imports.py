"""Who may import whom.

Torch only at the trainer's end, the web only at its own; arrows point one way.
"""

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


# The arrows: what each layer may import of the others. The pure modules stand above all layers.
PURE = {
    "errors": set[str](),
    "sizes": set[str](),
    "lifecycle": set[str](),
    "datasets": set[str](),
    "config": {"datasets", "lifecycle"},
    "protocol": {"errors"},
    "assignment": {"errors", "protocol"},
    "process_protocol": {"assignment", "errors", "protocol"},
}
LAYERS = {
    "store": set[str](),
    "runs": {"store"},
    "export": {"store"},
    "training": set[str](),
    "api": {"runs", "export", "store"},
}
PROGRAM = {"livegrad", "livegrad.__main__"} | {
    f"livegrad.{name}"
    for name in ("browser", "cli", "console", "hosts", "server", "settings", "signals")
}


def layer_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else None


def pure_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in PURE else None


def in_layer(layer: str) -> list[str]:
    return [module for module in IMPORTS if layer_of(module) == layer]


def test_the_walk_finds_the_package() -> None:
    assert {
        "livegrad.cli",
        "livegrad.runs.hub",
        "livegrad.api.app",
        "livegrad.training.loop",
    } <= IMPORTS.keys()
    assert "livegrad.training.observer" in reached_from("livegrad.training.process")


def test_every_module_belongs_to_a_layer_or_is_named_here() -> None:
    assert {module for module in IMPORTS if not layer_of(module) and not pure_of(module)} == PROGRAM
    assert {name for module in IMPORTS if (name := pure_of(module))} == PURE.keys()


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_import_along_the_arrows(layer: str) -> None:
    for module in in_layer(layer):
        found_layers = {
            found for name in IMPORTS[module] & IMPORTS.keys() if (found := layer_of(name))
        }
        assert found_layers <= LAYERS[layer] | {layer}, module


@pytest.mark.parametrize("layer", ["store", "runs", "export", "training"])
def test_only_the_api_knows_the_web_and_the_program(layer: str) -> None:
    for module in in_layer(layer):
        assert not outsiders(module) & set(WEB), module
        assert not reached_from(module) & PROGRAM - {"livegrad"}, module


@pytest.mark.parametrize("layer", ["store", "runs", "export", "api"])
def test_only_the_trainers_end_knows_torch(layer: str) -> None:
    for module in in_layer(layer):
        assert "torch" not in outsiders(module), module


@pytest.mark.parametrize("layer", ["runs", "export", "training", "api"])
def test_only_the_store_knows_sqlite(layer: str) -> None:
    for module in in_layer(layer):
        assert "sqlite3" not in set().union(IMPORTS[module]), module


@pytest.mark.parametrize("module", [module for module in IMPORTS if pure_of(module)])
def test_what_is_pure_imports_little_and_does_no_io(module: str) -> None:
    io = {
        "asyncio",
        "socket",
        "sqlite3",
        "threading",
        "time",
        "os",
        "pathlib",
        "websockets",
        "subprocess",
    }
    own = str(pure_of(module))
    for reached in reached_from(module) - {"livegrad"}:
        assert pure_of(reached) in PURE[own] | {own}
    assert not outsiders(module) & io


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
