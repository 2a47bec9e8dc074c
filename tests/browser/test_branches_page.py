"""From the screen: a run that goes on from a past step, the tree that it grows,
runs laid over each other.
"""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.browser.test_timeline import LIVE, THERE, opened, trained, type_step
from tests.running import Server


def records(server: Server, run: str, first: int, last: int) -> bytes:
    """The bytes of the records without the frames' headers; of a range that is one frame."""
    body = server.client.get(f"/api/runs/{run}/records", params={"from": first, "to": last}).content
    return body[32:]


def branch_here(board: Dashboard, **values: str) -> str:
    """Press "Continue from here", change what is given, and return the id of the run that opens."""
    page = board.page
    before = page.evaluate("window.livegrad.store.state.opened")
    page.locator("#continue").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("h2")).to_contain_text("Continue from step")
    for path, text in values.items():
        dialog.locator(f'[id="field-{path.replace("__", ".")}"]').fill(text)
    dialog.get_by_role("button", name="Continue", exact=True).click()
    expect(dialog).to_have_count(0)
    board.wait(
        "before => { const { opened, run } = window.livegrad.store.state; return opened !== "
        "before && run; }",
        before,
    )
    return str(page.evaluate("window.livegrad.store.state.opened"))


@pytest.fixture
def parent(server: Server, make_run: MakeRun) -> str:
    return trained(server, make_run, 120, batch_size=3, name="parent")


@pytest.fixture
def board(server: Server, open_page: OpenPage, parent: str) -> Dashboard:
    board = opened(open_page, server, parent, 120)
    type_step(board, 40)
    board.wait(THERE, 40)
    return board


def continued(server: Server, run: str, steps: int) -> None:
    server.wait(run, "paused")
    server.command(run, "step", count=steps)


def test_a_run_continued_unchanged_from_the_screen_retraces_its_parent(
    server: Server, board: Dashboard, parent: str
) -> None:
    child = branch_here(board)
    continued(server, child, 60)
    about = server.get(f"/runs/{child}")
    assert (about["parent"], about["first_step"]) == ({"run": parent, "step": 40}, 40)
    assert records(server, child, 40, 100) == records(server, parent, 40, 100)
    server.client.delete(f"/api/runs/{child}")


def test_what_is_changed_in_the_form_is_what_changes(
    server: Server, board: Dashboard, parent: str
) -> None:
    child = branch_here(board, optimizer__lr="0.5", name="steeper")
    server.wait(child, "paused")
    old, new = (server.get(f"/runs/{run}")["config"] for run in (parent, child))
    assert new == old | {
        "name": "steeper",
        "optimizer": old["optimizer"] | {"lr": 0.5},
        "pace": new["pace"],
    }
    expect(board.page.locator("#bar .run-name")).to_have_text("steeper")
    server.client.delete(f"/api/runs/{child}")


def test_the_form_offers_all_but_the_networks_shape(board: Dashboard, server: Server) -> None:
    board.page.locator("#continue").click()
    dialog = board.page.locator("dialog[open]")
    expect(dialog.locator('[id="field-seed"]')).to_be_visible()
    schema = server.client.get("/openapi.json").json()["components"]["schemas"]["RunConfig"][
        "properties"
    ]
    labelled = {name for name in schema if dialog.locator(f'[id^="field-{name}"]').count() > 0}
    assert set(schema) - labelled == {"hidden", "named_layers"}


def test_a_continued_run_begins_where_it_left_and_leads_back_to_its_parent(
    server: Server, board: Dashboard, parent: str
) -> None:
    child = branch_here(board)
    continued(server, child, 20)
    board.wait("() => window.livegrad.store.state.moment?.step === 60")
    page = board.page
    assert page.locator("#track").get_attribute("aria-valuemin") == "40"
    page.keyboard.press("Home")
    board.wait(THERE, 40)
    expect(page.locator("#bar .run-parent")).to_have_text("continues parent from step 40")
    page.locator("#open-parent").click()
    board.wait("id => window.livegrad.store.state.run?.id === id", parent)
    board.wait(THERE, 40)
    server.client.delete(f"/api/runs/{child}")


