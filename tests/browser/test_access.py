"""Contrast, names, focus, keyboard, motion: the page for everybody."""

import re
import time
from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard
from tests.running import Server

# Every piece of visible text with its colour and what lies behind it, as the browser composes them.
CONTRASTS = """() => {
  const EXEMPT = ":disabled, title, noscript, script, .skip, option";
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) {
      const layer = rgba(getComputedStyle(at).backgroundColor);
      layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 +
      0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = (element) => {
    let share = 1;
    for (let at = element; at !== null;
      at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    return share;
  };
  const root = document.querySelector("dialog[open]") ?? document.body;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = new Map();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === "" || element.closest(EXEMPT)) continue;
    if (!element.checkVisibility({ visibilityProperty: true }) ||
      element.getClientRects().length === 0) continue;
    const style = getComputedStyle(element);
    const colour = rgba(element instanceof SVGElement ? style.fill : style.color);
    colour[3] *= opacity(element);
    const ground = behind(element);
    const [low, high] = [luminance(over(colour, ground)), luminance(ground)].sort((a, b) => a - b);
    const key = `${element.tagName}.${element.getAttribute("class") ?? ""}`;
    const ratio = (high + 0.05) / (low + 0.05);
    if (!(found.get(key)?.ratio <= ratio)) found.set(key, { ratio,
      text: walker.currentNode.data.trim().slice(0, 40) });
  }
  return [...found].map(([where, { ratio, text }]) => ({ where, ratio, text }));
}"""

STOPS = """() => {
  const root = document.querySelector("dialog[open]") ?? document;
  return [...root.querySelectorAll("a[href], button, input, select, textarea, [tabindex]")]
    .filter((element) => element.tabIndex >= 0 && !element.disabled)
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .map((element, i) => (element.dataset.stop = String(i)));
}"""

FOCUS = """() => {
  const at = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  const light = [...document.querySelectorAll("#network .frame, #network .halo")];
  const isFramed = at.closest("#network svg") !== null && light.some((mark) =>
    (mark.getAttribute("d") ?? "") !== "");
  const box = at.getBoundingClientRect();
  return {
    stop: at.dataset.stop ?? null,
    what: `${at.tagName} ${at.id} ${at.getAttribute("class") ?? ""}`,
    isSeen: isFramed || (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2),
    isInView: box.width > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 &&
      box.top < innerHeight,
  };
}"""

NEED_NAMES = {
    "button",
    "link",
    "textbox",
    "combobox",
    "checkbox",
    "slider",
    "listbox",
    "option",
    "dialog",
    "toolbar",
}
NEED_NAMES |= {"region", "application", "img", "spinbutton"}

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Prepare = Callable[[Dashboard], None]


def at_step_0(dashboard: Dashboard) -> None:
    dashboard.stands_at(0)


def half_way(dashboard: Dashboard) -> None:
    """Stale gradients, a pinned element, an open drawer."""
    run = str(dashboard.run)
    dashboard.server.command(run, "step", count=5)
    dashboard.stands_at(5)
    dashboard.page.locator(".opener").nth(1).click()
    dashboard.pin("hidden_linear.weight[0, 0]")
    dashboard.server.command(run, "phase")
    dashboard.wait("() => livegrad.store.state.moment.phase !== 'step' && framesDue === 0")


# The notice has gone, and the drawing below it has been made anew for its new size.
SETTLED = """() => {
  if (document.querySelector("#notice").childElementCount > 0) return false;
  const { width, height } = document.querySelector("#network .network").getBoundingClientRect();
  const drawn = document.querySelector("#network .drawing").viewBox.baseVal;
  return Math.round(width) === drawn.width && Math.round(height) === drawn.height;
}"""


def training(dashboard: Dashboard) -> None:
    dashboard.stands_at(0)
    dashboard.page.click("#train")
    dashboard.wait(
        "() => { const { run, busy } = livegrad.store.state; return !busy && run.state === "
        "'running' && run.step > 5; }"
    )
    dashboard.wait(SETTLED)


def diverged(dashboard: Dashboard) -> None:
    dashboard.server.command(str(dashboard.run), "tune", lr=1000.0)
    dashboard.server.command(str(dashboard.run), "step", count=60)
    dashboard.stands_at(60)


def form(dashboard: Dashboard) -> None:
    dashboard.stands_at(0)
    dashboard.page.click("#open-form")
    expect(dashboard.page.locator("dialog[open] .preview circle").first).to_be_attached()


def runs(dashboard: Dashboard) -> None:
    dashboard.stands_at(0)
    dashboard.page.click("#open-runs")
    expect(dashboard.page.locator("dialog[open] .run-open").first).to_be_visible()


def keys(dashboard: Dashboard) -> None:
    dashboard.stands_at(0)
    dashboard.page.keyboard.press("?")
    expect(dashboard.page.locator("dialog[open]")).to_be_visible()


SCENES: list[Prepare] = [at_step_0, half_way, training, diverged, form, runs, keys]


@pytest.fixture(params=SCENES, ids=lambda scene: scene.__name__)
def scene(request: pytest.FixtureRequest) -> Prepare:
    chosen: Prepare = request.param
    return chosen


def open_scene(
    scene: Prepare, server: Server, make_run: MakeRun, open_page: OpenPage, **options: Any
) -> Dashboard:
    dashboard = open_page(
        server, make_run(zero_grad=scene is not half_way, max_steps=1_000_000), **options
    )
    scene(dashboard)
    return dashboard


