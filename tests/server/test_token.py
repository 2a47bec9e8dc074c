"""The token: who shows it, by header, link, cookie or on the sign-in page, comes in.

And it is written down nowhere.

Covers api/auth.py and api/sign_in.py.
"""

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from livegrad.api.limits import WRONG_TOKENS
from livegrad.api.security import OPEN_PATHS
from tests.running import Server, serving
from tests.server import raw
from tests.server.conftest import TOKEN


def browser_at(address: str, port: int) -> httpx.Client:
    """Return a client that calls `address` from `address`."""
    return httpx.Client(
        base_url=f"http://{address}:{port}", transport=httpx.HTTPTransport(local_address=address)
    )


def test_without_the_token_nothing_is_told(token_server: Server, anonymous: httpx.Client) -> None:
    run = token_server.get("/runs")[0]["id"]
    paths = [
        "/main.js",
        "/docs",
        "/openapi.json",
        "/api/runs",
        f"/api/runs/{run}",
        "/api/nope",
        "/nope",
        "//api/runs",
    ]
    paths += [
        "/signin.html/",
        "/signin.html/../main.js",
        "/api/health/",
        "/API/health",
        "/css/style.css%2f..%2f..%2fmain.js",
    ]
    for path in paths:
        answer = anonymous.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["title"] == "Token needed"
    assert anonymous.delete(f"/api/runs/{run}").status_code == 401
    assert anonymous.post("/api/runs", json={}).status_code == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_what_is_open_needs_no_token(anonymous: httpx.Client, path: str) -> None:
    assert anonymous.get(path).status_code in (200, 303, 405)


@pytest.mark.parametrize("path", ["/", "/index.html", "/docs"])
def test_a_browser_is_shown_where_to_sign_in(anonymous: httpx.Client, path: str) -> None:
    answer = anonymous.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["location"]) == (303, "signin.html")


def test_the_way_to_sign_in_is_relative_from_every_depth(anonymous: httpx.Client) -> None:
    for path in ("/", "/views/form.js", "/vendor/uplot/uPlot.min.css"):
        answer = anonymous.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 303
        assert not answer.headers["location"].startswith("/")
        assert urljoin(f"/apps{path}", answer.headers["location"]) == "/apps/signin.html"


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong-wrong-wrong-wrong",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xe9",
    ],
)
def test_anything_but_the_token_is_refused(token_server: Server, shown: str) -> None:
    headers = (f"Host: 127.0.0.1:{token_server.port}", f"Authorization: {shown}")
    assert raw.get(token_server.port, "/api/runs", *headers).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_is_taken_as_a_bearer(token_server: Server, scheme: str) -> None:
    headers = (f"Host: 127.0.0.1:{token_server.port}", f"Authorization: {scheme} {TOKEN}")
    assert raw.get(token_server.port, "/api/runs", *headers).status == 200


def test_the_token_is_not_taken_from_the_address(anonymous: httpx.Client) -> None:
    for name in ("token", "access_token", "code"):
        assert anonymous.get("/api/runs", params={name: TOKEN}).status_code == 401


def test_websockets_are_refused_before_the_upgrade(
    token_server: Server, anonymous: httpx.Client
) -> None:
    run = token_server.get("/runs")[0]["id"]
    host = f"Host: 127.0.0.1:{token_server.port}"
    for extra in (
        (),
        ("Authorization: Bearer wrong-wrong-wrong",),
        ("Cookie: livegrad_session=0",),
    ):
        answer = raw.upgrade(token_server.port, f"/api/runs/{run}/stream", host, *extra)
        assert (answer.status, answer.problem["title"]) == (401, "Token needed")
    with connect(
        f"{token_server.stream_url}/api/runs/{run}/stream",
        additional_headers={"Authorization": f"Bearer {TOKEN}"},
    ) as socket:
        assert '"hello"' in str(socket.recv())


