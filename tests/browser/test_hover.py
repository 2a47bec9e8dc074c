"""Resting on anything shows what PyTorch calls it and its numbers,
kept current; it lights up everywhere at once.
"""

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard, number
from tests.running import Server

PARAMETERS = {
    "hidden_linear.weight[9, 0]": (0, 9),
    "hidden_linear.bias[4]": (1, 4),
    "output_linear.weight[0, 12]": (2, 12),
    "output_linear.bias[0]": (3, 0),
}
SIX_DIGITS = 6e-6


@pytest.fixture
def dashboard(server: Server, make_run: MakeRun, open_page: OpenPage) -> Dashboard:
    """Adam after 20 steps: .grad and Δ are there, and differ."""
    run = make_run(optimizer={"kind": "adam", "lr": 0.03})
    opened = open_page(server, run)
    server.command(run, "step", count=20)
    opened.stands_at(20)
    return opened


def hover(dashboard: Dashboard, name: str) -> None:
    dashboard.element(name).locator("rect.hit, rect.box").first.hover()
    dashboard.wait("() => framesDue === 0 || livegrad.store.state.run.state === 'running'")


def tooltip(dashboard: Dashboard) -> Locator:
    return dashboard.page.locator("#network .tooltip")


def tooltip_rows(dashboard: Dashboard) -> dict[str, str]:
    rows = tooltip(dashboard).locator("div:not([hidden])")
    return {
        row.locator("span").first.inner_text(): row.locator("span").last.inner_text()
        for row in rows.all()
    }


def flat(
    server: Server, run: str, parameter: str, step: int | None = None
) -> dict[str, np.ndarray]:
    found = server.get(
        f"/runs/{run}/parameters/{parameter}", params={} if step is None else {"step": step}
    )
    return {key: np.asarray(found[key], np.float32).ravel() for key in ("value", "grad")}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_shows_name_value_gradient_and_change(dashboard: Dashboard, name: str) -> None:
    hover(dashboard, name)
    parameter, at = name.partition("[")[0], PARAMETERS[name][1]
    now = flat(dashboard.server, str(dashboard.run), parameter)
    before = flat(dashboard.server, str(dashboard.run), parameter, step=19)
    expect(tooltip(dashboard).locator("strong")).to_have_text(name)
    rows = tooltip_rows(dashboard)
    assert number(rows["value"]) == pytest.approx(now["value"][at], rel=SIX_DIGITS)
    assert number(rows[".grad"]) == pytest.approx(now["grad"][at], rel=SIX_DIGITS)
    change = float(now["value"][at]) - float(before["value"][at])
    assert number(rows["Δ, update 20"]) == pytest.approx(change, rel=1e-5)
    facts = dashboard.read().raw["inspector"]
    assert facts["title"] == name
    assert np.float32(facts["facts"]["value"]["exact"]) == now["value"][at]


@pytest.mark.parametrize("name", PARAMETERS)
def test_it_lights_up_in_the_drawing_the_table_and_the_formula(
    dashboard: Dashboard, name: str
) -> None:
    place, at = PARAMETERS[name]
    parameter = name.partition("[")[0]
    page = dashboard.page
    page.locator(".opener").nth(place).click()
    hover(dashboard, name)
    lit = page.locator("#network [data-lit]")
    expect(lit).to_have_count(1)
    expect(lit).to_have_attribute("data-name", name)
    assert page.locator("#network .halo, #network .frame").evaluate_all(
        "(all) => all.some((m) => m.getAttribute('d'))"
    )
    expect(page.locator("#parameters tr[data-lit]")).to_have_attribute("data-parameter", parameter)
    expect(page.locator("#parameters .option[data-lit]")).to_have_attribute("data-element", name)
    symbol = f"∂{'wbvc'[place]}{at if place < 3 else ''}"
    expect(page.locator("#inspector .inspected .formula")).to_contain_text(symbol)


