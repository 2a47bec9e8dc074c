"""Every module of the backend has a test module of its own, or one that says that it covers it."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "backend" / "livegrad"
MODULES = [p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py") if not p.name.startswith("__")]


def covered() -> set[str]:
    """Return the modules that test modules name in the line "Covers …." of their docstrings."""
    docstrings = [
        ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        for path in TESTS.rglob("test_*.py")
    ]
    lines = [line for text in docstrings for line in re.findall(r"^Covers .+$", text, re.MULTILINE)]
    return {name for line in lines for name in re.findall(r"[\w/]+\.py", line)}


def test_every_module_has_a_test_module_or_one_that_covers_it() -> None:
    without = [
        str(module)
        for module in MODULES
        if not (TESTS / "backend" / module.parent / f"test_{module.name}").exists()
    ]
    assert set(without) <= covered()


def test_every_module_that_is_said_to_be_covered_is_there() -> None:
    assert covered() <= {module.as_posix() for module in MODULES}
