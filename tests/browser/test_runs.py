"""Making, opening, starting again and deleting runs, in the page's dialogs."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.running import Server

INVALID = r"Failed to load resource: the server responded with a status of 422"


@pytest.fixture
def dashboard(server: Server, make_run: MakeRun, open_page: OpenPage) -> Dashboard:
    opened = open_page(server, make_run(name="first"))
    opened.stands_at(0)
    return opened


def dialog(dashboard: Dashboard) -> Locator:
    return dashboard.page.locator("dialog[open]")


def open_form(dashboard: Dashboard) -> Locator:
    dashboard.page.click("#open-form")
    expect(dialog(dashboard).locator("h2")).to_have_text("New run")
    return dialog(dashboard)


def field(form: Locator, path: str) -> Locator:
    return form.locator(f'[id="field-{path}"]')


def shown_run(dashboard: Dashboard) -> str:
    """The id in the page's address, which a link to this run would carry."""
    dashboard.page.wait_for_url(lambda url: "#run=" in url)
    return dashboard.page.url.partition("#run=")[2]


def created(dashboard: Dashboard, form: Locator) -> str:
    """Press Create; return the new run once it is on the screen."""
    with dashboard.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        form.get_by_role("button", name="Create run").click()
    assert answered.value.status == 201
    expect(dialog(dashboard)).to_have_count(0)
    run = str(answered.value.json()["id"])
    dashboard.page.wait_for_url(f"**/#run={run}")
    dashboard.stands_at(0)
    return run


def test_the_form_begins_with_the_defaults_of_the_schema(
    dashboard: Dashboard, server: Server
) -> None:
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    form = open_form(dashboard)
    for name, schema in schemas["RunConfig"]["properties"].items():
        control = field(form, name)
        if name == "optimizer":
            expect(control).to_have_value("sgd")
            continue
        assert_holds(control, schema.get("default"))
        expect(form.locator(f'label[for="field-{name}"]')).to_be_visible()
        assert form.locator(f'[id="about-{name}"]').inner_text() == description(schema)
    for kind, title in (
        ("adam", "AdamConfig"),
        ("adamw", "AdamWConfig"),
        ("rmsprop", "RmspropConfig"),
    ):
        field(form, "optimizer").select_option(kind)
        for name, schema in schemas[title]["properties"].items():
            if name != "kind":
                assert_holds(field(form, f"optimizer.{name}"), schema.get("default"))


def description(schema: dict[str, Any]) -> str:
    """Of a field that may be null, the other type has it."""
    parts = [schema, *schema.get("anyOf", [])]
    return str(next(part["description"] for part in parts if "description" in part))


def assert_holds(control: Locator, default: Any) -> None:
    if isinstance(default, bool):
        expect(control).to_be_checked(checked=default)
    elif isinstance(default, list):
        assert [float(part) for part in control.input_value().split(",")] == default
    elif isinstance(default, int | float):
        assert float(control.input_value()) == default
    else:
        expect(control).to_have_value("" if default is None else default)


def test_a_filled_in_form_makes_that_run_and_opens_it(dashboard: Dashboard, server: Server) -> None:
    form = open_form(dashboard)
    field(form, "name").fill("second")
    field(form, "dataset").select_option("sine")
    field(form, "hidden").fill("5")
    field(form, "activation").select_option("relu")
    field(form, "named_layers").uncheck()
    field(form, "optimizer").select_option("adam")
    field(form, "optimizer.lr").fill("0.02")
    field(form, "optimizer.betas").fill("0.8, 0.99")
    field(form, "seed").fill("7")
    field(form, "batch_size").fill("4")
    field(form, "pace").fill("")
    run = created(dashboard, form)
    config = server.get(f"/runs/{run}")["config"]
    assert config["optimizer"] == {
        "kind": "adam",
        "lr": 0.02,
        "betas": [0.8, 0.99],
        "eps": 1e-8,
        "weight_decay": 0.0,
        "amsgrad": False,
    }
    wanted = {
        "name": "second",
        "dataset": "sine",
        "hidden": 5,
        "activation": "relu",
        "named_layers": False,
    }
    assert config.items() >= (wanted | {"seed": 7, "batch_size": 4, "pace": None}).items()
    expect(dashboard.page.locator("#bar .run-name")).to_have_text("second")
    assert len(dashboard.read().edges) == 10
    server.client.delete(f"/api/runs/{run}")