def test_the_token_does_not_open_the_trainer_endpoint(token_server: Server) -> None:
    run = token_server.get("/runs")[0]["id"]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"{token_server.stream_url}/api/runs/{run}/trainer",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_the_printed_link_works_once_and_leaves_a_strict_cookie(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "127.0.0.5", "--token", TOKEN) as running:
        link = running.first_line
        assert link.startswith(f"http://127.0.0.5:{running.port}/enter?code=")
        with httpx.Client(base_url=link.partition("/enter")[0]) as browser:
            guessed = browser.get("/enter", params={"code": "guessed"})
            assert (guessed.status_code, guessed.headers["location"]) == (303, "signin.html?used")
            assert browser.head(link).status_code == 405  # a preview does not use it up
            cookie = browser.get(link).headers["set-cookie"]
            assert re.fullmatch(
                rf"livegrad_session_{running.port}=[0-9a-f]{{64}}; "
                "HttpOnly; SameSite=Strict; Path=/",
                cookie,
            )
            assert browser.get("/api/runs").status_code == 200
            browser.cookies.clear()
            again = browser.get(link)
            assert (again.status_code, again.headers["location"]) == (303, "signin.html?used")
            assert "set-cookie" not in again.headers


def test_the_cookie_opens_pages_and_streams_and_a_changed_one_nothing(
    token_server: Server, anonymous: httpx.Client
) -> None:
    signed_in = anonymous.post("/api/session", json={"token": TOKEN})
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    anonymous.cookies.clear()
    run = token_server.get("/runs")[0]["id"]
    host = f"Host: 127.0.0.1:{token_server.port}"
    path = f"/api/runs/{run}/stream"
    assert raw.upgrade(token_server.port, path, host, f"Cookie: {cookie}").status == 101
    assert raw.get(token_server.port, "/", host, f"Cookie: other=1; {cookie}").status == 200
    for changed in (
        cookie[:-1],
        cookie + "0",
        cookie.upper(),
        cookie.partition("=")[0] + "=",
        "x" + cookie,
    ):
        assert raw.upgrade(token_server.port, path, host, f"Cookie: {changed}").status == 401
    assert raw.get(token_server.port, "/api/runs", host, "Cookie: =;;=\xe9; a").status == 401


ODD = [
    'prefs={"theme":"dark"}',
    'quoted="a; b"',
    "seen=Direct Traffic",
    "app/lang=de",
    "flag",
    "path=/x",
    "domain=evil.example",
    "expires=never",
    "secure",
    "$Version=1",
    "=value",
    "",
    "a=b=c",
    "\\",
    '"',
    "caf\xe9=\xff",
    "x" * 9000,
]


@pytest.mark.parametrize("other", ODD)
def test_other_programs_cookies_sign_nobody_out(
    token_server: Server, anonymous: httpx.Client, other: str
) -> None:
    cookie = (
        anonymous.post("/api/session", json={"token": TOKEN})
        .headers["set-cookie"]
        .partition(";")[0]
    )
    anonymous.cookies.clear()
    run = token_server.get("/runs")[0]["id"]
    name, host = cookie.partition("=")[0], f"Host: 127.0.0.1:{token_server.port}"
    shown = [
        f"{other}; {cookie}",
        f"{cookie};{other}",
        f"{name}=old; {other}; {cookie}",
        f"{cookie}; {name}=",
    ]
    for text in shown:
        assert raw.get(token_server.port, "/api/runs", host, f"Cookie: {text}").status == 200, text
        assert (
            raw.upgrade(
                token_server.port, f"/api/runs/{run}/stream", host, f"Cookie: {text}"
            ).status
            == 101
        )
    assert (
        raw.get(
            token_server.port, "/api/runs", host, f"Cookie: {other}", f"Cookie: {cookie}"
        ).status
        == 200
    )
    assert (
        raw.get(token_server.port, "/api/runs", host, f"Cookie: {other}; {name}=old").status == 401
    )


