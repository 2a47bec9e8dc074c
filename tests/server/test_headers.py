"""The headers on every answer, and a page that their policy lets run as it stands.

Covers api/security.py.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from livegrad.api.security import HEADERS
from tests.running import Server
from tests.server import raw
from tests.server.routes import PATHS, SOCKETS

FRONTEND = Path(__file__).parents[2] / "frontend"


def test_every_answer_carries_the_headers(server: Server) -> None:
    host = f"Host: 127.0.0.1:{server.port}"
    answers = [raw.get(server.port, path, host) for path in PATHS]
    answers += [
        raw.get(server.port, "/main.js", "Host: evil.example"),
        raw.get(server.port, "/%00", host),
    ]
    answers += [
        raw.ask(server.port, raw.head(method, "/api/runs", [host]))
        for method in ("PUT", "HEAD", "OPTIONS")
    ]
    answers += [
        raw.post(server.port, "/api/runs", b"{"),
        raw.post(server.port, "/api/runs", b"x" * 70_000),
    ]
    answers += [
        raw.upgrade(server.port, path.format(run="nope"), host, "Origin: null") for path in SOCKETS
    ]
    answers += [raw.upgrade(server.port, "/api/runs/nope/trainer", host)]
    for answer in answers:
        assert answer.status >= 200
        for name, value in HEADERS.items():
            assert answer.headers[name.lower()] == value, answer
        assert answer.headers["cache-control"] in ("no-store", "no-cache"), answer
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


def test_the_policy_lets_nothing_in_from_elsewhere(server: Server) -> None:
    policy = server.client.get("/").headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["style-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    for forbidden in ("unsafe", "http:", "https:", "*", "ws:"):
        assert forbidden not in policy


class Inline(HTMLParser):
    """What a strict policy would not run or draw, and what would ask another host."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._within = (
            tag if tag == "style" or (tag == "script" and "src" not in attributes) else ""
        )
        for name, value in attrs:
            text = (value or "").strip().lower()
            if name.startswith("on") or name == "style" or text.startswith("javascript:"):
                self.found.append(f"<{tag} {name}>")
            if name in ("src", "href") and re.match(r"(https?:)?//", text) and tag != "a":
                self.found.append(f"<{tag} {name}={value}>")

    def handle_data(self, data: str) -> None:
        if self._within and data.strip():
            self.found.append(f"<{self._within}>")
        self._within = ""


def own_files(*endings: str) -> list[Path]:
    found = [
        path
        for path in FRONTEND.rglob("*")
        if path.suffix in endings and "vendor" not in path.parts
    ]
    assert found
    return found


def test_no_page_has_inline_scripts_styles_or_handlers() -> None:
    assert {
        str(path): found for path in own_files(".html") if (found := Inline(path.read_text()).found)
    } == {}


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        "<style>a{}</style>",
        "<p onclick=x>",
        "<p style=x>",
        '<img src="//evil.example/x">',
    ],
)
def test_the_scan_for_inline_things_finds_them(html: str) -> None:
    assert Inline(html).found


FORBIDDEN = re.compile(
    r"\beval\s*\(|new\s+Function\b|\.innerHTML\s*=|\.outerHTML\s*="
    r"|insertAdjacentHTML|document\.write"
    r"|setAttribute\(\s*[\"'](style|on)|javascript:|https?://(?!www\.w3\.org/)"
)


def test_no_script_or_style_makes_markup_from_text_or_names_another_host() -> None:
    found = {
        f"{path.name}:{number}": line.strip()
        for path in own_files(".js", ".css", ".html", ".svg")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FORBIDDEN.search(line)
    }
    assert found == {}