def test_all_text_stands_out_from_its_ground_in_both_themes(
    scene: Prepare, server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_scene(scene, server, make_run, open_page)
    for theme in THEMES:
        dashboard.page.emulate_media(color_scheme=theme)
        dashboard.wait(
            "(isDark) => livegrad.store.state.dark === isDark && (framesDue === 0 || "
            "livegrad.store.state.run.state === 'running')",
            theme == "dark",
        )
        seen = dashboard.page.evaluate(CONTRASTS)
        assert len(seen) >= 6
        assert [one for one in seen if one["ratio"] < 4.5] == [], theme


def test_everything_that_can_be_operated_has_a_name(
    scene: Prepare, server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_scene(scene, server, make_run, open_page)
    nodes = accessibility_tree(dashboard.page)
    named = [node for node in nodes if node["role"]["value"] in NEED_NAMES]
    assert len(named) >= 3
    assert [node for node in named if not node.get("name", {}).get("value", "").strip()] == []


def accessibility_tree(page: Page) -> list[Any]:
    session = page.context.new_cdp_session(page)
    nodes: list[Any] = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [node for node in nodes if not node["ignored"]]


def focus_of(page: Page, seconds: float = 10.0) -> Any:
    """Return where the focus is.

    The drawing shows it in its next frame, which a busy machine draws late.
    """
    end = time.monotonic() + seconds
    while True:
        focus = page.evaluate(FOCUS)
        if focus["stop"] is None or focus["isSeen"] or time.monotonic() > end:
            return focus
        page.wait_for_timeout(20)


def test_tab_reaches_everything_in_order_and_shows_where_it_is(
    scene: Prepare, server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_scene(scene, server, make_run, open_page)
    page = dashboard.page
    stops = page.evaluate(STOPS)
    assert len(stops) >= 2
    reached: list[str] = []
    page.evaluate("() => (document.querySelector('dialog[open]') ?? document.body).focus()")
    for _ in range(len(stops) + 3):
        page.keyboard.press("Tab")
        dashboard.wait("() => framesDue === 0 || livegrad.store.state.run.state === 'running'")
        focus = focus_of(page)
        if focus["stop"] is None or focus["stop"] in reached:
            continue
        reached.append(focus["stop"])
        assert focus["isSeen"], f"no visible focus on {focus['what']}"
        assert focus["isInView"], f"focus out of view on {focus['what']}"
    assert set(reached) == set(stops)
    around = reached.index("0")
    assert reached[around:] + reached[:around] == stops


def test_arrow_keys_walk_through_every_parameter_of_the_drawing(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(hidden=4))
    dashboard.stands_at(0)
    page = dashboard.page
    page.locator("#network [tabindex='0']").focus()
    visited: set[str] = set()

    def note() -> None:
        name = page.evaluate("() => document.activeElement.dataset.name")
        expect(page.locator("#inspector .selected")).to_have_text(name)
        visited.add(name)

    note()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Home")
        note()
        for _ in range(3):
            page.keyboard.press("ArrowDown")
            note()
    weights = {f"hidden_linear.weight[{j}, 0]" for j in range(4)} | {
        f"output_linear.weight[0, {j}]" for j in range(4)
    }
    biases = {f"hidden_linear.bias[{j}]" for j in range(4)} | {"output_linear.bias[0]"}
    assert visited == weights | biases | {f"unit {j}" for j in range(4)} | {"input", "output"}
    page.keyboard.press("Enter")
    expect(page.locator("#inspector .pin")).to_contain_text("pinned")
    assert dashboard.about()["step"] == 0, "arrow keys inside the drawing take no step"


def test_a_screen_reader_hears_value_gradient_and_change(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run())
    label = dashboard.stands_at(0).edges["hidden_linear.weight[3, 0]"].label
    assert re.fullmatch(r"hidden_linear\.weight\[3, 0\], \S+, no gradient", label or ""), label
    server.command(str(dashboard.run), "step", count=1)
    label = dashboard.stands_at(1).edges["hidden_linear.weight[3, 0]"].label
    assert re.fullmatch(
        r"hidden_linear\.weight\[3, 0\], \S+, fresh gradient \S+, change \S+", label or ""
    ), label


# Where the pulses are at one moment of the animation, in pixels from the left.
PULSES = """(time) => document.querySelector("#network .flow")
  .getAnimations({ subtree: true }).flatMap((animation) => {
  animation.pause();
  animation.currentTime = time;
  const path = animation.effect.target;
  const { visibility, strokeDashoffset } = getComputedStyle(path);
  if (visibility !== "visible") return [];
  const share = Math.min(1, Math.max(0, -parseFloat(strokeDashoffset) / 100));
  const { x } = path.getPointAtLength(share * path.getTotalLength());
  return [x];
})"""


def test_pulses_run_to_the_right_in_forward_and_to_the_left_in_backward(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run())
    dashboard.stands_at(0)
    for phase in ("zero_grad", "forward", "loss", "backward"):
        server.command(str(dashboard.run), "phase")
        dashboard.stands_at(0, phase)
        if phase not in ("forward", "backward"):
            assert dashboard.page.evaluate(PULSES, 100) == []
            continue
        places = [dashboard.page.evaluate(PULSES, time) for time in (60, 250, 450, 650, 850, 1050)]
        assert all(len(pulses) == 13 for pulses in places)
        means = [sum(pulses) / 13 for pulses in places]
        assert means == sorted(means, reverse=phase == "backward")
        assert abs(means[-1] - means[0]) > 200


def test_nothing_moves_for_those_who_asked_for_stillness(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(), reduced_motion="reduce")
    dashboard.stands_at(0)
    for phase in ("zero_grad", "forward", "loss", "backward", "step"):
        server.command(str(dashboard.run), "phase")
        dashboard.stands_at(int(phase == "step"), phase)
        assert dashboard.page.evaluate("() => document.getAnimations().length") == 0
