"""Who may call: Host, Origin, token, headers; against real servers, over raw sockets where a client would tidy up."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from livegrad.api.attempts import LIMIT
from livegrad.api.security import HEADERS, OPEN_PATHS
from tests.running import Server, serving
from tests.server import raw

FRONTEND = Path(__file__).parents[2] / "frontend"
TOKEN = "correct-horse-battery-staple"

PATHS = (
    "/",
    "/main.js",
    "/docs",
    "/openapi.json",
    "/api/health",
    "/api/runs",
    "/api/nope",
    "/nope",
    "/enter",
)
SOCKETS = ("/api/runs/{run}/stream", "/api/runs/{run}/trainer", "/api/runs/nope/stream", "/nope")

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


def everywhere(server: Server, *headers: str) -> Iterator[raw.Answer]:
    """Ask on every kind of route, and for both websockets, with these headers alone."""
    run = server.get("/runs")[0]["id"]
    lines = [line.format(port=server.port) for line in headers]
    for path in PATHS:
        yield raw.get(server.port, path, *lines)
    yield raw.ask(server.port, raw.head("POST", "/api/runs", [*lines, "Content-Length: 0"]))
    yield raw.ask(server.port, raw.head("DELETE", f"/api/runs/{run}", lines))
    for path in SOCKETS:
        yield raw.upgrade(server.port, path.format(run=run), *lines)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token, listening on every address, behind a proxy as well."""
    flags = ("--host", "0.0.0.0", "--token", TOKEN)
    names = {"LIVEGRAD_ALLOW_HOST": "lab.example,lab.example:81,https://shared.example"}
    with serving(tmp_path_factory.mktemp("locked"), *flags, environment=names) as running:
        yield running


@pytest.fixture(scope="module")
def guest(locked: Server) -> Iterator[httpx.Client]:
    """A client that has not shown the token."""
    with httpx.Client(base_url=locked.url, timeout=30) as client:
        yield client


def browser_at(address: str, port: int) -> httpx.Client:
    """Return a client that calls `address` from `address`."""
    return httpx.Client(
        base_url=f"http://{address}:{port}", transport=httpx.HTTPTransport(local_address=address)
    )


# -- Host and Origin


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
    for answer in everywhere(server, f"Host: {host}"):
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
def test_anything_but_one_host_is_refused_everywhere(server: Server, headers: tuple[str, ...]) -> None:
    for answer in everywhere(server, *headers):
        assert answer.status == 400, answer


def test_http_1_0_without_a_host_is_refused(server: Server) -> None:
    assert raw.ask(server.port, b"GET /api/runs HTTP/1.0\r\n\r\n").status == 400


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_another_origin_is_refused_everywhere(server: Server, origin: str) -> None:
    for answer in everywhere(server, "Host: 127.0.0.1:{port}", f"Origin: {origin}"):
        assert answer.status == 403, answer
        assert answer.problem["title"] == "Wrong origin"


def test_two_origins_are_refused_everywhere(server: Server) -> None:
    own = "Origin: http://127.0.0.1:{port}"
    for other in (own, "Origin: http://evil.example"):
        for answer in everywhere(server, "Host: 127.0.0.1:{port}", own, other):
            assert answer.status in (400, 403), answer  # a websocket's is refused while it is being read


def test_what_was_refused_did_nothing(server: Server) -> None:
    before = server.get("/runs")
    list(everywhere(server, "Host: 127.0.0.1:{port}", "Origin: http://evil.example"))
    assert [run["id"] for run in server.get("/runs")] == [run["id"] for run in before]


def test_the_address_that_was_reached_is_a_name_of_its_own(locked: Server) -> None:
    token = f"Authorization: Bearer {TOKEN}"
    here = f"Host: 127.0.0.2:{locked.port}"
    assert raw.get(locked.port, "/api/runs", here, token, address="127.0.0.2").status == 200
    assert raw.get(locked.port, "/api/runs", here, token, address="127.0.0.3").status == 421
    assert raw.get(locked.port, "/api/runs", "Host: 127.0.0.2", token, address="127.0.0.2").status == 421


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
    locked: Server, host: str, origin: str | None, status: int
) -> None:
    headers = [f"Host: {host}", f"Authorization: Bearer {TOKEN}"] + ([f"Origin: {origin}"] if origin else [])
    lines = [line.format(port=locked.port) for line in headers]
    assert raw.get(locked.port, "/api/runs", *lines).status == status


# -- the token