@pytest.mark.parametrize(
    ("typed", "complaining"),
    [
        ({"hidden": "65"}, "hidden"),
        ({"hidden": "many"}, "hidden"),
        ({"name": ""}, "name"),
        ({"optimizer.lr": "-1"}, "optimizer.lr"),
        ({"seed": "1.5"}, "seed"),
        ({"batch_size": "100"}, "batch_size"),
    ],
    ids=lambda value: str(value),
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    dashboard: Dashboard,
    server: Server,
    complaints: Complaints,
    typed: dict[str, str],
    complaining: str,
) -> None:
    complaints.forgive(INVALID)
    before = len(server.get("/runs"))
    form = open_form(dashboard)
    filled = {"max_steps": "123"} | typed
    for path, text in filled.items():
        field(form, path).fill(text)
    form.get_by_role("button", name="Create run").click()
    control = field(form, complaining)
    expect(control).to_have_attribute("aria-invalid", "true")
    error = form.locator(f'[id="error-{complaining}"]')
    expect(error).to_be_visible()
    assert len(error.inner_text()) > 10
    assert error.get_attribute("id") in (control.get_attribute("aria-describedby") or "").split()
    expect(control).to_be_focused()
    for path, text in filled.items():
        expect(field(form, path)).to_have_value(text)
    assert form.locator("[aria-invalid]").count() == 1
    assert len(server.get("/runs")) == before
    control.fill("1")
    expect(error).to_be_hidden()


def test_the_list_opens_another_run_and_marks_the_one_on_the_screen(
    dashboard: Dashboard, make_run: MakeRun
) -> None:
    other = make_run(name="other", hidden=3)
    dashboard.page.click("#open-runs")
    row = dialog(dashboard).locator(f'[id="run-{other}"]')
    expect(dialog(dashboard).locator(f'[id="run-{dashboard.run}"]')).to_have_attribute(
        "aria-current", "true"
    )
    row.click()
    dashboard.page.wait_for_url(f"**/#run={other}")
    expect(dashboard.page.locator("#bar .run-name")).to_have_text("other")
    assert len(dashboard.stands_at(0).edges) == 6


def test_start_again_makes_the_same_initial_weights_byte_for_byte(
    dashboard: Dashboard, server: Server
) -> None:
    server.command(str(dashboard.run), "step", count=3)
    dashboard.page.click("#open-runs")
    row = dialog(dashboard).locator("li", has=dashboard.page.locator(f'[id="run-{dashboard.run}"]'))
    row.get_by_role("button", name="Start again").click()
    dashboard.page.wait_for_url(lambda url: "#run=" in url and not url.endswith(str(dashboard.run)))
    again = shown_run(dashboard)
    dashboard.stands_at(0)
    assert again != dashboard.run
    assert payload(server, again) == payload(server, str(dashboard.run))
    server.client.delete(f"/api/runs/{again}")


def payload(server: Server, run: str) -> bytes:
    """Record 0 without its frame's header, which holds the time."""
    return server.client.get(f"/api/runs/{run}/records", params={"from": 0, "to": 0}).content[32:]


def test_deleting_asks_first_and_then_takes_the_run_away(
    dashboard: Dashboard, make_run: MakeRun
) -> None:
    doomed = make_run(name="doomed")
    dashboard.page.click("#open-runs")
    row = dialog(dashboard).locator("li", has=dashboard.page.locator(f'[id="run-{doomed}"]'))
    row.get_by_role("button", name="Delete").click()
    sure = row.get_by_role("button", name="Delete for good? doomed")
    expect(sure).to_be_visible()
    assert dashboard.server.get(f"/runs/{doomed}")["name"] == "doomed"
    sure.click()
    expect(row).to_have_count(0)
    assert dashboard.server.client.get(f"/api/runs/{doomed}").status_code == 404
    expect(dashboard.page.locator("#bar .run-name")).to_have_text("first")


def test_whoever_looks_away_from_the_question_deletes_nothing(dashboard: Dashboard) -> None:
    dashboard.page.click("#open-runs")
    row = dialog(dashboard).locator("li", has=dashboard.page.locator(f'[id="run-{dashboard.run}"]'))
    row.get_by_role("button", name="Delete").click()
    expect(row.get_by_role("button", name=re.compile("Delete for good"))).to_be_focused()
    dialog(dashboard).get_by_role("button", name="Close").focus()
    expect(row.get_by_role("button", name=re.compile("Delete for good"))).to_have_count(0)
    dashboard.page.keyboard.press("Escape")
    assert dashboard.about()["name"] == "first"


def test_deleting_the_run_on_the_screen_shows_the_newest_of_the_others(
    dashboard: Dashboard, make_run: MakeRun, complaints: Complaints
) -> None:
    newest = make_run(name="newest")
    dashboard.page.click("#open-runs")
    row = dialog(dashboard).locator("li", has=dashboard.page.locator(f'[id="run-{dashboard.run}"]'))
    row.get_by_role("button", name="Delete").click()
    row.get_by_role("button", name=re.compile("Delete for good")).click()
    dashboard.page.wait_for_url(f"**/#run={newest}")
    dashboard.page.keyboard.press("Escape")
    expect(dashboard.page.locator("#bar .run-name")).to_have_text("newest")
    dashboard.stands_at(0)


def test_the_forms_data_set_is_pictured_and_described(dashboard: Dashboard, server: Server) -> None:
    form = open_form(dashboard)
    for data in server.get("/datasets"):
        field(form, "dataset").select_option(data["name"])
        expect(form.locator(".preview circle")).to_have_count(len(data["points"]["x"]))
        expect(form.locator(".preview-box")).to_contain_text(data["description"])
