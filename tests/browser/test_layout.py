"""Every size from a phone to 4K: nothing cut off, nothing covered, nothing to scroll sideways."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.running import Server

SIZES = [
    (390, 844),
    (1024, 768),
    (1280, 720),
    (1366, 768),
    (1440, 900),
    (1920, 940),
    (3840, 2160),
]

# What stands out of what it should stand in, in words; [] when all is well.
CUT_OFF = """() => {
  const FREE = "defs, clipPath, .flow, .tooltip, .quiet-voice, .u-over, .u-under, .buttons";
  const found = [];
  const say = (element, what) =>
    found.push(element.tagName.toLowerCase() +
      `.${element.getAttribute("class") ?? ""}#${element.id} ` +
      `"${element.textContent.trim().slice(0, 30)}" ${what}`);
  const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) say(page, `is ${page.scrollWidth} wide in ${innerWidth}`);
  const parts = [...document.querySelectorAll("#bar, #transport, #notice, .card")];
  for (const card of parts.filter(isShown)) {
    const edge = card.getBoundingClientRect();
    if (edge.left < -0.5 || edge.right > innerWidth + 0.5) say(card, "stands out of the window");
    for (const inner of card.querySelectorAll("*")) {
      if (!isShown(inner) || inner.closest(FREE)) continue;
      const style = getComputedStyle(inner);
      const box = inner.getBoundingClientRect();
      if (box.left < edge.left - 1 || box.right > edge.right + 1) say(inner,
        "stands out of its card sideways");
      const scroller = inner.closest(".scroll, .elements, #inspector");
      const isHigher = box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
      if (scroller === null && isHigher) say(inner, "stands out of its card");
      if (style.overflowX !== "visible" && inner.scrollWidth > inner.clientWidth + 1 &&
        !inner.title) {
        say(inner, `hides ${inner.scrollWidth - inner.clientWidth} px at its side`);
      }
    }
  }
  return found;
}"""

# Cards over each other, as far as their column lets them be seen.
OVERLAPS = """() => {
  const isDesk = getComputedStyle(document.body).overflow === "hidden";
  const boxes = [...document.querySelectorAll("#bar, #transport, #notice, .card")]
    .filter((card) => card.getClientRects().length > 0)
    .map((card) => {
      const { left, right, top, bottom } = card.getBoundingClientRect();
      const column = card.closest(".column")?.getBoundingClientRect();
      return [card.id, { left, right, top, bottom: isDesk ? Math.min(bottom, column?.bottom ??
        bottom) : bottom }];
    });
  const found = [];
  boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 0.5 && down > 0.5) found.push(`${one} over ${other}`);
  }));
  return found;
}"""

# Words of the drawing that lie on each other.
COLLISIONS = """() => {
  const words = [...document.querySelectorAll("#network text")]
    .filter((text) => text.textContent.trim() !== "" && text.getClientRects().length > 0)
    .map((text) => [text.textContent, text.getBoundingClientRect()]);
  const found = [];
  words.forEach(([one, a], i) => words.slice(i + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 2 && down > 4) found.push(`"${one}" and "${other}"`);
  }));
  return found;
}"""

# Controls whose middle something else covers, after scrolling to them.
COVERED = """() => [...document.querySelectorAll("button, input, select, a:not(.skip)")]
  .filter((control) => control.checkVisibility() && control.getClientRects().length > 0)
  .filter((control) => {
    control.scrollIntoView({ block: "center" });
    const { left, right, top, bottom } = control.getBoundingClientRect();
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return hit === null || !(control.contains(hit) || hit.contains(control));
  })
  .map((control) => control.id || control.textContent)"""

PAGE_SCROLLS = "() => document.documentElement.scrollHeight > innerHeight || scrollY > 0"


# The drawing has the size of its place, and nothing is left to draw.
SETTLED = """() => {
  const svg = document.querySelector("#network svg");
  return framesDue === 0 &&
    Math.abs(svg.viewBox.baseVal.width - svg.getBoundingClientRect().width) < 1.5;
}"""


def assert_fits(dashboard: Dashboard, size: tuple[int, int]) -> None:
    dashboard.page.set_viewport_size({"width": size[0], "height": size[1]})
    dashboard.wait(SETTLED)
    for question in (CUT_OFF, OVERLAPS, COLLISIONS, COVERED):
        assert dashboard.page.evaluate(question) == [], size


@pytest.mark.parametrize("hidden", [1, 13, 64])
def test_from_phone_to_4k_nothing_is_cut_off_covered_or_on_top_of_another(
    server: Server, make_run: MakeRun, open_page: OpenPage, hidden: int
) -> None:
    run = make_run(
        hidden=hidden, optimizer={"kind": "adam", "lr": 0.03}, name="A name of ordinary length"
    )
    dashboard = open_page(server, run)
    dashboard.stands_at(0)
    for size in SIZES:
        assert_fits(dashboard, size)
    server.command(run, "step", count=120)
    dashboard.stands_at(120)
    dashboard.pin("output_linear.weight[0, 0]")
    dashboard.page.mouse.move(0, 0)
    for size in SIZES:
        assert_fits(dashboard, size)


@pytest.mark.parametrize("hidden", [1, 13, 64])
def test_on_a_desk_the_whole_dashboard_is_in_view(
    server: Server, make_run: MakeRun, open_page: OpenPage, hidden: int
) -> None:
    run = make_run(hidden=hidden, max_steps=50)
    dashboard = open_page(server, run)
    dashboard.stands_at(0)
    assert not dashboard.page.evaluate(PAGE_SCROLLS), "with the notice of step 0"
    server.command(run, "step", count=40)
    dashboard.stands_at(40)
    assert not dashboard.page.evaluate(PAGE_SCROLLS)
    dashboard.pin("hidden_linear.weight[0, 0]")
    dashboard.page.locator(".opener").first.click()
    assert not dashboard.page.evaluate(PAGE_SCROLLS), "with an open drawer and a pinned element"
    server.command(run, "step", count=10)
    expect(dashboard.page.locator("#state")).to_have_text("finished")
    assert not dashboard.page.evaluate(PAGE_SCROLLS), "with the notice of the end"
    for card in dashboard.page.locator(".card").all():
        expect(card).to_be_in_viewport(ratio=0.999)


def test_on_a_phone_the_buttons_stay_under_the_thumb(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(), 390, 844, has_touch=True, is_mobile=True)
    dashboard.stands_at(0)
    network = dashboard.page.locator("#network").bounding_box()
    assert network is not None
    assert network["y"] < 400, "the network stands near the top"
    for scroll in (0, 500, 100_000):
        dashboard.page.evaluate("(y) => scrollTo(0, y)", scroll)
        for control in ("#train", "#step-once", "#phase-once"):
            box = dashboard.page.locator(control).bounding_box()
            assert box is not None
            assert box["height"] >= 40
            assert box["y"] + box["height"] <= 844
            assert box["y"] > 600
    dashboard.page.tap("#step-once")
    dashboard.stands_at(1)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desk", "phone"])
@pytest.mark.parametrize("opener", ["#open-form", "#open-runs", "[aria-label='Help and keys']"])
def test_dialogs_fit_and_everything_in_them_can_be_reached(
    server: Server, make_run: MakeRun, open_page: OpenPage, size: tuple[int, int], opener: str
) -> None:
    dashboard = open_page(
        server, make_run(name="A rather long name, longer than most people would type"), *size
    )
    dashboard.stands_at(0)
    dashboard.page.click(opener)
    dialog = dashboard.page.locator("dialog[open]")
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["y"] + box["height"] <= size[1]
    assert dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
    for control in dialog.locator("button:enabled, input:enabled, select:enabled, a").all():
        control.scroll_into_view_if_needed()
        control.click(trial=True)


def test_a_window_that_changes_its_size_goes_on_showing_the_same_numbers(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = make_run()
    dashboard = open_page(server, run)
    server.command(run, "step", count=2)
    shown = dashboard.stands_at(2)
    for size in SIZES:
        dashboard.page.set_viewport_size({"width": size[0], "height": size[1]})
        dashboard.wait(SETTLED)
        again = dashboard.read()
        assert {name: mark.value for name, mark in again.parameter_marks.items()} == {
            name: mark.value for name, mark in shown.parameter_marks.items()
        }
        assert set(again.arrows["change"]) == set(shown.arrows["change"])


def luminance(dashboard: Dashboard) -> Any:
    return dashboard.page.evaluate(
        "() => "
        "getComputedStyle(document.documentElement).backgroundColor"
        ".match(/[\\d.]+/g).slice(0, 3).map(Number)"
    )


def test_the_theme_follows_the_system_until_the_switch_is_used_and_that_is_remembered(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(), color_scheme="dark")
    dashboard.stands_at(0)
    assert max(luminance(dashboard)) < 60
    dark = dashboard.read().edges["hidden_linear.weight[1, 0]"].colour
    dashboard.page.get_by_role("button", name="Light theme").click()
    dashboard.wait("() => framesDue === 0 && !livegrad.store.state.dark")
    assert min(luminance(dashboard)) > 200
    assert dashboard.read().edges["hidden_linear.weight[1, 0]"].colour != dark
    dashboard.page.reload()
    dashboard.stands_at(0)
    assert min(luminance(dashboard)) > 200
