"""Behind a proxy that serves livegrad below a path of its own: everything works,
and nothing asks beside that path.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import COUNT_FRAMES, PATIENCE_MS
from tests.browser.screen import Dashboard
from tests.proxy import Proxy, proxying
from tests.running import Server, serving

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Proxy]]:
    """A server with a token, and the proxy before it."""
    with proxying("/apps/livegrad/") as proxy:
        flags = ("--token", TOKEN, "--allow-host", f"127.0.0.1:{proxy.port}")
        with serving(tmp_path_factory.mktemp("behind"), *flags) as server:
            proxy.upstream = server.port
            server.wait(server.get("/runs")[0]["id"], "paused")
            yield server, proxy


@pytest.fixture
def visitor(
    browser: Browser, behind: tuple[Server, Proxy], complaints: Complaints
) -> Iterator[Page]:
    _, proxy = behind
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(COUNT_FRAMES)
    complaints.listen(context, proxy.url)
    yield context.new_page()
    context.close()
    assert proxy.strays == []


def sign_in(page: Page, proxy: Proxy) -> None:
    page.goto(proxy.url)
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    expect(page.locator("#network svg")).to_be_visible()


def test_the_one_time_link_leads_to_the_page(visitor: Page, behind: tuple[Server, Proxy]) -> None:
    server, proxy = behind
    visitor.goto(proxy.url + server.first_line.rpartition("/")[2])
    expect(visitor.locator("#network svg")).to_be_visible()
    visitor.goto(proxy.url + server.first_line.rpartition("/")[2])  # used: on to the sign-in page
    expect(visitor.locator("#answer")).to_contain_text("was used already")


def test_a_whole_session_stays_below_the_prefix(
    visitor: Page, behind: tuple[Server, Proxy], tmp_path: Path
) -> None:
    server, proxy = behind
    sign_in(visitor, proxy)
    assert visitor.url.startswith(proxy.url)
    run = server.create(name="behind a proxy")
    visitor.goto(f"{proxy.url}#run={run}")
    board = Dashboard(visitor, server, run)
    board.stands_at(0)
    visitor.click("#train")
    board.wait("() => livegrad.store.state.run.step > 20")
    visitor.click("#train")
    server.wait(run, "paused")
    visitor.reload()
    board.wait("() => livegrad.store.state.rows?.length > 20 && framesDue === 0")
    visitor.keyboard.press("ArrowLeft")
    board.wait(
        "() => livegrad.store.state.visited?.moment?.step === livegrad.store.state.run.step - 1"
    )
    visitor.keyboard.press("End")
    visitor.click("#open-form")
    expect(visitor.locator("dialog[open] .preview circle").first).to_be_attached()
    visitor.keyboard.press("Escape")
    visitor.click("#open-export")
    for offer in ("script", "history.csv", "replay.html", "npz", "svg"):
        with visitor.expect_download() as download:
            visitor.click(f"[id='export-{offer}']")
        download.value.save_as(tmp_path / offer)
        assert (tmp_path / offer).stat().st_size > 500
    assert (tmp_path / "script").read_bytes() == server.client.get(
        f"/api/runs/{run}/script"
    ).content


def test_the_description_of_the_interface_calls_the_server_below_the_prefix(
    visitor: Page, behind: tuple[Server, Proxy]
) -> None:
    _, proxy = behind
    sign_in(visitor, proxy)
    visitor.goto(f"{proxy.url}docs")
    health = visitor.locator(".opblock-get").filter(has_text="/api/health").first
    health.locator(".opblock-summary-control").click()
    health.locator(".try-out__btn").click()
    health.locator("button.execute").click()
    expect(health.locator(".responses-table.live-responses-table")).to_contain_text(
        '"status": "ok"'
    )


def test_without_the_token_every_page_leads_to_the_sign_in(
    visitor: Page, behind: tuple[Server, Proxy]
) -> None:
    _, proxy = behind
    for path in ("", "docs", "index.html", "vendor/uplot/uPlot.min.css"):
        visitor.goto(proxy.url + path)
        expect(visitor.locator("#token")).to_be_visible()
        assert visitor.url == f"{proxy.url}signin.html"
