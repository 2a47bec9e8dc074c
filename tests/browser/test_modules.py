"""A module or a style sheet that could not be fetched is asked for again, and the page goes on."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.running import Server

Check = Callable[[Dashboard], None]


def visit_a_step(dashboard: Dashboard) -> None:
    dashboard.page.keyboard.press("ArrowLeft")
    dashboard.wait("() => livegrad.store.state.visited?.moment?.step === 4")


def overlay_a_run(dashboard: Dashboard) -> None:
    other = dashboard.server.create(name="the other one")
    dashboard.page.evaluate(
        "(id) => livegrad.store.dispatch({ type: 'overlay', id, isShown: true })", other
    )
    expect(dashboard.page.locator("#loss")).to_contain_text("the other one")
    dashboard.server.client.delete(f"/api/runs/{other}")


def see_the_loss(dashboard: Dashboard) -> None:
    expect(dashboard.page.locator("#loss .uplot")).to_be_visible()


def open_help(dashboard: Dashboard) -> None:
    dashboard.page.keyboard.press("?")
    expect(dashboard.page.locator("#toast")).to_contain_text("help.js")
    dashboard.page.keyboard.press("?")
    expect(dashboard.page.locator("dialog[open] .keys")).to_be_visible()


def open_a_dialog_with_style(dashboard: Dashboard) -> None:
    dashboard.page.keyboard.press("?")
    expect(dashboard.page.locator("dialog[open]")).to_be_visible()
    dashboard.page.keyboard.press("Escape")
    dashboard.page.keyboard.press("?")
    expect(dashboard.page.locator("dialog[open]")).to_be_visible()
    sheets = "link[href='css/dialogs.css']"
    assert dashboard.page.locator(sheets).evaluate_all(
        "(all) => all.map((one) => !!one.sheet)"
    ) == [True]


@pytest.mark.parametrize(
    ("file", "check"),
    [
        ("time/step_loader.js", visit_a_step),
        ("time/record_cache.js", visit_a_step),  # imported by the module that is asked for
        ("compare/overlay_loader.js", overlay_a_run),
        ("views/loss.js", see_the_loss),
        ("views/help.js", open_help),
        ("css/dialogs.css", open_a_dialog_with_style),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_could_not_be_fetched_is_asked_for_again(
    file: str,
    check: Check,
    server: Server,
    make_run: MakeRun,
    open_page: OpenPage,
    complaints: Complaints,
) -> None:
    complaints.forgive(r"Failed to load resource: net::ERR_FAILED")
    asked: list[str] = []

    def fail_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    dashboard = open_page(server, make_run())
    dashboard.stands_at(0)
    dashboard.page.route(f"**/{file}", fail_once)
    server.command(str(dashboard.run), "step", count=5)
    dashboard.stands_at(5)
    check(dashboard)
    assert len(asked) == 2
