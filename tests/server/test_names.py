"""Which names a server answers to.

Host and Origin, exactly; over raw sockets, where a client would tidy up.

Covers api/security.py.
"""

import html

import pytest

from livegrad.api.security import HEADERS
from tests.running import Server
from tests.server import raw
from tests.server.conftest import TOKEN
from tests.server.routes import ask_every_route

OWN_HOSTS = (
    "127.0.0.1:{port}",
    "localhost:{port}",
    "[::1]:{port}",
    "LocalHost:{port}",  # a name has no case
)
FOREIGN_HOSTS = (
    "",
    "127.0.0.1",
    "localhost",
    "[::1]",
    "::1:{port}",
    "127.0.0.1:",
    "127.0.0.1:1",
    "127.0.0.1:0{port}",
    "127.0.0.1:{port}0",
    "127.0.0.1:{port}:{port}",
    "127.0.0.1.:{port}",
    "localhost.:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "0x7f.0.0.1:{port}",
    "0.0.0.0:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "[0:0:0:0:0:0:0:1]:{port}",
    "[::1%lo]:{port}",
    "127.0.0.1.evil.example:{port}",
    "evil-127.0.0.1:{port}",
    "localhost.evil.example:{port}",
    "evillocalhost:{port}",
    "evil.example",
    "evil.example:{port}",
    "localhost:{port}.evil.example",
    "localhost:{port}@evil.example",
    "evil.example@localhost:{port}",
    "localhost:{port}, evil.example",
    "localhost:{port} evil.example",
    "localhost:{port}/",
    "http://localhost:{port}",
    "null",
    "*",
    "\xe9.example:{port}",
)
FOREIGN_ORIGINS = (
    "",
    "null",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://127.0.0.1:{port}0",
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1.evil.example:{port}",
    "http://evil-127.0.0.1:{port}",
    "http://127.0.0.1.:{port}",
    "http://127.0.0.1:{port}@evil.example",
    "http://evil.example@127.0.0.1:{port}",
    "http://evil.example",
    "http://evil.example:{port}",
    "http://localhost:{port}",  # ours, but not that of the Host which is asked
    "http://[::1]:{port}",
    "https://127.0.0.1:{port}",  # nobody serves it unless --allow-host says so
    "HTTP://127.0.0.1:{port}",  # browsers never write it so
    "ws://127.0.0.1:{port}",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "127.0.0.1:{port}",
    "http://127.0.0.1:{port} http://evil.example",
    "http://127.0.0.1:{port}, http://evil.example",
    "*",
)


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_own_names_are_answered(server: Server, host: str) -> None:
    own = f"Host: {host}".format(port=server.port)
    origin = f"Origin: http://{host.lower()}".format(port=server.port)
    run = server.get("/runs")[0]["id"]
    for headers in ([own], [own, origin]):
        for path in ("/", "/main.js", "/openapi.json", "/api/runs"):
            assert raw.get(server.port, path, *headers).status == 200, path
        assert raw.upgrade(server.port, f"/api/runs/{run}/stream", *headers).status == 101


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_another_host_is_refused_everywhere(server: Server, host: str) -> None:
    for answer in ask_every_route(server, f"Host: {host}"):
        assert answer.status == 421, answer
        assert answer.problem["title"] == "Wrong host"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Host: 127.0.0.1:{port}", "Host: 127.0.0.1:{port}"),
        ("Host: localhost:{port}", "Host: evil.example"),
    ],
    ids=["absent", "twice", "two"],
)
def test_anything_but_one_host_is_refused_everywhere(
    server: Server, headers: tuple[str, ...]
) -> None:
    for answer in ask_every_route(server, *headers):
        assert answer.status == 400, answer


def test_http_1_0_without_a_host_is_refused(server: Server) -> None:
    assert raw.ask(server.port, b"GET /api/runs HTTP/1.0\r\n\r\n").status == 400


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_another_origin_is_refused_everywhere(server: Server, origin: str) -> None:
    for answer in ask_every_route(server, "Host: 127.0.0.1:{port}", f"Origin: {origin}"):
        assert answer.status == 403, answer
        assert answer.problem["title"] == "Wrong origin"


def test_two_origins_are_refused_everywhere(server: Server) -> None:
    own = "Origin: http://127.0.0.1:{port}"
    for other in (own, "Origin: http://evil.example"):
        for answer in ask_every_route(server, "Host: 127.0.0.1:{port}", own, other):
            # a websocket's is refused while it is being read
            assert answer.status in (400, 403), answer


def test_a_refused_request_changes_nothing(server: Server) -> None:
    before = server.get("/runs")
    list(ask_every_route(server, "Host: 127.0.0.1:{port}", "Origin: http://evil.example"))
    assert [run["id"] for run in server.get("/runs")] == [run["id"] for run in before]


def test_the_address_that_was_reached_is_a_name_of_its_own(token_server: Server) -> None:
    token = f"Authorization: Bearer {TOKEN}"
    here = f"Host: 127.0.0.2:{token_server.port}"
    assert raw.get(token_server.port, "/api/runs", here, token, address="127.0.0.2").status == 200
    assert raw.get(token_server.port, "/api/runs", here, token, address="127.0.0.3").status == 421
    assert (
        raw.get(
            token_server.port, "/api/runs", "Host: 127.0.0.2", token, address="127.0.0.2"
        ).status
        == 421
    )


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("lab.example:{port}", "http://lab.example:{port}", 200),
        ("LAB.example:{port}", None, 200),
        ("lab.example:81", "http://lab.example:81", 200),
        ("shared.example", "https://shared.example", 200),
        ("shared.example:443", "https://shared.example", 200),
        ("shared.example", "http://shared.example", 403),
        ("lab.example:{port}", "https://lab.example:{port}", 403),
        ("lab.example", None, 421),
        ("lab.example:82", None, 421),
        ("lab.example.:{port}", None, 421),
        ("a.lab.example:{port}", None, 421),
        ("lab.example.evil.example:{port}", None, 421),
        ("shared.example:{port}", None, 421),
        ("shared.example:80", None, 421),
    ],
)
def test_a_name_given_with_allow_host_is_answered_exactly(
    token_server: Server, host: str, origin: str | None, status: int
) -> None:
    headers = [f"Host: {host}", f"Authorization: Bearer {TOKEN}"] + (
        [f"Origin: {origin}"] if origin else []
    )
    lines = [line.format(port=token_server.port) for line in headers]
    assert raw.get(token_server.port, "/api/runs", *lines).status == status


HOSTS = {
    "another port": ("localhost:9000", "--allow-host localhost:9000"),
    "another name": ("lab.example", "--allow-host lab.example"),
    "markup": ("<script>alert(1)</script>", "--allow-host NAME:PORT"),
    "a flag": ("x --token y", "--allow-host NAME:PORT"),
    "nothing": ("", "--allow-host NAME:PORT"),
}


@pytest.mark.parametrize(("host", "flag"), HOSTS.values(), ids=HOSTS)
def test_a_person_at_an_unknown_address_is_told_the_flag(
    server: Server, host: str, flag: str
) -> None:
    page = raw.get(server.port, "/", f"Host: {host}", "Accept: text/html,*/*;q=0.8")
    assert page.status == 421
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
    text = page.body.decode()
    assert flag in text
    assert f"<code>{html.escape(host)}</code>" in text
    assert "<script" not in text
    for path, accept in (("/api/runs", "text/html"), ("/", "*/*"), ("/", "application/json")):
        answer = raw.get(server.port, path, f"Host: {host}", f"Accept: {accept}")
        assert (answer.status, answer.problem["title"]) == (421, "Wrong host")
