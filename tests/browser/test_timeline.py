"""A look back shows the stored bytes of that step, exactly, however one came there,
while training goes on behind.
"""

import random
from typing import Any

import numpy as np

from tests.browser.agreement import float32
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.running import Server

THERE = """step => {
  const { visited } = window.livegrad.store.state;
  const isThere = visited?.step === step && visited.moment?.step === step;
  return isThere && !visited.isMoving && window.framesDue === 0;
}"""
LIVE = "() => window.livegrad.store.state.visited === null && window.framesDue === 0"
SHOWN = "() => window.livegrad.store.state.visited?.moment?.step ?? null"
ADAM = {"kind": "adam", "lr": 0.03}


def trained(server: Server, make_run: MakeRun, steps: int, **config: Any) -> str:
    run = make_run(max_steps=100_000, **{"pace": None, "optimizer": ADAM} | config)
    for begin in range(0, steps, 10_000):
        server.command(run, "step", count=min(10_000, steps - begin))
    return run


def opened(open_page: OpenPage, server: Server, run: str, step: int, **options: Any) -> Dashboard:
    board = open_page(server, run, **options)
    board.wait("step => window.livegrad.store.state.moment?.step >= step", step)
    return board


def type_step(board: Dashboard, step: int) -> None:
    board.page.locator("#place").fill(str(step))
    board.page.locator("#place").press("Enter")


def drag_to(board: Dashboard, *shares: float) -> None:
    """Press on the timeline at the first share of its width, move over the others,
    let go at the last.
    """
    box = board.page.locator("#track").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    mouse = board.page.mouse
    for place, share in enumerate(shares):
        mouse.move(box["x"] + share * box["width"], middle, steps=1 if place == 0 else 4)
        if place == 0:
            mouse.down()
    mouse.up()


def record(server: Server, run: str, step: int) -> Any:
    columns = columns_of(server, run)
    body = server.client.get(f"/api/runs/{run}/records", params={"from": step, "to": step}).content
    values = np.frombuffer(body[32:], np.float32)
    return {name: values[offset : offset + size] for name, offset, size in columns}


def columns_of(server: Server, run: str) -> list[tuple[str, int, int]]:
    snapshot = server.get(f"/runs/{run}/parameters", params={"step": 1})
    sizes = [(p["name"], int(np.prod(p["shape"]))) for p in snapshot["parameters"]]
    found, offset = [("loss", 0, 1), ("validation_loss", 1, 1), ("lr", 2, 1)], 3
    for suffix in ("", ".grad"):
        for name, size in sizes:
            found.append((name + suffix, offset, size))
            offset += size
    return found


def assert_shows(board: Dashboard, server: Server, run: str, step: int) -> None:
    """Every edge, chip, table row, arrow,
    the phase strip's loss and the charts' readout are those of the record.
    """
    board.wait(THERE, step)
    screen = board.read()
    rest = server.get(f"/runs/{run}/parameters", params={"step": step})
    before = server.get(f"/runs/{run}/parameters", params={"step": step - 1}) if step > 0 else None
    for place, parameter in enumerate(rest["parameters"]):
        values = np.array(parameter["value"], np.float32).ravel()
        grads = (
            None if parameter["grad"] is None else np.array(parameter["grad"], np.float32).ravel()
        )
        parameter_marks = [
            s for n, s in screen.parameter_marks.items() if n.startswith(parameter["name"] + "[")
        ]
        assert [float32(mark.value) for mark in parameter_marks] == values.tolist()
        for index, mark in enumerate(parameter_marks):
            gradient = screen.arrows["gradient"].get(mark.name)
            change = screen.arrows["change"].get(mark.name)
            if gradient is not None:
                assert grads is not None
                assert gradient.direction == ("up" if -grads[index] > 0 else "down")
            if change is not None:
                assert before is not None
                old = np.array(before["parameters"][place]["value"], np.float32).ravel()
                assert change.direction == ("up" if values[index] - old[index] > 0 else "down")
        row = screen.raw["table"][place]
        assert (row["grad"] == "None") == (grads is None)
    assert len(screen.arrows["gradient"]) > 0 or step == 0
    assert len(screen.arrows["change"]) > 0 or step == 0
    page = board.page
    assert page.locator("#loss .chart-at").inner_text() == f"step {step:,}"
    assert page.locator(".when strong").inner_text() == f"step {step:,}"
    assert page.locator("#place").input_value() == f"{step:,}"
    assert page.locator("#track").get_attribute("aria-valuenow") == str(step)


