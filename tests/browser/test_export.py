"""Taking things along from the page: the files that the browser keeps are what the server
recorded.
"""

import io
import json
import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.long_run import write_run
from tests.running import Server, serving

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def run(server: Server, make_run: MakeRun) -> str:
    made = make_run(optimizer={"kind": "adam", "lr": 0.01}, pace=None)
    server.command(made, "step", count=300)
    return made


def opened(
    open_page: OpenPage, server: Server, run: str, step: int = 300, **options: object
) -> Page:
    board: Dashboard = open_page(server, run, **options)
    board.page.wait_for_function(
        "step => window.livegrad.store.state.moment?.step === step && window.framesDue === 0",
        arg=step,
    )
    board.page.click("#open-export")
    board.page.wait_for_selector("#export-svg")
    return board.page


def taken(page: Page, offer: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(f"[id='export-{offer}']")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_network_as_svg_stands_alone(
    server: Server, run: str, open_page: OpenPage, theme: str, tmp_path: Path
) -> None:
    page = opened(open_page, server, run, color_scheme=theme)
    card = page.evaluate("getComputedStyle(document.querySelector('#network')).backgroundColor")
    path = taken(page, "svg", tmp_path)
    assert path.name == f"livegrad-{run}-step-300.svg"
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.findtext(f"{SVG}title") == "temperature, step 300"
    described = root.findtext(f"{SVG}desc", "")
    assert run in described
    assert "step 300" in described
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert ground.get("fill") == card
    assert not re.search(r"var\(|class=|style=|light-dark|https?://(?!www\.w3\.org)", text)
    snapshot = server.get(f"/runs/{run}/parameters", params={"step": 300})["parameters"]
    titles = [(title.text or "").partition(" = ") for title in root.iter(f"{SVG}title")]
    said = {name: value for name, _, value in titles if value}
    flat = {
        f"{p['name']}[{', '.join(map(str, index))}]": np.float32(np.array(p["value"])[index])
        for p in snapshot
        for index in np.ndindex(tuple(p["shape"]))
    }
    assert {name: np.float32(value) for name, value in said.items()} == flat


def test_the_svg_looks_as_the_screen_does(
    server: Server, run: str, open_page: OpenPage, tmp_path: Path
) -> None:
    page = opened(open_page, server, run)
    path = taken(page, "svg", tmp_path)
    alike = page.evaluate(
        """async (text) => {
          const drawing = document.querySelector("#network svg.drawing");
          const frame = document.body.appendChild(document.createElement("div"));
          frame.innerHTML = text;
          const copy = frame.querySelector("svg");
          const seen = [...drawing.querySelectorAll("path, rect, circle, text")]
            .filter((node) => node.closest(".hit, .halo, .frame, .flow, clipPath") === null)
            .filter((node) => getComputedStyle(node).visibility !== "hidden");
          const made = [...copy.querySelectorAll(":scope > g :is(path, rect, circle, text)")]
            .filter((node) => node.closest("clipPath") === null);
          const names = ["fill", "stroke", "stroke-width", "font-size", "font-family",
            "text-anchor", "opacity"];
          const look = (node) => names.map((name) =>
            getComputedStyle(node).getPropertyValue(name)).join("|");
          const wrong = seen.filter((node, i) => made[i] === undefined ||
            look(node) !== look(made[i]));
          return {count: made.length, expected: seen.length, wrong: wrong.slice(0,
            3).map((node) => node.outerHTML)};
        }""",
        path.read_text(encoding="utf-8"),
    )
    assert alike["wrong"] == []
    assert alike["count"] == alike["expected"] > 200


def test_the_svg_opens_by_itself(
    server: Server, run: str, open_page: OpenPage, browser: Browser, tmp_path: Path
) -> None:
    path = taken(opened(open_page, server, run), "svg", tmp_path)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.localName") == "svg"
        width, height = page.evaluate(
            "(({width, height}) => [width, height])(document.querySelector('g').getBBox())"
        )
        assert min(width, height) > 200


def test_the_network_as_png_has_twice_the_pixels(
    server: Server, run: str, open_page: OpenPage, tmp_path: Path
) -> None:
    page = opened(open_page, server, run)
    size = page.evaluate(
        "(({width, height}) => [width, height])(document.querySelector('#network "
        "svg.drawing').viewBox.baseVal)"
    )
    data = taken(page, "png", tmp_path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (2 * size[0], 2 * size[1])
    colours = page.evaluate(
        """async (bytes) => {
          const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)],
            {type: "image/png"}));
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const context = canvas.getContext("2d");
          context.drawImage(bitmap, 0, 0);
          return new Set(new Uint32Array(context.getImageData(0, 0, bitmap.width,
            bitmap.height).data.buffer)).size;
        }""",
        list(data),
    )
    assert colours > 100


def test_files_of_a_step_and_of_the_run_are_the_servers(
    server: Server, run: str, open_page: OpenPage, tmp_path: Path
) -> None:
    page = opened(open_page, server, run)
    base = f"/api/runs/{run}"
    arrays = np.load(io.BytesIO(taken(page, "npz", tmp_path).read_bytes()))
    expected = np.load(
        io.BytesIO(server.client.get(f"{base}/parameters?format=npz&step=300").content)
    )
    assert {name: arrays[name].tobytes() for name in arrays} == {
        n: expected[n].tobytes() for n in expected
    }
    assert json.loads(taken(page, "json", tmp_path).read_text()) == server.get(
        f"/runs/{run}/parameters", params={"step": 300}
    )
    assert (
        taken(page, "script", tmp_path).read_text(encoding="utf-8")
        == server.client.get(f"{base}/script").text
    )
    table = taken(page, "history.csv", tmp_path)
    assert table.read_text() == server.client.get(f"{base}/history.csv").text
    assert "301 of 301 rows" in page.inner_text(
        "li:has(> [id='export-history.csv']) .exports-status"
    )


def test_a_refusal_is_said_beside_its_button(
    server: Server, run: str, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive("status of 501")
    page = opened(open_page, server, run)
    refusal = json.dumps(
        {"title": "Not installed", "status": 501, "detail": "pip install 'livegrad[parquet]'"}
    )
    page.route(
        "**/history.parquet?*",
        lambda route: route.fulfill(
            status=501, body=refusal, content_type="application/problem+json"
        ),
    )
    page.click("[id='export-history.parquet']")
    page.wait_for_selector("text=pip install 'livegrad[parquet]'")


def test_what_is_taken_is_the_step_on_the_screen_then_as_now(
    server: Server, run: str, open_page: OpenPage, tmp_path: Path
) -> None:
    board: Dashboard = open_page(server, run)
    page = board.page
    page.wait_for_function("() => window.livegrad.store.state.moment?.step === 300")
    page.fill("#place", "123")
    page.press("#place", "Enter")
    page.wait_for_function(
        "() => window.livegrad.store.state.visited?.moment?.step === 123 && window.framesDue === 0"
    )
    page.click("#open-export")
    path = taken(page, "svg", tmp_path)
    assert path.name == f"livegrad-{run}-step-123.svg"
    value = server.get(f"/runs/{run}/parameters/output_linear.bias", params={"step": 123})["value"][
        0
    ]
    said = re.search(
        r"<title>output_linear\.bias\[0\] = ([^<]+)</title>", path.read_text(encoding="utf-8")
    )
    assert said is not None
    assert np.float32(said[1]) == np.float32(value)
    assert taken(page, "npz", tmp_path).name == f"livegrad-{run}-step-123.npz"


LONG = 200_000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one run, of LONG steps."""
    folder = tmp_path_factory.mktemp("long")
    write_run(folder, LONG)
    with serving(folder) as running:
        yield running


def row_of(page: Page, offer: str) -> Locator:
    return page.locator(f"li:has(> [id='export-{offer}'])")


WATCH = """(row) => {
  window.seen = [];
  const [bar, told] = ["progress", ".exports-status"].map((part) => row.querySelector(part));
  const note = () => window.seen.push([bar.value, told.textContent]);
  new MutationObserver(note).observe(row, {subtree: true, childList: true, characterData: true,
    attributes: true});
}"""


@pytest.mark.parametrize("offer", ["history.parquet", "replay.html"])
def test_what_takes_long_shows_rows_done_of_rows(
    long: Server, open_page: OpenPage, offer: str, tmp_path: Path
) -> None:
    page = opened(open_page, long, "10000000", LONG - 1)
    row = row_of(page, offer)
    row.evaluate(WATCH)
    assert taken(page, offer, tmp_path).stat().st_size > 1e6
    expect(row.locator(".exports-status")).to_contain_text("✓")
    seen = page.evaluate("window.seen")
    counted = [re.match(r"([\d,]+) of ([\d,]+) rows", text) for _, text in seen]
    parts = [[int(part.replace(",", "")) for part in match.groups()] for match in counted if match]
    assert any(0 < done < rows for done, rows in parts)
    assert any(0 < value < 1 for value, _ in seen)
    assert parts == sorted(parts)
    assert parts[-1][0] == parts[-1][1]
    expect(row.get_by_role("progressbar")).to_be_hidden()
    expect(row.get_by_role("button", name="Cancel")).to_be_hidden()


def test_cancel_ends_the_servers_work_and_says_so(long: Server, open_page: OpenPage) -> None:
    page = opened(open_page, long, "10000000", LONG - 1)
    asked: list[str] = []
    page.on(
        "request",
        lambda request: asked.append(request.url) if "/progress/" in request.url else None,
    )
    for offer in ("history.csv", "replay.html"):
        row = row_of(page, offer)
        page.click(f"[id='export-{offer}']")
        row.get_by_text(re.compile(r"[1-9][\d,]* of [\d,]+ rows")).wait_for()
        row.get_by_role("button", name="Cancel").click()
        expect(row.locator(".exports-status")).to_have_text("Cancelled.")
        expect(page.locator(f"[id='export-{offer}']")).to_be_focused()
        page.wait_for_timeout(500)
        told = long.client.get(asked[-1]).json()
        assert told["state"] == "cancelled"
        assert told["rows_done"] < told["rows"]


def test_a_table_that_breaks_off_says_why_in_the_servers_words(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING")
    write_run(tmp_path, 80_000)  # its charts come out of summaries
    with closing(sqlite3.connect(tmp_path / "livegrad.sqlite3")) as db, db:
        db.execute("UPDATE chunks SET payload = zeroblob(100) WHERE first = 51200")
    with serving(tmp_path) as damaged:
        page = opened(open_page, damaged, "10000000", 79_999)
        for offer in ("history.csv", "history.parquet"):
            page.click(f"[id='export-{offer}']")
            expect(row_of(page, offer).locator(".exports-status")).to_contain_text(
                "run log are damaged"
            )
        page.context.close()
