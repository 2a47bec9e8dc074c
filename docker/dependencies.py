"""Prints livegrad's dependencies, one per line, for an image layer of their own.

Needs nothing installed.
"""

import sys
import tomllib
from pathlib import Path


def main(pyproject: str) -> None:
    """Write the dependencies in the file `pyproject` to stdout."""
    project = tomllib.loads(Path(pyproject).read_text())["project"]
    print("\n".join(project["dependencies"]))


if __name__ == "__main__":
    main(sys.argv[1])