def test_start_again_goes_on_from_the_very_first_step(
    server: Server, board: Dashboard, parent: str
) -> None:
    page = board.page
    page.locator("#open-runs").click()
    row = page.locator("dialog[open] li", has=page.locator(f'[id="run-{parent}"]'))
    row.get_by_role("button", name="Start again").click()
    board.wait("id => window.livegrad.store.state.opened !== id", parent)
    child = page.evaluate("window.livegrad.store.state.opened")
    continued(server, child, 30)
    about = server.get(f"/runs/{child}")
    assert (about["parent"], about["name"]) == ({"run": parent, "step": 0}, "parent")
    assert records(server, child, 0, 30) == records(server, parent, 0, 30)
    server.client.delete(f"/api/runs/{child}")


def lies_over_the_charts(server: Server, board: Dashboard, other: str, run: str, step: int) -> None:
    """The key of the loss names the other run,
    its loss at the step on the screen and where the two part.
    """
    truth: Any = server.get(f"/runs/{run}/divergence", params={"other": other})
    row = board.page.locator("#loss .readout-row", has=board.page.locator(".remove-overlay"))
    expect(row).to_have_count(1)
    expect(row).to_contain_text(f"differs at step {truth['step']} by {truth['difference']:.3g}")
    name = server.get(f"/runs/{other}")["name"]
    at = {"name": "loss", "from": step, "to": step}
    (loss,) = server.get(f"/runs/{other}/series", params=at)["series"][0]["values"]
    expect(row.locator(".entry")).to_have_text(f"{name} {loss:#.3g}")


def test_the_list_is_a_tree_and_ticked_runs_are_laid_over_each_other(
    server: Server, board: Dashboard, parent: str
) -> None:
    child = branch_here(board, optimizer__lr="0.2", name="child")
    continued(server, child, 50)
    page = board.page
    page.locator("#open-runs").click()
    dialog = page.locator("dialog[open]")
    row = dialog.locator("li", has=page.locator(f'[id="run-{child}"]'))
    expect(row).to_have_attribute("data-child", "")
    expect(row.locator(".run-facts")).to_contain_text("from step 40")
    above = dialog.locator(f'li:has([id="run-{parent}"]) + li [id="run-{child}"]')
    assert above.count() == 1, "a child stands under its parent"
    compare = page.locator("#compare")
    expect(compare).to_be_hidden()
    # its lines are in the charts anyway
    expect(page.locator(f'[id="tick-{child}"]')).to_be_disabled()
    page.locator(f'[id="tick-{parent}"]').check()
    lies_over_the_charts(server, board, parent, child, 120)
    expect(compare).to_have_text("Compare 2 runs")
    compare.click()
    overlay = page.locator("dialog.comparing")
    expect(overlay.locator(".divergences li")).to_have_count(1)
    words = overlay.locator(".divergences li").inner_text()
    truth: Any = server.get(f"/runs/{child}/divergence", params={"other": parent})
    assert truth["step"] == 41
    assert (
        "“child” and “parent” are the same, bit for bit, up to step 40. At step 41 they differ"
        in words
    )
    assert truth["parameter"] in words
    assert f"{truth['difference']:.4g}" in words
    # the loss, and the norm of each of four gradients
    expect(overlay.locator("canvas")).to_have_count(5)
    for chart in overlay.locator(".chart-card").all():
        assert chart.locator(".line-end").all_inner_texts() == ["child", "parent"]
    page.keyboard.press("Escape")
    expect(overlay).to_have_count(0)
    board.wait(LIVE)
    server.client.delete(f"/api/runs/{child}")


def test_what_lies_over_the_charts_stays_when_runs_change_places_and_is_taken_off_by_its_cross(
    server: Server, board: Dashboard, parent: str
) -> None:
    child = branch_here(board, optimizer__lr="0.2", name="child")
    continued(server, child, 50)
    page = board.page
    page.locator("#open-runs").click()
    page.locator(f'[id="tick-{parent}"]').check()
    page.keyboard.press("Escape")
    lies_over_the_charts(server, board, parent, child, 120)  # its newest
    page.locator("#open-parent").click()
    lies_over_the_charts(server, board, child, parent, 40)  # a look back
    off = page.get_by_role("button", name="Remove child from the charts")
    off.focus()
    page.keyboard.press("Enter")
    expect(off).to_have_count(0)
    assert page.evaluate("window.livegrad.store.state.overlaid") == []
    server.client.delete(f"/api/runs/{child}")
