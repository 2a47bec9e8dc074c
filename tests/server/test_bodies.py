"""Bad bodies of every kind over HTTP.

A 4xx problem that names expected and received, never a 5xx.

Covers api/bodies.py.
"""

import json
import socket
from typing import Any

import pytest

from livegrad.api.limits import BODY_BYTES, BODY_DEPTH
from livegrad.api.problems import MAX_ERRORS
from tests.running import Server
from tests.server import raw
from tests.server.refused import assert_problem, own

# -- what kind of body


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
    ],
)
@pytest.mark.parametrize(
    "path", ["/api/runs", "/api/session", "/api/runs/nope/commands", "/api/nope"]
)
def test_a_body_that_does_not_say_json_is_refused(server: Server, kind: str, path: str) -> None:
    problem = assert_problem(raw.post(server.port, path, b"{}", f"Content-Type: {kind}"), 415)
    assert "application/json" in problem["detail"]
    assert repr(kind.partition(";")[0]) in problem["detail"]


def test_a_body_without_a_kind_is_refused(server: Server) -> None:
    headers = [own(server), "Content-Length: 2"]
    assert_problem(raw.ask(server.port, raw.head("POST", "/api/runs", headers) + b"{}"), 415)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON", "application/json; charset=utf-8"]
)
def test_json_is_taken_however_it_is_spelled(server: Server, kind: str) -> None:
    body = b'{"hidden": 0}'
    assert_problem(raw.post(server.port, "/api/runs", body, f"Content-Type: {kind}"), 422)


# -- how large a body


def padded(length: int) -> bytes:
    return b'{"hidden": 0' + b" " * (length - 13) + b"}"


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


def test_a_body_of_the_limit_is_read_and_of_one_byte_more_is_not(server: Server) -> None:
    assert_problem(raw.post(server.port, "/api/runs", padded(BODY_BYTES)), 422)
    problem = assert_problem(raw.post(server.port, "/api/runs", padded(BODY_BYTES + 1)), 413)
    assert str(BODY_BYTES) in problem["detail"]


def test_a_body_in_chunks_is_limited_though_it_tells_no_length(server: Server) -> None:
    headers = [own(server), "Content-Type: application/json", "Transfer-Encoding: chunked"]
    start = raw.head("POST", "/api/runs", headers)
    small = padded(BODY_BYTES)
    assert_problem(raw.ask(server.port, start + chunked(small[:100], small[100:])), 422)
    assert_problem(raw.ask(server.port, start + chunked(*[b" " * 1024] * 65)), 413)
    endless = chunked(b"[" * 4096, end=b"") * 17
    assert_problem(raw.ask(server.port, start + endless), 413)


@pytest.mark.parametrize("length", ["65537", "99999999999999", "9" * 19])
def test_a_length_beyond_the_limit_is_refused_before_the_body_comes(
    server: Server, length: str
) -> None:
    headers = [own(server), "Content-Type: application/json", f"Content-Length: {length}"]
    assert_problem(raw.ask(server.port, raw.head("POST", "/api/runs", headers)), 413)


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "+5", "5, 6", "", "9" * 400, "\xb2"])
def test_a_length_that_is_no_number_is_refused(server: Server, length: str) -> None:
    headers = [own(server), "Content-Type: application/json", f"Content-Length: {length}"]
    assert raw.ask(server.port, raw.head("POST", "/api/runs", headers) + b"{}").status in (400, 413)


def test_a_length_and_chunks_at_once_are_refused(server: Server) -> None:
    both = [
        own(server),
        "Content-Type: application/json",
        "Content-Length: 2",
        "Transfer-Encoding: chunked",
    ]
    assert raw.ask(server.port, raw.head("POST", "/api/runs", both) + chunked(b"{}")).status == 400


def test_a_body_longer_than_it_says_is_cut_where_it_says(server: Server) -> None:
    before = server.get("/runs")
    lie = [own(server), "Content-Type: application/json", "Content-Length: 13"]
    answer = raw.ask(
        server.port, raw.head("POST", "/api/runs", lie) + b'{"hidden": 0}' + b'"name": "a"}'
    )
    assert answer.status in (400, 422)  # what follows is read as another request, and is none
    assert len(server.get("/runs")) == len(before)


def test_a_body_shorter_than_it_says_does_nothing(server: Server) -> None:
    before = server.get("/runs")
    lie = [own(server), "Content-Type: application/json", "Content-Length: 60000"]
    with socket.create_connection(("127.0.0.1", server.port), raw.SECONDS) as connection:
        connection.sendall(raw.head("POST", "/api/runs", lie) + b"{}")
        connection.shutdown(socket.SHUT_WR)
        assert raw.read(connection).status in (0, 400)
    assert len(server.get("/runs")) == len(before)


