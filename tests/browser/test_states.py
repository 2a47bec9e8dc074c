"""Every state that a run or the connection can be in is said on the page,
with the way out of it.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.running import Server, serving

# What Chromium itself says when a server is away, or answers with a refusal.
AWAY = r"WebSocket connection to|net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE)"
REFUSED = r"Failed to load resource: the server responded with a status of 409"


def badge(dashboard: Dashboard) -> Locator:
    return dashboard.page.locator("#state")


def notice(dashboard: Dashboard) -> Locator:
    return dashboard.page.locator("#notice")


def await_paused(server: Server, run: str, epoch: int, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while (about := server.get(f"/runs/{run}")) and (about["state"], about["epoch"]) != (
        "paused",
        epoch,
    ):
        assert time.monotonic() < end, about
        time.sleep(0.02)


def first_run(server: Server) -> str:
    return str(server.get("/runs")[0]["id"])


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[tuple[Server, set[psutil.Process]]]:
    """A server that never saw a run, and the processes in which torch is being imported, frozen."""
    with serving(tmp_path / "data") as server:
        frozen = server.descendants()
        for process in frozen:
            process.suspend()
        try:
            yield server, frozen
        finally:
            for process in frozen:
                process.resume()


def test_while_torch_is_imported_the_page_is_up_and_says_so(
    loading: tuple[Server, set[psutil.Process]], open_page: OpenPage
) -> None:
    server, frozen = loading
    dashboard = open_page(server)
    expect(badge(dashboard)).to_have_text("starting")
    expect(notice(dashboard)).to_contain_text("Starting PyTorch")
    expect(dashboard.page.locator("#network .skeleton")).to_be_visible()
    for process in frozen:
        process.resume()
    expect(badge(dashboard)).to_have_text("paused")
    assert dashboard.stands_at(0).arrows == {"gradient": {}, "change": {}}
    expect(dashboard.page.locator("#network .skeleton")).to_have_count(0)
    expect(notice(dashboard)).to_contain_text("Press Train")
    notice(dashboard).get_by_role("button", name="Train").click()
    expect(badge(dashboard)).to_have_text("training")


def test_a_trainer_killed_again_and_again_leaves_its_run_interrupted_and_train_goes_on(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    others = server.descendants()
    run = make_run()
    (trainer,) = server.descendants() - others
    dashboard = open_page(server, run)
    server.command(run, "step", count=5)
    dashboard.stands_at(5)
    trainer.kill()
    # so often it is started again; then something seems to be wrong with the run
    for epoch in range(2, 7):
        await_paused(server, run, epoch)
        for again in server.descendants() - others:
            again.kill()
    expect(badge(dashboard)).to_have_text("interrupted")
    expect(notice(dashboard)).to_contain_text("Interrupted after step 5")
    expect(notice(dashboard)).to_contain_text(str(dashboard.about()["reason"])[1:])
    assert dashboard.read().arrows["change"], "what was drawn stays"
    dashboard.page.click("#train")
    expect(badge(dashboard)).to_have_text("training")
    dashboard.wait("() => livegrad.store.state.moment.step > 5")


def test_a_trainer_killed_once_is_replaced_and_the_page_goes_on_training(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    others = server.descendants()
    run = make_run()
    (trainer,) = server.descendants() - others
    dashboard = open_page(server, run)
    dashboard.stands_at(0)
    dashboard.page.click("#train")
    dashboard.wait("() => livegrad.store.state.run.step > 10")
    trainer.kill()
    dashboard.wait(
        "() => livegrad.store.state.run.epoch === 2 && livegrad.store.state.run.state === 'running'"
    )
    step = dashboard.about()["step"]
    dashboard.wait("(step) => livegrad.store.state.moment.step > step + 10", step)
    dashboard.page.click("#train")
    expect(badge(dashboard)).to_have_text("paused")
    screen = dashboard.stands_at(dashboard.about()["step"])
    (bias,) = server.get(f"/runs/{run}/parameters/output_linear.bias")["value"]
    assert np.float32(screen.chips["output_linear.bias[0]"].value) == bias


def test_a_run_that_failed_says_why_and_offers_to_start_again(
    tmp_path: Path, open_page: OpenPage
) -> None:
    with serving(tmp_path / "data") as server:
        run = first_run(server)
    reason = "ValueError: no such loss (in train, line 30)"
    (log,) = (tmp_path / "data").glob("*.sqlite3")
    with sqlite3.connect(log) as db:
        db.execute("UPDATE runs SET state = 'failed', reason = ? WHERE id = ?", (reason, run))
    db.close()
    with serving(tmp_path / "data") as server:
        dashboard = open_page(server, run)
        expect(badge(dashboard)).to_have_text("failed")
        expect(notice(dashboard)).to_contain_text(reason)
        expect(dashboard.page.locator("#train")).to_be_disabled()
        notice(dashboard).get_by_role("button", name="Start again").click()
        expect(badge(dashboard)).not_to_have_text("failed")
        assert first_run(server) != run
        dashboard.page.close()


def test_a_run_that_diverged_says_what_happened_and_what_to_try(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(optimizer={"kind": "sgd", "lr": 10.0}))
    server.command(str(dashboard.run), "step", count=60)
    screen = dashboard.stands_at(60)
    assert "diverged" in screen.raw["badge"]
    assert "Diverged: the loss is nan" in screen.raw["notice"]
    assert {mark.value for mark in screen.parameter_marks.values()} == {"nan"}
    assert {mark.sign for mark in screen.parameter_marks.values()} == {"nan"}
    assert "nan" in dashboard.page.locator("#network .note").all_text_contents()
    paths = dashboard.page.locator("#network path").evaluate_all(
        "(all) => all.map((path) => path.getAttribute('d'))"
    )
    assert not any("NaN" in (path or "") or "Infinity" in (path or "") for path in paths)
    notice(dashboard).get_by_role("button", name="Start again, try lr 1").click()
    expect(notice(dashboard)).to_contain_text("before its first step")
    gentler = first_run(server)
    assert gentler != dashboard.run
    assert server.get(f"/runs/{gentler}")["config"]["optimizer"]["lr"] == 1.0
    dashboard.page.close()
    server.client.delete(f"/api/runs/{gentler}")


def test_a_lost_connection_says_so_and_comes_back_by_itself(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(AWAY)
    with serving(tmp_path / "data") as server:
        run = first_run(server)
        dashboard = open_page(server, run)
        dashboard.stands_at(0)
        server.command(run, "step", count=3)
        values = {name: mark.value for name, mark in dashboard.stands_at(3).parameter_marks.items()}
        assert server.stop() == 0
        expect(badge(dashboard)).to_have_text("connection lost")
        expect(notice(dashboard)).to_contain_text("Connection lost")
        expect(dashboard.page.locator("#train")).to_be_disabled()
        assert {
            name: mark.value for name, mark in dashboard.read().parameter_marks.items()
        } == values
    with serving(tmp_path / "data", "--port", str(server.port)) as again:
        expect(badge(dashboard)).to_have_text("interrupted")
        assert {
            name: mark.value for name, mark in dashboard.stands_at(3).parameter_marks.items()
        } == values
        assert again.get(f"/runs/{run}")["step"] == 3
        dashboard.page.close()


def test_a_link_to_a_run_that_was_deleted_says_so(
    server: Server, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(r"WebSocket connection to|status of 404")
    dashboard = open_page(server, "nowhere")
    expect(badge(dashboard)).to_have_text("no run")
    expect(notice(dashboard)).to_contain_text("This run does not exist")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has room for one run at a time."""
    with serving(tmp_path_factory.mktemp("small"), "--max-runs", "1") as server:
        yield server


