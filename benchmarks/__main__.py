"""`python -m benchmarks`: runs the benchmarks, and prints or writes the table."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.sampling import Effort
from benchmarks.table import Row, heading, line, missed

SUBJECTS = (
    "loops",
    "product",
    "commands",
    "stalled",
    "crowd",
    "newrun",
    "restart",
    "startup",
    "page",
    "archive",
    "timeline",
    "exports",
    "hostile",
)
Measure = Callable[[Effort], Iterator[Row]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requested benchmarks; return 0 whatever the figures."""
    chosen = _parser().parse_args(arguments)
    before, rows = os.getloadavg(), []
    print(heading(), flush=True)
    for subject in chosen.only or SUBJECTS:
        measure: Measure = import_module(f"benchmarks.{subject}").rows
        for row in measure(Effort(chosen.quick)):
            print(line(row), flush=True)
            rows.append(row)
    machine = _machine(before)
    print(f"\n{_summary(rows)}\n{_conditions(machine)}")
    if chosen.json is not None:
        report = {"machine": machine, "rows": [row.as_json() for row in rows]}
        chosen.json.write_text(
            json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=("short measurements that only show that everything works"),
    )
    parser.add_argument(
        "--only", action="append", choices=SUBJECTS, help="run this subject only; may be repeated"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help=("also write the rows to this file")
    )
    return parser


def _summary(rows: Sequence[Row]) -> str:
    bound = [row for row in rows if row.verdict in ("reached", "missed")]
    return f"{len(bound) - len(missed(rows))} of {len(bound)} targets reached"


def _machine(load_before: tuple[float, float, float]) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "load_before": load_before[0],
        "load_after": os.getloadavg()[0],
    }


def _conditions(machine: dict[str, Any]) -> str:
    where = "{processor}, {cores} cores, {system}, Python {python}, PyTorch {torch}, {at}".format(
        **machine
    )
    if machine["load_before"] <= machine["cores"] / 2:
        return where
    busy = f"A load of {machine['load_before']:.1f} before the first figure"
    return f"{where}\n{busy}: the machine was busy, so figures by the clock mean little."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (text.partition(":")[2].strip() for text in lines if text.startswith("model name")), ""
    )


if __name__ == "__main__":
    sys.exit(main())