def test_any_step_on_the_screen_is_the_stored_one_while_training_runs(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 900)
    board = opened(open_page, server, run, 900)
    server.command(run, "tune", pace=10)
    server.command(run, "play")
    chance = random.Random(3)
    for step in [0, 1, 63, 64, 65, *(chance.randrange(900) for _ in range(12))]:
        type_step(board, step)
        assert_shows(board, server, run, step)
    assert board.about()["state"] == "running"
    newest = board.page.evaluate("window.livegrad.store.state.run.step")
    board.wait("step => window.livegrad.store.state.run.step > step", newest)
    assert "training is at step" in board.page.locator(".when").inner_text()


def test_the_values_shown_then_are_the_bytes_of_the_record(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 300)
    board = opened(open_page, server, run, 300)
    for step in (299, 128, 1):
        type_step(board, step)
        board.wait(THERE, step)
        shown = board.page.evaluate(
            """() => { const { values } = window.livegrad.store.state.visited.moment;
            return [...new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]; }"""
        )
        body = server.client.get(
            f"/api/runs/{run}/records", params={"from": step, "to": step}
        ).content
        assert bytes(shown) == body[32:]


def test_dragging_goes_anywhere_and_rests_on_the_exact_step(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 800)
    board = opened(open_page, server, run, 800)
    drag_to(board, 0.1, 0.7, 0.3, 0.5)
    board.wait(
        "() => (({ visited }) => visited && visited.step === visited.moment?.step)"
        "(window.livegrad.store.state)"
    )
    step = board.page.evaluate(SHOWN)
    assert 380 <= step <= 420  # the middle of a timeline that reaches to step 800
    assert_shows(board, server, run, step)
    drag_to(board, 0.4, 1.0)
    board.wait(LIVE)
    assert board.page.locator(".when").is_hidden()


def test_keys_go_through_time_and_at_the_newest_step_train(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 500)
    board = opened(open_page, server, run, 500)
    keys = board.page.keyboard
    walk = [
        *(("ArrowLeft", 499), ("ArrowLeft", 498), ("ArrowRight", 499), ("Shift+ArrowLeft", 489)),
        *(
            ("Shift+ArrowDown", 389),
            ("Shift+ArrowUp", 489),
            ("Shift+ArrowRight", 499),
            ("Home", 0),
            ("ArrowLeft", 0),
        ),
    ]
    for key, step in walk:
        keys.press(key)
        board.wait(THERE, step)
    keys.press("End")
    board.wait(LIVE)
    keys.press("ArrowRight")
    board.stands_at(501)
    for way_back in ("Escape", "l"):
        keys.press("ArrowLeft")
        board.wait(THERE, 500)
        keys.press(way_back)
        board.wait(LIVE)
    assert board.about()["step"] == 501


def test_escape_goes_to_now_first_and_frees_what_is_pinned_after(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 20)
    board = opened(open_page, server, run, 20)
    board.pin("hidden_linear.bias[3]")
    type_step(board, 19)
    board.wait(THERE, 19)
    pinned = "() => window.livegrad.store.state.pin !== null"
    exact = board.read().raw["inspector"]["facts"]["value"]["exact"]
    assert float32(exact) == record(server, run, 19)["hidden_linear.bias"][3]
    board.page.keyboard.press("Escape")
    board.wait(LIVE)
    assert board.page.evaluate(pinned)
    board.page.keyboard.press("Escape")
    assert not board.page.evaluate(pinned)


