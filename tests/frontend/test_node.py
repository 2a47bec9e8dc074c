"""Run the frontend's own tests, so that one pytest run holds everything."""

import re
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
COVERAGE = FOLDER.parents[1] / "build" / "coverage" / "javascript.txt"


def test_the_frontend_passes_its_own_tests() -> None:
    node = shutil.which("node")
    assert node, "no node on PATH; scripts/test brings one"
    modules = sorted(str(path) for path in FOLDER.rglob("*.test.js"))
    assert modules, f"no *.test.js under {FOLDER}"
    done = subprocess.run(
        [node, "--test", "--experimental-test-coverage", "--test-reporter=tap", *modules],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    note_coverage(done.stdout)
    ends = dict(re.findall(r"^# (tests|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    assert int(ends["tests"]) >= len(modules), done.stdout
    assert (ends["skipped"], ends["todo"]) == ("0", "0"), done.stdout


def note_coverage(output: str) -> None:
    """Keep what node says of the modules that it covered: scripts/test shows it."""
    _, begun, table = output.partition("# start of coverage report\n")
    assert begun, output[-2000:]
    table = table.partition("# end of coverage report")[0]
    COVERAGE.parent.mkdir(parents=True, exist_ok=True)
    COVERAGE.write_text(re.sub(r"^# ?", "", table, flags=re.MULTILINE), encoding="utf-8")