def test_behind_https_the_cookie_is_for_https_alone(token_server: Server) -> None:
    body = b'{"token": "' + TOKEN.encode() + b'"}'
    headers = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    for host, secure in (("shared.example", True), (f"lab.example:{token_server.port}", False)):
        answer = raw.ask(
            token_server.port, raw.head("POST", "/api/session", [f"Host: {host}", *headers]) + body
        )
        assert answer.status == 204
        assert ("; Secure" in answer.headers["set-cookie"]) is secure


def test_signing_in_with_anything_but_the_token_is_refused(token_server: Server) -> None:
    with browser_at("127.0.0.6", token_server.port) as browser:
        for token in ("", "wrong", TOKEN + " ", "é" * 20, "\0"):
            answer = browser.post("/api/session", json={"token": token})
            assert (answer.status_code, answer.json()["title"]) == (401, "Not the token")
            assert "set-cookie" not in answer.headers
        assert browser.post("/api/session", json={"token": "x" * 1025}).status_code == 422
        assert browser.post("/api/session", json={}).status_code == 422


def test_whoever_guesses_is_stopped_and_keeps_nobody_else_out(token_server: Server) -> None:
    def ask(token: str, path: str, address: str = "127.0.0.7") -> raw.Answer:
        own = (f"Host: {address}:{token_server.port}", f"Authorization: Bearer {token}")
        asking = raw.upgrade if path.endswith("/stream") else raw.get
        return asking(token_server.port, path, *own, address=address)

    for number in range(WRONG_TOKENS):
        assert ask(f"guess-{number}", "/api/runs").status == 401
    for path in ("/api/runs", "/api/runs/nope/stream"):
        refused = ask(TOKEN, path)
        assert refused.status == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert ask(TOKEN, path, "127.0.0.8").status in (200, 101)
    with browser_at("127.0.0.7", token_server.port) as guesser:
        assert guesser.post("/api/session", json={"token": TOKEN}).status_code == 429
        link = token_server.first_line.partition("/enter")[2]
        assert guesser.get(f"/enter{link}").status_code == 200  # its code cannot be guessed
        assert guesser.get("/api/runs").status_code == 200  # nor the cookie


def test_no_token_code_or_cookie_is_written_down(tmp_path: Path) -> None:
    with serving(tmp_path, "--token", TOKEN) as running:
        run = running.create(name="quiet")
        cookie = running.client.get(running.first_line).headers["set-cookie"]
        running.client.get(running.first_line)
        running.client.post("/api/session", json={"token": TOKEN})
        running.client.post("/api/session", json={"token": TOKEN, "more": TOKEN})
        running.client.post(
            "/api/runs", content=TOKEN, headers={"Content-Type": "application/json"}
        )
        running.client.get(f"/api/runs/{TOKEN}")
        running.client.delete(f"/api/runs/{run}")
        own = (f"Host: 127.0.0.1:{running.port}", f"Authorization: Bearer {TOKEN}")
        raw.upgrade(running.port, f"/api/runs/{TOKEN}/trainer", *own)
        raw.ask(running.port, f"GET /{TOKEN}\x00 HTTP/9.9\r\n{own[1]}\r\n\r\n".encode())
        assert running.stop() == 0
        assert running.process.stdout is not None
        written = running.log_text() + running.process.stdout.read().decode()
        code = running.first_line.partition("code=")[2]
        session = cookie.partition("=")[2].partition(";")[0]
        assert len(code) >= 32
        for secret in (TOKEN, code, session):
            assert secret not in written
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert TOKEN.encode() not in stored


def test_the_sign_in_page_asks_for_nothing_that_needs_the_token(anonymous: httpx.Client) -> None:
    anonymous.cookies.clear()
    waiting, seen = ["/signin.html"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = anonymous.get(path)
        assert answer.status_code == 200, path
        found = re.findall(r"""(?:src=|href=|from|url\()\s*["']([^"']+)["']""", answer.text)
        links = [urljoin(path, link) for link in found]
        waiting += [link for link in links if link not in seen]
    assert {"/signin.js", "/css/signin.css", "/css/style.css"} <= seen <= OPEN_PATHS