def test_history_plays_forwards_and_backwards_at_the_speed_asked_for(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 400)
    board = opened(open_page, server, run, 400)
    page = board.page
    page.locator("#playback-speed").fill("50")
    page.locator("#playback-speed").press("Enter")
    page.locator("#play-on").click()
    board.wait(
        "() => { const { visited } = window.livegrad.store.state; return "
        "(visited?.moment?.step ?? 0) >= 40; }"
    )
    page.locator("#play-on").click()
    stopped = page.evaluate("window.livegrad.store.state.visited.step")
    assert 40 <= stopped < 200
    assert_shows(board, server, run, stopped)
    page.keyboard.press("Shift+P")
    board.wait(
        "step => { const { visited } = window.livegrad.store.state; return "
        "visited.moment?.step <= step - 20; }",
        stopped,
    )
    for _ in range(5):
        page.keyboard.press(">")
    assert page.evaluate("window.livegrad.store.state.playback.speed") >= 1000
    board.wait(THERE, 0)
    assert page.evaluate("window.livegrad.store.state.playback.direction") == 0
    page.keyboard.press("p")
    board.wait(LIVE)
    assert page.locator("#play-on").get_attribute("aria-pressed") == "false"


def test_it_is_plain_whether_the_screen_shows_then_or_now(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 120)
    board = opened(open_page, server, run, 120)
    page = board.page
    assert page.locator("#live").is_disabled()
    assert page.locator("#track").get_attribute("aria-valuetext") == "step 120, live"
    type_step(board, 45)
    board.wait(THERE, 45)
    assert page.locator(".when").inner_text().split() == [
        "step",
        "45",
        "is",
        "shown;",
        "the",
        "newest",
        "is",
        "step",
        "120",
    ]
    assert (
        page.locator("#timeline[data-visited]").count()
        == page.locator("#network[data-visited]").count()
        == 1
    )
    text = page.locator("#track").get_attribute("aria-valuetext")
    assert text is not None
    assert text.startswith("step 45 of 120, loss ")
    page.locator("#live").click()
    board.wait(LIVE)
    assert page.locator("[data-visited]").count() == 0


def test_a_click_on_a_chart_goes_to_that_step(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 200)
    board = opened(open_page, server, run, 200)
    for card in ("#loss", "#norms"):
        over = board.page.locator(f"{card} .u-over")
        box = over.bounding_box()
        assert box
        over.hover(position={"x": box["width"] * 0.3, "y": 20})
        asked = int(board.page.locator(f"{card} .chart-at").inner_text().removeprefix("step "))
        over.click(position={"x": box["width"] * 0.3, "y": 20})
        board.wait(THERE, asked)
        assert 50 <= asked <= 70
        assert board.page.locator(f"{card} .chart-hand").is_visible()
        board.page.keyboard.press("Escape")
        board.wait(LIVE)


def test_memory_stays_bounded_when_one_looks_everywhere(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 12_000, hidden=64)
    board = opened(open_page, server, run, 12_000)
    most = 16 * 1024 * 1024
    for step in range(0, 12_000, 64):
        type_step(board, step)
        board.wait("step => window.livegrad.store.state.visited?.moment?.step === step", step)
    held = board.page.evaluate("window.livegrad.recordCache().bytes")
    record_bytes = board.page.evaluate("window.livegrad.store.state.layout.floats * 4")
    assert record_bytes * 12_000 > most, "the whole run would not fit"
    assert most / 2 < held <= most


def test_a_phone_has_the_timeline_under_the_thumb(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = trained(server, make_run, 90)
    board = opened(open_page, server, run, 90, width=390, height=844)
    page = board.page
    drag_to(board, 0.2, 0.5)
    board.wait("() => window.livegrad.store.state.visited?.moment !== null")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in ("#track", "#play-back", "#play-on", "#place", "#continue", "#live"):
        box = page.locator(control).bounding_box()
        assert box, control
        assert box["x"] >= 0, control
        assert box["x"] + box["width"] <= 390, control
        assert box["y"] + box["height"] <= 844, control