def test_a_body_that_comes_with_a_get_is_not_read(server: Server) -> None:
    headers = [own(server), "Content-Type: text/plain", "Content-Length: 999999"]
    assert raw.ask(server.port, raw.head("GET", "/api/health", headers)).status == 200


# -- what is in a body

NOT_JSON = {
    "nothing but a space": b" ",
    "cut off": b'{"name": "a',
    "a bare word": b"name",
    "single quotes": b"{'name': 'a'}",
    "a comma too many": b'{"hidden": 3,}',
    "two values": b"{}{}",
    "a comment": b"{} // hello",
    "NaN": b'{"optimizer": {"kind": "sgd", "lr": NaN}}',
    "Infinity": b'{"optimizer": {"kind": "sgd", "lr": Infinity}}',
    "-Infinity": b'{"optimizer": {"kind": "sgd", "lr": -Infinity}}',
    "an int too long to read": b'{"seed": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"hidden": 3, "hidden": 4}',
    "a key twice, within": b'{"optimizer": {"kind": "sgd", "kind": "adam"}}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "half a surrogate pair": rb'{"name": "\ud800"}',
    "half a surrogate pair as key": rb'{"\udfff": 1}',
    "UTF-16": '{"hidden": 3}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a control character": b'{"name": "\x00"}',
    "nested too deep": b'{"name": ' + b"[" * (BODY_DEPTH + 1) + b"]" * (BODY_DEPTH + 1) + b"}",
    "nested without end": b"[" * 60_000,
    "nested very deep": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("path", ["/api/runs", "/api/runs/nope/commands", "/api/session"])
def test_what_is_not_plain_json_is_refused(server: Server, path: str, body: bytes) -> None:
    problem = assert_problem(raw.post(server.port, path, body), 400)
    assert "expected one JSON value" in problem["detail"]


BAD_CONFIGS: dict[str, Any] = {
    "a list": [],
    "a text": "run",
    "null": None,
    "a number": 1,
    "a huge int": {"seed": 10**300},
    "a huge int for a float": {"optimizer": {"kind": "sgd", "lr": 10**400}},
    "a negative int": {"seed": -1},
    "a float for an int": {"hidden": 3.5},
    "a text for an int": {"hidden": "13"},
    "true for an int": {"hidden": True},
    "null for an int": {"hidden": None},
    "a list for a text": {"name": ["a"]},
    "an unknown field": {"learning_rate": 1},
    "an unknown field of an optimizer": {"optimizer": {"kind": "sgd", "betas": [0.9, 0.99]}},
    "an unknown optimizer": {"optimizer": {"kind": "lion"}},
    "no kind": {"optimizer": {"lr": 1}},
    "a kind that is a list": {"optimizer": {"kind": ["sgd"]}},
    "an optimizer that is a list": {"optimizer": []},
    "a name that is too long": {"name": "x" * 81},
    "an empty name": {"name": ""},
    "a dunder": {"__class__": "os"},
    "a key of 60,000 letters": {"k" * 60_000: 1},
    "a text of 60,000 letters": {"dataset": "d" * 60_000},
    "deep but allowed": {"name": json.loads("[" * 20 + "]" * 20)},
}


@pytest.mark.parametrize("config", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_bad_configuration_is_refused_naming_expected_and_received(
    server: Server, config: Any
) -> None:
    problem = assert_problem(raw.post(server.port, "/api/runs", json.dumps(config).encode()), 422)
    assert problem["errors"]
    for error in problem["errors"]:
        assert error["expected"]
        assert "received" in error
        assert len(json.dumps(error)) < 1000


def test_a_float_beyond_all_floats_is_refused(server: Server) -> None:
    assert_problem(
        raw.post(server.port, "/api/runs", b'{"optimizer": {"kind": "sgd", "lr": 1e999}}'), 422
    )


def test_a_thousand_errors_are_not_all_told(server: Server) -> None:
    body = json.dumps({f"field{number}": number for number in range(3000)}).encode()
    problem = assert_problem(raw.post(server.port, "/api/runs", body), 422)
    assert len(problem["errors"]) == MAX_ERRORS


@pytest.mark.parametrize(
    "name",
    [
        "a\0b",
        "\x7f\x1b[31m",
        "</script><script>alert(1)</script>",
        "'; DROP TABLE runs; --",
        "𝛁 ∂ ñ 日本 🙂",
        "\u202egnp.exe",
    ],
)
def test_a_name_comes_back_as_it_was_given(server: Server, name: str) -> None:
    run = server.create(name=name)
    assert server.get(f"/runs/{run}")["name"] == name
    assert server.get(f"/runs/{run}/parameters")["run"] == run
    assert server.client.delete(f"/api/runs/{run}").status_code == 204
