"""After a lost connection the page's charts hold every step that was missed,
with the stored bytes.
"""

import signal
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.browser.test_states import AWAY, badge, first_run
from tests.running import Server, serving

# The page's own sockets, so that a test can cut one as a network would.
CUT = """
(() => {
  const Native = window.WebSocket;
  window.sockets = [];
  window.isAway = false;
  window.WebSocket = class extends Native {
    constructor(address) {
      super(window.isAway ? "ws://" + location.host + "/api/nowhere" : address);
      window.sockets.push(this);
    }
  };
})();
"""
HOLDS = """(last) => {
  const { rows } = livegrad.store.state;
  return rows !== null && rows.length === last + 1 && rows.steps[last] === last;
}"""

ROWS = """() => {
  const { steps, loss, length } = livegrad.store.state.rows;
  return [[...steps.subarray(0, length)], [...loss.subarray(0, length)]];
}"""
HEADER_BYTES = 32


def stored_losses(server: Server, run: str, last: int) -> NDArray[np.float32]:
    """The losses of the records 1 to last, from the log's bytes: they stand first in a record."""

    def answer(first: int, to: int) -> bytes:
        return server.client.get(
            f"/api/runs/{run}/records", params={"from": first, "to": to}
        ).content

    size = len(answer(1, 1)) - HEADER_BYTES
    body, at, losses = answer(1, last), 0, []
    while at < len(body):
        (count,) = struct.unpack_from("<I", body, at + 4)
        rows = np.frombuffer(body, "<f4", count * size // 4, at + HEADER_BYTES)
        losses.append(rows.reshape(count, -1)[:, 0])
        at += HEADER_BYTES + count * size
    return np.concatenate(losses)


def holds_every_step(dashboard: Dashboard, server: Server, run: str) -> None:
    last = server.wait(run, "paused")["step"]
    dashboard.wait(HOLDS, last)
    steps, losses = dashboard.page.evaluate(ROWS)
    assert steps == list(range(last + 1))
    assert np.array(losses[1:], np.float32).tobytes() == stored_losses(server, run, last).tobytes()


def test_a_page_that_was_cut_off_while_training_went_on_gets_every_step(
    server: Server, make_run: MakeRun, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(AWAY)
    run = make_run(max_steps=3500)
    dashboard = open_page(server)
    page = dashboard.page
    page.add_init_script(CUT)
    page.goto(f"{server.url}/#run={run}")
    page.reload()
    server.command(run, "step", count=20)
    dashboard.wait(HOLDS, 20)
    page.evaluate("() => { isAway = true; for (const socket of sockets) socket.close(); }")
    expect(badge(dashboard)).to_have_text("connection lost")
    server.command(run, "step", count=1500)
    server.command(run, "tune", pace=200)
    server.command(run, "play")
    page.evaluate("() => void (isAway = false)")  # it comes back while training goes on
    expect(badge(dashboard)).to_have_text("training")
    dashboard.wait("() => livegrad.store.state.moment.step > 1600")
    server.command(run, "pause")
    holds_every_step(dashboard, server, run)


def test_a_server_killed_while_training_leaves_no_gap_on_the_page(
    tmp_path: Path, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.forgive(AWAY)
    with serving(tmp_path / "data") as server:
        run = first_run(server)
        server.wait(run, "paused")
        dashboard = open_page(server, run)
        dashboard.stands_at(0)
        server.command(run, "tune", pace=200)
        server.command(run, "play")
        dashboard.wait("() => livegrad.store.state.moment.step > 60")
        # charts are fetched when there are steps to draw
        dashboard.page.locator("#loss .uplot").wait_for()
        dashboard.page.locator("#norms .uplot").wait_for()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(20)
        expect(badge(dashboard)).to_have_text("connection lost")
    with serving(tmp_path / "data", port=server.port) as again:
        before = dashboard.page.evaluate("() => livegrad.store.state.moment.step")
        again.wait(run, "running")
        dashboard.wait("(step) => livegrad.store.state.moment.step > step + 50", before)
        again.command(run, "pause")
        holds_every_step(dashboard, again, run)
        dashboard.page.close()
