"""Paths, parameters and methods that are not there, and what is no request at all.

A 4xx problem, never a 5xx.

Covers api/page.py, api/deps.py and api/ranges.py.
"""

import socket

import pytest

from livegrad.api.security import HEADERS
from tests.running import Server
from tests.server import raw
from tests.server.refused import assert_problem, own

PATHS = (
    "/api",
    "/api/",
    "/api/nope",
    "/api/runs/",
    "/api/runs/nope",
    "/api/runs/nope/parameters",
    "/api/runs/{run}/nope",
    "/api/runs/{run}/parameters/",
    "/api/runs/{run}/parameters/nope",
    "/api/runs/{run}/parameters/hidden_linear.weight%00",
    "/api/runs/{run}/parameters/..%2f..%2f..%2fetc%2fpasswd",
    "/api/runs/{run}/parameters/%ff%fe",
    "/api/runs/{run}/parameters/%ED%A0%80",
    "/api/runs/{run}/parameters/%252e",
    "/api/runs/{run}/parameters/hidden_linear.weight%0d%0aSet-Cookie:%20a=b",
    "/api/runs/{run}/parameters/" + "x" * 8000,
    "/api/runs/%00",
    "/api/runs/..%2f..%2fmain.js",
    "/api/runs/%2e%2e/%2e%2e/main.js",
    "/api/runs/%F0%9F%98%80" + "%F0%9F%98%80" * 200,
    "/..%2f..%2fetc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%5c..%5cetc%5cpasswd",
    "/../pyproject.toml",
    "/..%2fpyproject.toml",
    "/%00",
    "/main.js%00.html",
    "/%ff",
    "/" + "x" * 5000,
    "/" + "a/" * 2000,
    "/views",
    "/views/",
    "/nope.js",
    "/livegrad.sqlite3",
    "/etc/passwd",
    "//etc/passwd",
    "/.git/config",
    "/C:/windows",
)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_what_is_not_there_is_a_404_problem(server: Server, path: str) -> None:
    run = server.get("/runs")[-1]["id"]
    server.wait(run, "paused", "finished")
    assert_problem(raw.get(server.port, path.format(run=run), own(server)), 404)


@pytest.mark.parametrize(
    "query",
    [
        "step=-1",
        "step=1.5",
        "step=abc",
        "step=",
        "step=NaN",
        "step=%00",
        "step=%ff",
        "step=١x",
        "step=99999999999999999999999999",
        "step=9007199254740993",
        "step=" + "9" * 5000,
        "format=xml",
        "format=",
        "format=json%00",
    ],
    ids=lambda query: query[:30],
)
def test_a_bad_parameter_of_a_snapshot_is_a_422_problem(server: Server, query: str) -> None:
    run = server.get("/runs")[-1]["id"]
    path = f"/api/runs/{run}/parameters?{query}".encode().decode("latin-1")
    assert raw.get(server.port, path, own(server)).status in (400, 422)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("records", "from=-1"),
        ("records", "from=2&to=1"),
        ("records", "to=-5"),
        ("records", "from=9007199254740993"),
        ("series", "points=0"),
        ("series", "points=1000000000"),
        ("series", "points=x"),
        ("series", "from=5&to=1"),
        ("series", "&".join(["name=loss"] * 81)),
    ],
)
def test_a_bad_range_or_series_is_a_422_problem(server: Server, path: str, query: str) -> None:
    run = server.create()
    assert_problem(raw.get(server.port, f"/api/runs/{run}/{path}?{query}", own(server)), 422)
    server.client.delete(f"/api/runs/{run}")


@pytest.mark.parametrize(
    "name",
    [
        "nope", "gradient_norm/", "gradient_norm/nope", "%00", "%ff", "[]", "", "__class__",
        "hidden_linear.weight[99,0]", "hidden_linear.weight[-1,0]", "hidden_linear.weight[0]",
        "hidden_linear.weight[0,0,0]", "hidden_linear.weight[", "hidden_linear.weight[a,b]",
        "hidden_linear.weight[" + "9" * 5000 + ",0]", "loss[0]",
    ],
    ids=lambda name: name[:30],
)  # fmt: skip
def test_an_unknown_series_is_a_problem(server: Server, name: str) -> None:
    run = server.get("/runs")[-1]["id"]
    server.wait(run, "paused", "finished")
    answer = raw.get(server.port, f"/api/runs/{run}/series?name={name}", own(server))
    assert answer.status in (404, 422), answer
    assert answer.problem["detail"]


METHODS = ("PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "DELETE", "POST", "GET")
HAS = {
    "/api/runs": {"GET", "HEAD", "POST"},
    "/api/runs/nope": {"GET", "HEAD", "DELETE"},
    "/api/runs/nope/commands": {"POST"},
    "/api/runs/nope/parameters": {"GET", "HEAD"},
    "/api/runs/nope/records": {"GET", "HEAD"},
    "/api/session": {"POST"},
    "/api/health": {"GET", "HEAD"},
    "/main.js": {"GET", "HEAD"},
    "/nope": {"GET", "HEAD"},
}


@pytest.mark.parametrize("path", HAS)
def test_another_method_is_a_405_that_names_the_right_ones(server: Server, path: str) -> None:
    for method in METHODS:
        if method in HAS[path]:
            continue
        answer = raw.ask(server.port, raw.head(method, path, [own(server)]))
        assert answer.status == 405, (method, path, answer)
        assert set(answer.headers["allow"].split(", ")) == HAS[path]
        if method != "HEAD":
            assert_problem(answer, 405)


@pytest.mark.parametrize("path", ["/api/nope", "/api/runs/nope/nope"])
def test_an_unknown_call_is_a_404_whatever_the_method(server: Server, path: str) -> None:
    for method in METHODS:
        assert raw.ask(server.port, raw.head(method, path, [own(server)])).status == 404, method


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET",
        b"GET / HTTP/9.9",
        b"FROB / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET nope HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"GET / HTTP/1.1\r\nX" * 200,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0",
    ],
)
def test_a_malformed_request_is_refused(server: Server, request_line: bytes) -> None:
    answer = raw.ask(server.port, request_line + b"\r\n" + own(server).encode() + b"\r\n\r\n")
    assert answer.status in (400, 404, 405), answer
    assert_problem(answer, answer.status)
    assert (
        answer.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
    )


def test_a_request_for_another_machine_gets_our_answer_or_none(server: Server) -> None:
    answer = raw.ask(
        server.port,
        f"GET http://evil.example/api/health HTTP/1.1\r\n{own(server)}\r\n\r\n".encode(),
    )
    assert answer.status in (200, 400, 421)


def test_headers_without_end_are_not_kept(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), raw.SECONDS) as connection:
        connection.sendall(raw.head("GET", "/api/health", [own(server)])[:-2])
        try:
            for _ in range(64):
                connection.sendall(b"X-Long: " + b"x" * 16_000 + b"\r\n")
            status = raw.read(connection).status
        except OSError:
            status = 0
    assert status in (0, 400, 431)
    assert server.get("/health")["status"] == "ok"


def test_no_request_left_a_traceback(server: Server) -> None:
    assert "Traceback" not in server.log_text()
    assert server.get("/health")["status"] == "ok"