def test_a_row_of_the_table_lights_up_its_edge(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.locator(".opener").first.click()
    page.locator('.option[data-element="hidden_linear.weight[3, 0]"]').hover()
    expect(page.locator("#network [data-lit]")).to_have_attribute(
        "data-name", "hidden_linear.weight[3, 0]"
    )
    expect(page.locator("#inspector .selected")).to_have_text("hidden_linear.weight[3, 0]")
    expect(tooltip(dashboard)).to_be_hidden()
    page.mouse.move(2, 2)
    expect(page.locator("#network [data-lit]")).to_have_count(0)
    expect(page.locator("#inspector .selected")).to_have_text("Nothing selected")


def test_a_unit_shows_its_three_numbers_and_what_it_computes(dashboard: Dashboard) -> None:
    dashboard.element("unit 6").locator("rect.ground").hover()
    expect(tooltip(dashboard).locator("strong")).to_have_text("unit 6")
    rows = tooltip_rows(dashboard)
    assert rows["computes"] == "tanh(w·x + b)"
    shown = [number(rows[label]) for label in ("w", "b", "v, to the output")]
    names = ("hidden_linear.weight", "hidden_linear.bias", "output_linear.weight")
    truth = [flat(dashboard.server, str(dashboard.run), name)["value"][6] for name in names]
    assert shown == pytest.approx(truth, rel=6e-4)
    expect(dashboard.page.locator("#parameters tr[data-lit]")).to_have_count(3)


def test_the_numbers_are_kept_current_while_training_runs(dashboard: Dashboard) -> None:
    name = "output_linear.weight[0, 2]"
    hover(dashboard, name)
    dashboard.page.keyboard.press("Space")
    seen: set[str] = set()
    for _ in range(5):
        dashboard.wait(
            "(seen) => !seen.includes(document.querySelector('#network .tooltip "
            ".value').textContent)",
            list(seen),
        )
        seen.add(str(tooltip(dashboard).locator(".value").text_content()))
    assert len(seen) == 5
    dashboard.page.keyboard.press("Space")
    expect(dashboard.page.locator("#state")).to_have_text("paused")
    step = dashboard.about()["step"]
    dashboard.stands_at(step)
    truth = flat(dashboard.server, str(dashboard.run), "output_linear.weight")
    rows = tooltip_rows(dashboard)
    assert number(rows["value"]) == pytest.approx(truth["value"][2], rel=SIX_DIGITS)
    assert number(rows[".grad"]) == pytest.approx(truth["grad"][2], rel=SIX_DIGITS)
    assert f"Δ, update {step}" in rows
    inspector = dashboard.read().raw["inspector"]["facts"]
    assert np.float32(inspector["value"]["exact"]) == truth["value"][2]


def test_before_backward_it_says_none(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run())
    dashboard.stands_at(0)
    hover(dashboard, "hidden_linear.weight[9, 0]")
    rows = tooltip_rows(dashboard)
    assert rows[".grad"] == "None"
    assert not any("Δ" in label for label in rows)


def test_a_click_pins_and_escape_frees(dashboard: Dashboard) -> None:
    name = "hidden_linear.weight[9, 0]"
    dashboard.pin(name)
    dashboard.page.mouse.move(2, 2)
    expect(dashboard.page.locator("#inspector .selected")).to_have_text(name)
    expect(dashboard.page.locator("#inspector .pin")).to_contain_text("pinned")
    expect(dashboard.element(name)).to_have_attribute("aria-pressed", "true")
    dashboard.page.keyboard.press("Escape")
    expect(dashboard.page.locator("#inspector .selected")).to_have_text("Nothing selected")


def test_the_formula_worked_out_on_the_page_is_pytorchs_gradient(dashboard: Dashboard) -> None:
    for name, (_, at) in PARAMETERS.items():
        dashboard.pin(name)
        expect(dashboard.page.locator("#inspector .selected")).to_have_text(name)
        dashboard.wait("() => framesDue === 0")
        worked = dashboard.page.locator("#inspector .where").inner_text().rpartition(": ")[2]
        grad = flat(dashboard.server, str(dashboard.run), name.partition("[")[0])["grad"][at]
        assert number(worked) == pytest.approx(grad, rel=1e-3, abs=1e-5)


def test_the_chart_says_its_values_under_the_cursor(dashboard: Dashboard) -> None:
    page = dashboard.page
    box = page.locator("#loss .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    label = page.locator("#loss .chart-at")
    expect(label).not_to_have_text("step 20")
    step = int(label.inner_text().removeprefix("step "))
    assert 8 <= step <= 12
    shown = page.locator("#loss .readout .number").first.inner_text()
    (series,) = dashboard.server.get(f"/runs/{dashboard.run}/series", params={"name": "loss"})[
        "series"
    ]
    assert number(shown) == pytest.approx(series["values"][series["steps"].index(step)], rel=6e-3)


def test_a_leap_from_the_table_into_the_drawing_lights_up_what_it_lands_on(
    dashboard: Dashboard,
) -> None:
    dashboard.page.locator(".opener").first.click()
    dashboard.page.locator('.option[data-element="hidden_linear.weight[3, 0]"]').hover()
    hover(dashboard, "output_linear.bias[0]")
    expect(dashboard.page.locator("#network [data-lit]")).to_have_attribute(
        "data-name", "output_linear.bias[0]"
    )
