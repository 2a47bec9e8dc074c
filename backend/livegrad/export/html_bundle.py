"""Packs a page and all its modules into one HTML file that works without a server or a network.

No web, no torch.

Modules stay as they are written, except that their relative imports become names; an import map
gives each name a data: URL. The file's own policy allows its scripts and styles by their hashes and
forbids all requests.
"""

import json
import posixpath
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import quote

_IMPORT = re.compile(
    r"""(?P<head>^[ ]*(?:import|export)\b[^"';]*?\bfrom[ ]*|^[ ]*import[ ]*|\bimport\()"""
    r'"(?P<place>\.[^"\n]+)"',
    re.MULTILINE,
)
_COMMENT = re.compile(r"[ ]*(?:/\*\*|\*|//)")
_SAFE = " !$&'()*+,-./:;=?@_~{}[]|^`>"
_PREFIX = "livegrad"


@dataclass(frozen=True, slots=True)
class Block:
    """Data within the page: an element's id, its type and its text without script ends."""

    id: str
    type: str
    text: str


def pack(folder: Path, page: str, sibling: str, entry: str, title: str, blocks: list[Block]) -> str:
    """Return `page` of `folder` as one file.

    It holds the style sheets of the page `sibling` and its own, `entry` with all that it imports,
    and `blocks`.
    """
    html = (folder / page).read_text(encoding="utf-8")
    style = "\n".join([*_styles(folder, sibling), *_styles(folder, page)])
    imports = json.dumps(
        {"imports": {f"{_PREFIX}/{place}": url for place, url in _modules(folder, entry)}}
    )
    start = f'import "{_PREFIX}/{entry}";'
    policy = (
        f"default-src 'none'; script-src {_hash(imports)} {_hash(start)} data:; style-src "
        f"{_hash(style)}; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}" />\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n"
        f'<script type="importmap">{imports}</script>\n'
    )
    tail = "".join(f'<script type="{b.type}" id="{b.id}">{b.text}</script>\n' for b in blocks)
    tail += f'<script type="module">{start}</script>\n'
    html = re.sub(r'[ ]*<link rel="stylesheet"[^>]*>\n', "", html)
    return html.replace("<!-- head -->", head).replace("<!-- tail -->", tail)


def as_text(plain: object) -> str:
    """Return JSON that may be placed inside a script element."""
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _styles(folder: Path, page: str) -> Iterator[str]:
    html = (folder / page).read_text(encoding="utf-8")
    for place in re.findall(r'<link rel="stylesheet" href="([^"]+)"', html):
        yield (folder / place).read_text(encoding="utf-8").replace("</", "<\\/")


def _modules(folder: Path, entry: str) -> Iterator[tuple[str, str]]:
    known, waiting = {entry}, [entry]
    while waiting:
        place = waiting.pop()
        text, found = _renamed((folder / place).read_text(encoding="utf-8"), place)
        yield place, f"data:text/javascript;charset=utf-8,{quote(text, safe=_SAFE)}"
        fresh = sorted(found - known)
        known.update(fresh)
        waiting += fresh


def _renamed(text: str, place: str) -> tuple[str, set[str]]:
    # Return the module with names instead of paths, and the paths that it imports. Types are
    # imported in comments only.
    found: set[str] = set()

    def name(match: re.Match[str]) -> str:
        line = text.rfind("\n", 0, match.start("place")) + 1
        if _COMMENT.match(text, line):
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(place), match["place"]))
        found.add(target)
        return f'{match["head"]}"{_PREFIX}/{target}"'

    return _IMPORT.sub(name, text), found


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
