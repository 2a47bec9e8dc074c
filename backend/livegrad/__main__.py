"""Runs livegrad as `python -m livegrad`."""

import sys

from livegrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
