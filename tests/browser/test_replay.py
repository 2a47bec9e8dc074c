"""A replay, opened from the disk: it asks nobody for anything,
and shows the numbers that were recorded.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import MakeRun
from tests.running import Server

STEPS = 2000


@pytest.fixture
def run(server: Server, make_run: MakeRun) -> str:
    made = make_run(optimizer={"kind": "adam", "lr": 0.01}, pace=None)
    server.command(made, "step", count=STEPS)
    return made


def written(server: Server, run: str, folder: Path, size: str) -> Path:
    answer = server.client.get(f"/api/runs/{run}/replay.html", params={"size": size})
    assert answer.is_success, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="livegrad-{run}.html"'
    path = folder / "replay.html"
    path.write_bytes(answer.content)
    return path


class Opened:
    """A replay in a browser that has no network, with all that it asked for or complained of."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url[:300]))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("() => window.livegrad?.store.state.moment != null")
        self.own = path.as_uri()

    def go(self, step: int) -> int:
        """Type a step; return the one that is shown."""
        self.page.fill("#place", str(step))
        self.page.press("#place", "Enter")
        self.page.wait_for_function(
            "() => (({visited}) => visited === null || visited.moment?.step === "
            "visited.step)(livegrad.store.state)"
        )
        return int(
            self.page.evaluate(
                "(({visited, run}) => visited?.step ?? run.step)(livegrad.store.state)"
            )
        )

    def edges(self) -> dict[str, float]:
        self.page.wait_for_timeout(150)
        found = self.page.evaluate(
            "[...document.querySelectorAll('#network .edge, #network .chip')]"
            ".map(({dataset}) => [dataset.name, dataset.value])"
        )
        return {name: float(np.float32(value)) for name, value in found}

    def arrows(self) -> int:
        return int(
            self.page.evaluate(
                "document.querySelectorAll('#network .arrow.change[data-name]').length"
            )
        )


@pytest.fixture
def open_file(browser: Browser) -> Iterator[Any]:
    contexts = []

    def open_(path: Path, **options: Any) -> Opened:
        context = browser.new_context(
            offline=True, viewport={"width": 1440, "height": 900}, **options
        )
        contexts.append(context)
        return Opened(context.new_page(), path)

    yield open_
    for context in contexts:
        context.close()


def recorded(server: Server, run: str, step: int) -> dict[str, float]:
    found = server.get(f"/runs/{run}/parameters", params={"step": step})["parameters"]
    return {
        f"{p['name']}[{', '.join(map(str, index))}]": float(np.float32(np.array(p["value"])[index]))
        for p in found
        for index in np.ndindex(tuple(p["shape"]))
    }


def test_every_step_of_a_run_that_fits_is_there(
    server: Server, run: str, open_file: Any, tmp_path: Path
) -> None:
    path = written(server, run, tmp_path, "4MB")
    replay = open_file(path)
    assert f"all {STEPS + 1:,} steps" in replay.page.inner_text("#bar")
    for step in (0, 1, 777, 1999, STEPS):
        assert replay.go(step) == step
        assert replay.edges() == recorded(server, run, step)
        assert (replay.arrows() > 0) == (step > 0)
    assert replay.complaints == []
    assert {url for url in replay.asked if not url.startswith("data:text/javascript")} == {
        replay.own
    }


def test_a_thinned_one_says_so_and_shows_whole_moments(
    server: Server, run: str, open_file: Any, tmp_path: Path
) -> None:
    path = written(server, run, tmp_path, "900KB")
    assert path.stat().st_size <= 900_000
    replay = open_file(path)
    assert re.search(
        rf"\d+ of {STEPS + 1:,} steps are in this file, .* thinned to 0\.9 MB",
        replay.page.inner_text("#bar"),
    )
    for step in (0, STEPS // 3, STEPS // 2, STEPS):
        shown = replay.go(step)
        assert abs(shown - step) < STEPS / 20
        assert replay.edges() == recorded(server, run, shown)
        assert (replay.arrows() > 0) == (shown > 0)
    assert replay.complaints == []


def test_it_plays_and_goes_by_keys(
    server: Server, run: str, open_file: Any, tmp_path: Path
) -> None:
    replay = open_file(written(server, run, tmp_path, "900KB"))
    page = replay.page
    page.keyboard.press("Home")
    page.wait_for_function("() => livegrad.store.state.visited?.moment?.step === 0")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => livegrad.store.state.visited?.moment?.step > 0")
    page.keyboard.press("p")
    page.wait_for_function("() => livegrad.store.state.visited === null", timeout=60_000)
    # drawn in the next frame
    expect(page.locator("#step")).to_have_text(f"step {STEPS:,} / {STEPS:,}")
    page.click("#play-back")
    page.wait_for_function(f"() => livegrad.store.state.visited?.moment?.step < {STEPS - 100}")
    assert replay.complaints == []


def test_the_name_of_a_run_is_only_text_in_it(
    server: Server, make_run: MakeRun, open_file: Any, tmp_path: Path
) -> None:
    name = "</script><img src=x onerror=alert(1)>&\u2028"
    made = make_run(name=name)
    server.command(made, "step", count=5)
    replay = open_file(written(server, made, tmp_path, "4MB"))
    assert replay.page.inner_text("#bar .run-name") == name.replace("\u2028", "\u2028")
    assert replay.page.title().startswith("</script><img")
    assert replay.complaints == []


def test_its_policy_lets_nothing_be_fetched(
    server: Server, run: str, open_file: Any, tmp_path: Path
) -> None:
    replay = open_file(written(server, run, tmp_path, "900KB"))
    policy = replay.page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    refused = replay.page.evaluate(
        "fetch('http://127.0.0.1:9/').then(() => 'went', (error) => error.name)"
    )
    assert refused == "TypeError"
    assert any("Content Security Policy" in text for text in replay.complaints)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("300KB", "size: expected at least"),
        ("2", "size: expected a number and a unit"),
        ("1GB", "size: expected more than 0 and at most 64MiB"),
        ("-1MB", "size: expected a number and a unit"),
        ("0MB", "size: expected more than 0 and at most 64MiB"),
    ],
)
def test_a_size_that_cannot_be_is_refused_in_words(
    server: Server, run: str, size: str, words: str
) -> None:
    answer = server.client.get(f"/api/runs/{run}/replay.html", params={"size": size})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_replay_stands_on_a_phone(
    server: Server, run: str, browser: Browser, tmp_path: Path
) -> None:
    path = written(server, run, tmp_path, "900KB")
    with browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme="dark"
    ) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_function("() => window.livegrad?.store.state.moment != null")
        page.wait_for_selector("#network .edge")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
