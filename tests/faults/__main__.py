"""Run a fault schedule against a real server.

`python -m tests.faults --seed 7`; exits 1 on a violation.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.kind import KINDS
from tests.faults.runner import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; print the table; return 1 when anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument(
        "--minutes", type=float, default=240, help="stop after so many, whatever is left"
    )
    parser.add_argument(
        "--only", action="append", choices=sorted(KINDS), help="this kind; may be repeated"
    )
    parser.add_argument(
        "--without", action="append", default=[], choices=sorted(KINDS), help="not this kind"
    )
    parser.add_argument("--kinds", action="store_true", help="list the kinds of fault, and end")
    chosen = parser.parse_args(arguments)
    if chosen.kinds:
        print(
            "\n".join(f"{kind.weight} {name}: {kind.about}" for name, kind in sorted(KINDS.items()))
        )
        return 0
    names = [name for name in chosen.only or KINDS if name not in chosen.without]
    with tempfile.TemporaryDirectory(prefix="livegrad-faults-") as folder:
        report = run(chosen.seed, chosen.faults, chosen.minutes, Path(folder), names)
    print(report.table())
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
