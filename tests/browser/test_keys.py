"""A key that is held down does once what a command does, and goes on walking through time."""

import json

import pytest
from playwright.sync_api import Request, expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.running import Server

HELD = 40


@pytest.mark.parametrize(
    ("key", "kinds"), [("Space", ["play"]), (".", ["phase"]), ("ArrowRight", ["step"])]
)
def test_a_held_key_sends_its_command_once(
    key: str, kinds: list[str], server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    board = open_page(server, make_run(pace=1))
    board.stands_at(0)
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/commands"):
            sent.append(json.loads(request.post_data or "{}")["kind"])

    board.page.on("request", note)
    for _ in range(HELD):
        board.page.keyboard.down(key)  # the first, and then repeats of it
        board.page.wait_for_timeout(10)
    board.page.keyboard.up(key)
    board.wait("() => livegrad.store.state.busy === null")
    assert sent == kinds


def test_a_held_arrow_goes_on_through_the_past(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = make_run(pace=None)
    server.command(run, "step", count=30)
    board = open_page(server, run)
    board.stands_at(30)
    for _ in range(5):
        board.page.keyboard.down("ArrowLeft")
    board.page.keyboard.up("ArrowLeft")
    board.wait("() => livegrad.store.state.visited?.step === 25")


@pytest.mark.parametrize("text", ["0x10", "1e", "0b1", " ", "1_0", "Infinity", "-1", "2e6"])
def test_what_is_no_decimal_number_is_no_learning_rate(
    text: str, server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = make_run()
    board = open_page(server, run)
    board.stands_at(0)
    field = board.page.locator("#lr")
    field.fill(text)
    said = field.evaluate("(input) => input.validationMessage")
    assert "decimal number from 0 to 1,000,000" in said
    field.press("Enter")
    board.page.locator("#network").focus()
    expect(field).to_have_value("0.0005")
    assert server.get(f"/runs/{run}")["lr"] == 0.0005