def test_a_refusal_is_said_and_can_be_dismissed(
    small: Server, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(REFUSED)
    refusal = small.client.post("/api/runs", json={}).json()
    dashboard = open_page(small)
    dashboard.page.click("#open-runs")
    dashboard.page.locator("dialog[open]").get_by_role("button", name="Start again").click()
    toast = dashboard.page.locator("#toast")
    expect(toast).to_contain_text(refusal["title"])
    expect(toast).to_contain_text(refusal["detail"])
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_be_empty()


def test_without_any_run_the_page_invites_to_make_one(small: Server, open_page: OpenPage) -> None:
    for run in small.get("/runs"):
        small.client.delete(f"/api/runs/{run['id']}")
    dashboard = open_page(small)
    expect(badge(dashboard)).to_have_text("no run")
    expect(notice(dashboard)).to_contain_text("No runs yet")
    notice(dashboard).get_by_role("button", name="New run").click()
    expect(dashboard.page.locator("dialog[open] h2")).to_have_text("New run")


def test_a_server_started_again_with_another_folder_leaves_no_blank_page(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(
        r"WebSocket connection to|status of 404|ERR_CONNECTION_REFUSED|Failed to load resource"
    )
    with serving(tmp_path / "one") as server:
        first, other = first_run(server), server.create(name="the other one", pace=None)
        for run in (first, other):
            server.command(run, "step", count=30)
        dashboard = open_page(server, first)
        dashboard.stands_at(30)
        dashboard.page.evaluate(
            "(id) => livegrad.store.dispatch({ type: 'overlay', id, isShown: true })", other
        )
        dashboard.page.keyboard.press("ArrowLeft")  # looks back, with another run beside it
        dashboard.wait("() => livegrad.store.state.visited?.moment?.step === 29")
        server.stop()
    with serving(tmp_path / "two", port=server.port) as successor:
        new = first_run(successor)
        expect(notice(dashboard)).to_contain_text("This run does not exist")
        expect(badge(dashboard)).to_have_text("no run")
        for card in ("#bar", "#transport", "#network", "#timeline"):
            expect(dashboard.page.locator(card)).to_be_visible()
        notice(dashboard).get_by_role("button").click()
        dashboard.page.locator("dialog[open] .run-open").first.click()
        dashboard.wait("(id) => livegrad.store.state.run?.id === id && framesDue === 0", new)
        expect(dashboard.page.locator("#network svg")).to_be_visible()
        assert dashboard.page.evaluate("() => livegrad.store.state.overlaid.length") == 0


def test_a_run_that_is_deleted_elsewhere_while_it_is_on_the_screen_is_said_to_be_gone(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(r"WebSocket connection to|status of 404|Failed to load resource")
    with serving(tmp_path) as server:
        run = first_run(server)
        other = server.create(name="stays")
        dashboard = open_page(server, run)
        dashboard.stands_at(0)
        dashboard.page.click("#open-runs")
        expect(dashboard.page.locator("dialog[open] .run-open")).to_have_count(2)
        expect(dashboard.page.locator("#fit .dot")).not_to_have_count(0)
        server.client.delete(f"/api/runs/{run}")
        dashboard.page.keyboard.press("Escape")
        expect(notice(dashboard)).to_contain_text("This run does not exist")
        expect(badge(dashboard)).to_have_text("no run")
        expect(dashboard.page.locator("#fit .dot")).to_have_count(0)
        expect(dashboard.page.locator("#toast")).to_be_empty()
        dashboard.page.goto(f"{server.url}/#run={other}")
        dashboard.wait("(id) => livegrad.store.state.run?.id === id", other)


def sign_in(page: Page, token: str) -> None:
    page.fill("#token", token)
    page.press("#token", "Enter")
    expect(page.locator("#network svg")).to_be_visible()


def test_after_a_restart_with_another_token_the_page_asks_to_sign_in_again(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(AWAY)
    complaints.forgive(r"WebSocket connection to|status of 401|Failed to load resource")
    with serving(tmp_path / "data", "--token", "the-first-token-1") as server:
        run = first_run(server)
        dashboard = open_page(server, run)
        sign_in(dashboard.page, "the-first-token-1")
        dashboard.stands_at(0)
        server.command(run, "step", count=3)
        dashboard.stands_at(3)
        assert server.stop() == 0
    with serving(tmp_path / "data", "--token", "the-second-token", port=server.port) as again:
        expect(badge(dashboard)).to_have_text("signed out")
        expect(notice(dashboard)).to_contain_text("You need to sign in again")
        expect(dashboard.page.locator("#train")).to_be_disabled()
        notice(dashboard).get_by_role("link", name="Sign in").click()
        sign_in(dashboard.page, "the-second-token")
        expect(badge(dashboard)).to_have_text("interrupted")
        dashboard.stands_at(3)
        assert dashboard.page.evaluate("() => livegrad.store.state.opened") == run
        assert again.get(f"/runs/{run}")["step"] == 3
        dashboard.page.close()


def test_a_page_that_was_signed_out_goes_on_once_another_tab_has_signed_in(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(AWAY)
    complaints.forgive(r"WebSocket connection to|status of 401|Failed to load resource")
    with serving(tmp_path / "data", "--token", "the-first-token-1") as server:
        dashboard = open_page(server)
        sign_in(dashboard.page, "the-first-token-1")
        dashboard.stands_at(0)
        assert server.stop() == 0
    with serving(tmp_path / "data", "--token", "the-second-token", port=server.port):
        expect(badge(dashboard)).to_have_text("signed out")
        other = dashboard.page.context.new_page()
        other.goto(f"{server.url}/signin.html")
        sign_in(other, "the-second-token")
        expect(badge(dashboard)).to_have_text("interrupted")
        expect(notice(dashboard)).not_to_contain_text("sign in")
        dashboard.page.context.close()


def test_a_run_whose_configuration_cannot_be_read_shows_none(
    tmp_path: Path, open_page: OpenPage
) -> None:
    with serving(tmp_path / "data") as server:
        run = first_run(server)
    (log,) = (tmp_path / "data").glob("*.sqlite3")
    with sqlite3.connect(log) as db:
        db.execute("UPDATE runs SET config = '{' WHERE id = ?", (run,))
    db.close()
    with serving(tmp_path / "data") as server:
        assert server.get(f"/runs/{run}")["config"] is None
        dashboard = open_page(server, run)
        expect(badge(dashboard)).to_have_text("failed")
        expect(notice(dashboard)).to_contain_text("This run cannot be read")
        expect(notice(dashboard)).to_contain_text("damaged")
        bar = dashboard.page.locator("#bar")
        expect(bar).to_contain_text("its configuration cannot be read")
        expect(bar).not_to_contain_text("SGD")
        expect(dashboard.page.locator("#lr")).to_have_value("")
        expect(dashboard.page.locator(".pace-text")).to_have_text("")
        dashboard.page.click("#open-runs")
        row = dashboard.page.locator("dialog[open] .runs li")
        expect(row).to_contain_text("its configuration cannot be read")
        expect(row.get_by_role("button", name="Start again")).to_be_disabled()
        dashboard.page.close()