def test_without_the_token_nothing_is_told(locked: Server, guest: httpx.Client) -> None:
    run = locked.get("/runs")[0]["id"]
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
        "/style.css%2f..%2fmain.js",
    ]
    for path in paths:
        answer = guest.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["title"] == "Token needed"
    assert guest.delete(f"/api/runs/{run}").status_code == 401
    assert guest.post("/api/runs", json={}).status_code == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_what_is_open_needs_no_token(guest: httpx.Client, path: str) -> None:
    assert guest.get(path).status_code in (200, 303, 405)


@pytest.mark.parametrize("path", ["/", "/index.html", "/docs"])
def test_a_browser_is_shown_where_to_sign_in(guest: httpx.Client, path: str) -> None:
    answer = guest.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin.html")


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
def test_anything_but_the_token_is_refused(locked: Server, shown: str) -> None:
    headers = (f"Host: 127.0.0.1:{locked.port}", f"Authorization: {shown}")
    assert raw.get(locked.port, "/api/runs", *headers).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_is_taken_as_a_bearer(locked: Server, scheme: str) -> None:
    headers = (f"Host: 127.0.0.1:{locked.port}", f"Authorization: {scheme} {TOKEN}")
    assert raw.get(locked.port, "/api/runs", *headers).status == 200


def test_the_token_is_not_taken_from_the_address(guest: httpx.Client) -> None:
    for name in ("token", "access_token", "code"):
        assert guest.get("/api/runs", params={name: TOKEN}).status_code == 401


def test_websockets_are_refused_before_the_upgrade(locked: Server, guest: httpx.Client) -> None:
    run = locked.get("/runs")[0]["id"]
    host = f"Host: 127.0.0.1:{locked.port}"
    for extra in ((), ("Authorization: Bearer wrong-wrong-wrong",), ("Cookie: livegrad_session=0",)):
        answer = raw.upgrade(locked.port, f"/api/runs/{run}/stream", host, *extra)
        assert (answer.status, answer.problem["title"]) == (401, "Token needed")
    with connect(
        f"{locked.stream_url}/api/runs/{run}/stream", additional_headers={"Authorization": f"Bearer {TOKEN}"}
    ) as socket:
        assert '"hello"' in str(socket.recv())


def test_the_token_does_not_open_the_trainers_door(locked: Server) -> None:
    run = locked.get("/runs")[0]["id"]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"{locked.stream_url}/api/runs/{run}/trainer",
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
            assert (guessed.status_code, guessed.headers["location"]) == (303, "/signin.html?used")
            assert browser.head(link).status_code == 405  # a preview does not use it up
            cookie = browser.get(link).headers["set-cookie"]
            assert re.fullmatch(
                rf"livegrad_session_{running.port}=[0-9a-f]{{64}}; HttpOnly; SameSite=Strict; Path=/", cookie
            )
            assert browser.get("/api/runs").status_code == 200
            browser.cookies.clear()
            again = browser.get(link)
            assert (again.status_code, again.headers["location"]) == (303, "/signin.html?used")
            assert "set-cookie" not in again.headers


def test_the_cookie_opens_pages_and_streams_and_a_changed_one_nothing(
    locked: Server, guest: httpx.Client
) -> None:
    signed_in = guest.post("/api/session", json={"token": TOKEN})
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    guest.cookies.clear()
    run = locked.get("/runs")[0]["id"]
    host = f"Host: 127.0.0.1:{locked.port}"
    path = f"/api/runs/{run}/stream"
    assert raw.upgrade(locked.port, path, host, f"Cookie: {cookie}").status == 101
    assert raw.get(locked.port, "/", host, f"Cookie: other=1; {cookie}").status == 200
    for changed in (cookie[:-1], cookie + "0", cookie.upper(), cookie.partition("=")[0] + "=", "x" + cookie):
        assert raw.upgrade(locked.port, path, host, f"Cookie: {changed}").status == 401
    assert raw.get(locked.port, "/api/runs", host, "Cookie: =;;=\xe9; a").status == 401


def test_behind_https_the_cookie_is_for_https_alone(locked: Server) -> None:
    body = b'{"token": "' + TOKEN.encode() + b'"}'
    headers = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    for host, secure in (("shared.example", True), (f"lab.example:{locked.port}", False)):
        answer = raw.ask(locked.port, raw.head("POST", "/api/session", [f"Host: {host}", *headers]) + body)
        assert answer.status == 204
        assert ("; Secure" in answer.headers["set-cookie"]) is secure


