"""No source of livegrad unpickles, evaluates or executes: what comes in is data."""

import ast
from pathlib import Path

import pytest

RUNS_IT = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "torch.load",
    "np.load",
    "numpy.load",
    "os.system",
    "os.popen",
}
READS_IT = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "code"}


def dangers(source: str) -> set[str]:
    """Return what in `source` would run, or unpickle, what it is given."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & RUNS_IT
            found |= {"shell" for word in node.keywords if word.arg in ("shell", "allow_pickle")}
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names} & READS_IT
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0]} & READS_IT
    return found


def test_nothing_unpickles_or_evaluates_what_came_in() -> None:
    package = Path(__file__).parents[2] / "backend" / "livegrad"
    sources = list(package.rglob("*.py"))
    assert len(sources) > 30
    assert {str(path): found for path in sources if (found := dangers(path.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "import pickle",
        "from pickle import loads",
        "torch.load(f)",
        "np.load(f)",
        "run(x, shell=True)",
    ],
)
def test_the_scan_for_what_runs_input_finds_it(source: str) -> None:
    assert dangers(source)
