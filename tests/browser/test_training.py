"""Train, pause, step, tune: by mouse and by keys, and what the screen says meanwhile."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Request, expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard, number
from tests.running import Server

Start = Callable[..., Dashboard]

# How many pixels of a chart have about the colour of a token.
INKED = """([card, token]) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${token})`;
  const wanted = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
  probe.remove();
  const canvas = document.querySelector(`${card} canvas`);
  if (canvas === null) return 0;  // charts are fetched once there is something to draw
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {
    willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const isNear = [0, 1, 2].every((channel) => Math.abs(data[i + channel] - wanted[channel]) < 40);
    if (isNear && data[i + 3] > 128) count++;
  }
  return count;
}"""


@pytest.fixture
def start(server: Server, make_run: MakeRun, open_page: OpenPage) -> Start:
    """Open the page of a new run that stands at step 0."""

    def start_(**config: object) -> Dashboard:
        dashboard = open_page(server, make_run(**config))
        dashboard.stands_at(0)
        return dashboard

    return start_


def commands_of(dashboard: Dashboard) -> list[str]:
    """The commands that the page sends from now on."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/commands"):
            sent.append(json.loads(request.post_data or "")["kind"])

    dashboard.page.on("request", note)
    return sent


def expect_badge(dashboard: Dashboard, text: str) -> None:
    expect(dashboard.page.locator("#state")).to_have_text(text)


def test_train_trains_and_the_charts_fill(start: Start) -> None:
    dashboard = start()
    assert dashboard.page.evaluate(INKED, ["#loss", "--loss"]) == 0
    dashboard.page.click("#train")
    expect_badge(dashboard, "training")
    expect(dashboard.page.locator("#train")).to_have_text("❚❚ Pause")
    dashboard.wait("() => livegrad.store.state.run.step >= 40")
    dashboard.page.click("#train")
    expect_badge(dashboard, "paused")
    screen = dashboard.stands_at(dashboard.about()["step"])
    expect(dashboard.page.locator("#loss canvas, #norms canvas")).to_have_count(2)
    assert dashboard.page.evaluate(INKED, ["#loss", "--loss"]) > 30
    assert dashboard.page.evaluate(INKED, ["#norms", "--gradient"]) > 30
    readout = dashboard.page.locator("#loss .readout .entry").first.inner_text()
    assert number(readout.removeprefix("training").strip()) == pytest.approx(
        dashboard.about()["loss"], rel=6e-3
    )
    assert screen.raw["notice"] == ""


def test_pause_stops_within_one_step_and_stays_there(start: Start) -> None:
    dashboard = start(pace=2)
    dashboard.page.click("#train")
    dashboard.wait("() => livegrad.store.state.run.step === 2")
    with dashboard.page.expect_response(re.compile(r"/commands$")) as answered:
        dashboard.page.click("#train")
    answer = answered.value.json()
    assert answer["state"] == "paused"
    assert answer["step"] in (2, 3)
    dashboard.stands_at(answer["step"])
    expect_badge(dashboard, "paused")
    assert dashboard.about()["step"] == answer["step"]


def test_step_takes_exactly_one_step(start: Start) -> None:
    dashboard = start()
    for step in (1, 2, 3):
        dashboard.page.click("#step-once")
        dashboard.stands_at(step)
    assert dashboard.about()["step"] == 3


def test_phase_walks_through_a_step_and_step_ends_it(start: Start) -> None:
    dashboard = start()
    for phase in ("zero_grad", "forward", "loss"):
        dashboard.page.click("#phase-once")
        dashboard.stands_at(0, phase)
        expect_badge(dashboard, "paused in step 1")
    dashboard.page.click("#step-once")
    dashboard.stands_at(1)
    expect_badge(dashboard, "paused")


def test_space_arrow_and_dot_train_step_and_phase(start: Start) -> None:
    dashboard = start()
    press = dashboard.page.keyboard.press
    press("ArrowRight")
    dashboard.stands_at(1)
    press(".")
    dashboard.stands_at(1, "zero_grad")
    press("ArrowRight")
    dashboard.stands_at(2)
    press("Space")
    expect_badge(dashboard, "training")
    press("Space")
    expect_badge(dashboard, "paused")


def test_question_mark_lists_the_keys_and_escape_closes_the_list(start: Start) -> None:
    dashboard = start()
    dashboard.page.keyboard.press("?")
    dialog = dashboard.page.locator("dialog[open]")
    for key in ("Space", "← →", ".", "?"):
        expect(dialog.locator("kbd").get_by_text(key, exact=True)).to_be_visible()
    dashboard.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_keys_mean_nothing_while_someone_types(start: Start) -> None:
    dashboard = start()
    sent = commands_of(dashboard)
    field = dashboard.page.locator("#lr")
    field.click()
    field.press_sequentially("0.05 .? ")
    field.press("ArrowRight")
    field.press("Escape")
    dashboard.page.locator("#pace").focus()
    dashboard.page.keyboard.press("Space")
    assert dashboard.page.locator("dialog[open]").count() == 0
    assert sent == []
    assert dashboard.about()["step"] == 0


def test_keys_mean_nothing_behind_an_open_dialog(start: Start) -> None:
    dashboard = start()
    sent = commands_of(dashboard)
    dashboard.page.keyboard.press("?")
    expect(dashboard.page.locator("dialog[open]")).to_be_visible()
    for key in (".", "ArrowRight"):
        dashboard.page.keyboard.press(key)
    dashboard.page.keyboard.press("Escape")
    assert sent == []


def test_a_learning_rate_typed_in_is_the_one_of_the_next_step(start: Start) -> None:
    dashboard = start()
    dashboard.page.fill("#lr", "0.0002")
    with dashboard.page.expect_response(re.compile(r"/commands$")):
        dashboard.page.press("#lr", "Enter")
    expect(dashboard.page.locator("#bar .run-config")).to_contain_text("lr 0.0002")
    assert dashboard.about()["lr"] == 0.0002
    before = dashboard.read().parameter_marks
    dashboard.page.click("#step-once")
    after = dashboard.stands_at(1)
    rest = dashboard.server.get(f"/runs/{dashboard.run}/parameters/output_linear.bias")
    change = float(after.chips["output_linear.bias[0]"].value) - float(
        before["output_linear.bias[0]"].value
    )
    assert change == pytest.approx(-0.0002 * rest["grad"][0], rel=1e-4)


def test_a_learning_rate_that_is_none_is_refused_and_put_back(start: Start) -> None:
    dashboard = start()
    sent = commands_of(dashboard)
    field = dashboard.page.locator("#lr")
    field.fill("fast")
    field.press("Enter")
    assert field.evaluate("(input) => input.validationMessage") != ""
    field.blur()
    expect(field).to_have_value("0.0005")
    assert sent == []


def test_the_pace_slider_sets_the_pace_and_the_measured_speed_follows(start: Start) -> None:
    dashboard = start(pace=1)
    dashboard.page.locator("#pace").focus()
    for pace, text in (
        (2, "2 a second"),
        (5, "5 a second"),
        (10, "10 a second"),
        (30, "30 a second"),
    ):
        with dashboard.page.expect_response(re.compile(r"/commands$")):
            dashboard.page.keyboard.press("ArrowRight")
        expect(dashboard.page.locator(".pace-text")).to_have_text(text)
        assert dashboard.about()["pace"] == pace
    dashboard.page.click("#train")
    dashboard.wait("() => livegrad.store.state.run.step >= 40")
    speed = dashboard.page.locator(".speed").inner_text()
    assert 15 < number(speed) < 40, speed
    dashboard.page.click("#train")
    expect(dashboard.page.locator(".speed")).to_have_text("")


def test_as_fast_as_it_goes_the_page_keeps_up_and_answers(start: Start) -> None:
    dashboard = start(max_steps=1_000_000)
    dashboard.page.locator("#pace").focus()
    with dashboard.page.expect_response(re.compile(r"/commands$")):
        dashboard.page.keyboard.press("End")
    expect(dashboard.page.locator(".pace-text")).to_have_text("as fast as possible")
    assert dashboard.about()["pace"] is None
    dashboard.page.click("#train")
    dashboard.wait("() => livegrad.store.state.run.step >= 2000")
    assert number(dashboard.page.locator(".speed").inner_text().replace(",", "")) > 200
    dashboard.page.click("#train")
    expect_badge(dashboard, "paused")
    step = dashboard.about()["step"]
    assert dashboard.stands_at(step).raw["step"].startswith(f"step {step:,} ")


def test_a_finished_run_says_so_and_offers_to_start_again(start: Start) -> None:
    dashboard = start(max_steps=3, pace=None)
    dashboard.page.click("#train")
    expect_badge(dashboard, "finished")
    dashboard.stands_at(3)
    expect(dashboard.page.locator("#notice")).to_contain_text("Finished: 3 steps")
    for control in ("#train", "#step-once", "#phase-once", "#lr", "#pace"):
        expect(dashboard.page.locator(control)).to_be_disabled()
    expect(dashboard.page.locator("#notice button")).to_have_text("Start again")