def test_signing_in_with_anything_but_the_token_is_refused(locked: Server) -> None:
    with browser_at("127.0.0.6", locked.port) as browser:
        for token in ("", "wrong", TOKEN + " ", "é" * 20, "\0"):
            answer = browser.post("/api/session", json={"token": token})
            assert (answer.status_code, answer.json()["title"]) == (401, "Not the token")
            assert "set-cookie" not in answer.headers
        assert browser.post("/api/session", json={"token": "x" * 1025}).status_code == 422
        assert browser.post("/api/session", json={}).status_code == 422


def test_whoever_guesses_is_stopped_and_keeps_nobody_else_out(locked: Server) -> None:
    def ask(token: str, path: str, address: str = "127.0.0.7") -> raw.Answer:
        own = (f"Host: {address}:{locked.port}", f"Authorization: Bearer {token}")
        asking = raw.upgrade if path.endswith("/stream") else raw.get
        return asking(locked.port, path, *own, address=address)

    for number in range(LIMIT):
        assert ask(f"guess-{number}", "/api/runs").status == 401
    for path in ("/api/runs", "/api/runs/nope/stream"):
        refused = ask(TOKEN, path)
        assert refused.status == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert ask(TOKEN, path, "127.0.0.8").status in (200, 101)
    with browser_at("127.0.0.7", locked.port) as guesser:
        assert guesser.post("/api/session", json={"token": TOKEN}).status_code == 429
        link = locked.first_line.partition("/enter")[2]
        assert guesser.get(f"/enter{link}").status_code == 200  # its code cannot be guessed
        assert guesser.get("/api/runs").status_code == 200  # nor the cookie


def test_no_token_code_or_cookie_is_written_down(tmp_path: Path) -> None:
    with serving(tmp_path, "--token", TOKEN) as running:
        run = running.create(name="quiet")
        cookie = running.client.get(running.first_line).headers["set-cookie"]
        running.client.get(running.first_line)
        running.client.post("/api/session", json={"token": TOKEN})
        running.client.post("/api/session", json={"token": TOKEN, "more": TOKEN})
        running.client.post("/api/runs", content=TOKEN, headers={"Content-Type": "application/json"})
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


# -- headers on every answer


def test_every_answer_carries_the_headers(server: Server) -> None:
    host = f"Host: 127.0.0.1:{server.port}"
    answers = [raw.get(server.port, path, host) for path in PATHS]
    answers += [raw.get(server.port, "/main.js", "Host: evil.example"), raw.get(server.port, "/%00", host)]
    answers += [
        raw.ask(server.port, raw.head(method, "/api/runs", [host])) for method in ("PUT", "HEAD", "OPTIONS")
    ]
    answers += [raw.post(server.port, "/api/runs", b"{"), raw.post(server.port, "/api/runs", b"x" * 70_000)]
    answers += [raw.upgrade(server.port, path.format(run="nope"), host, "Origin: null") for path in SOCKETS]
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
        self._within = tag if tag == "style" or (tag == "script" and "src" not in attributes) else ""
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
    found = [path for path in FRONTEND.rglob("*") if path.suffix in endings and "vendor" not in path.parts]
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
    r"\beval\s*\(|new\s+Function\b|\.innerHTML\s*=|\.outerHTML\s*=|insertAdjacentHTML|document\.write"
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


def test_the_sign_in_page_asks_for_nothing_that_needs_the_token(guest: httpx.Client) -> None:
    guest.cookies.clear()
    waiting, seen = ["/signin.html"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = guest.get(path)
        assert answer.status_code == 200, path
        links = re.findall(r"""(?:src|href|from|url\()\s*=?\s*["']?(/[^"')]+)""", answer.text)
        waiting += [link for link in links if link not in seen]
    assert {"/signin.js", "/signin.css", "/style.css"} <= seen <= OPEN_PATHS


# -- what runs what came in


RUNS_IT = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "torch.load",
    "np.load",
    "numpy.load",
    "os.system",
    "os.popen",
}
READS_IT = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "code"}


def dangers(source: str) -> set[str]:
    """Return what in `source` would run, or unpickle, what it is given."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & RUNS_IT
            found |= {"shell" for word in node.keywords if word.arg in ("shell", "allow_pickle")}
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names} & READS_IT
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0]} & READS_IT
    return found


def test_nothing_unpickles_or_evaluates_what_came_in() -> None:
    package = Path(__file__).parents[2] / "backend" / "livegrad"
    sources = list(package.rglob("*.py"))
    assert len(sources) > 30
    assert {str(path): found for path in sources if (found := dangers(path.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "import pickle",
        "from pickle import loads",
        "torch.load(f)",
        "np.load(f)",
        "run(x, shell=True)",
    ],
)
def test_the_scan_for_what_runs_input_finds_it(source: str) -> None:
    assert dangers(source)
