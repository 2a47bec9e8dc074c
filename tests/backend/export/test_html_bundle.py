"""A page in one file.

Every module under its name, nothing fetched, and a policy that lets only its own run.
"""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import pytest

from livegrad.export.html_bundle import Block, as_text, pack

PAGE = """<!doctype html>
<html>
  <head>
    <!-- head -->
    <link rel="stylesheet" href="css/one.css" />
  </head>
  <body>
    <!-- tail -->
  </body>
</html>
"""
FILES = {
    "page.html": PAGE,
    "sibling.html": '<link rel="stylesheet" href="css/shared.css" />',
    "css/shared.css": "b { color: blue; }",
    "css/one.css": 'a::after { content: "</style>"; }',
    "main.js": 'import { two } from "./lib/two.js";\n/** @typedef {import("./types.js").A} A */\n'
    'const later = () => import("./lib/three.js");\ntwo(later);\n',
    "lib/two.js": 'export { three as two } from "./three.js";\n',
    "lib/three.js": 'import "../main.js";\nexport const three = (f) => "é % # </script>";\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def bundle(folder: Path) -> str:
    blocks = [Block("data", "application/json", as_text({"text": "</script><b>"}))]
    return pack(folder, "page.html", "sibling.html", "main.js", "a < b", blocks)


def scripts(html: str) -> dict[str, str]:
    return dict(re.findall(r'<script type="([^"]+)"[^>]*>(.*?)</script>', html, re.DOTALL))


def modules(html: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(scripts(html)["importmap"])["imports"]
    return {name: unquote(url.partition(",")[2]) for name, url in found.items()}


def test_every_module_that_is_imported_is_there_once_under_its_name(folder: Path) -> None:
    found = modules(bundle(folder))
    assert set(found) == {"livegrad/main.js", "livegrad/lib/two.js", "livegrad/lib/three.js"}
    assert 'from "livegrad/lib/two.js"' in found["livegrad/main.js"]
    assert 'import("livegrad/lib/three.js")' in found["livegrad/main.js"]
    assert 'import("./types.js")' in found["livegrad/main.js"]  # in a comment
    assert 'from "livegrad/lib/three.js"' in found["livegrad/lib/two.js"]
    assert 'import "livegrad/main.js"' in found["livegrad/lib/three.js"]
    assert "é % # </script>" in found["livegrad/lib/three.js"]


def test_nothing_of_it_closes_its_element_early(folder: Path) -> None:
    html = bundle(folder)
    assert html.count("</style>") == 1
    assert html.count("</script>") == 3  # the import map, the data, the start
    assert json.loads(scripts(html)["application/json"]) == {"text": "</script><b>"}
    assert "<title>a &lt; b</title>" in html
    assert '<link rel="stylesheet"' not in html


def test_the_policy_lets_its_own_scripts_and_styles_run_by_their_hashes_alone(
    folder: Path,
) -> None:
    html = bundle(folder)
    found = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert found is not None
    parts = dict(part.strip().split(" ", 1) for part in found[1].split(";"))
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None

    def hashed(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    held = scripts(html)
    assert parts["default-src"] == "'none'"
    assert parts["style-src"] == hashed(style[1])
    assert parts["script-src"] == f"{hashed(held['importmap'])} {hashed(held['module'])} data:"
    assert all(len(b64decode(h)) == 32 for h in re.findall(r"sha256-([^']+)", found[1]))
