"""What stands on the dashboard's screen, read from the page as a person would see it.

Judges nothing.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator, Page

from tests.running import Server

READ = """() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const text = (selector, root = document) => root.querySelector(selector)?.textContent ?? null;
  const parameterMark = (group) => {
    const line = group.querySelector(".line");
    const body = getComputedStyle(line ?? group.querySelector(".square"));
    const sign = group.querySelector(".sign").getAttribute("d") ?? "";
    return {
      name: group.dataset.name,
      value: group.dataset.value,
      sign: group.dataset.sign,
      glyph: sign === "" ? "" : sign.includes("V") ? "+" : "-",
      colour: (line ? body.stroke : body.fill).match(/[\\d.]+/g).map(Number),
      width: line ? parseFloat(body.strokeWidth) : null,
      label: group.getAttribute("aria-label"),
    };
  };
  const arrow = (path) => {
    const box = path.getBBox();
    return {
      name: path.dataset.name,
      kind: path.dataset.kind,
      direction: path.dataset.direction,
      drawn: box.y + box.height <= 0 ? "up" : box.y >= 0 ? "down" : "both",
      length: box.height,
      state: path.dataset.state ?? null,
      colour: getComputedStyle(path)[path.dataset.kind === "change" ? "stroke" : "fill"],
    };
  };
  const row = (tr) => ({
    name: tr.dataset.parameter,
    shape: tr.children[1].textContent,
    value: tr.children[2].textContent,
    grad: tr.children[3].textContent,
    state: tr.children[3].dataset.state,
  });
  return {
    edges: all("#network .edge").map(parameterMark),
    chips: all("#network .chip").map(parameterMark),
    arrows: all("#network .arrow[data-name]").map(arrow),
    against: all("#network .note[data-kind=disagreement]").map((note) => note.dataset.name),
    scales: all("#network .legend .sample").map((sample) => all(".tick", sample).map((tick) =>
      tick.textContent)),
    ramps: all("#network .legend > .name").map((name) => name.textContent),
    legend: all("#network .legend text").map((words) => words.textContent),
    table: all("#parameters tr[data-parameter]").map(row),
    phase: text("#transport .strip .now"),
    phases: all("#transport .strip li").map((part) => part.textContent),
    line: text("#code .listing .now")?.trim() ?? null,
    sentence: text("#code .sentence"),
    badge: text("#state"),
    step: text("#step"),
    notice: text("#notice"),
    inspector: {
      title: text("#inspector .selected"),
      facts: Object.fromEntries(all("#inspector .facts dt").map((term) => {
        const data = term.nextElementSibling;
        const number = text(".fact-number", data);
        return [term.textContent, { text: number, note: text(".fact-note", data),
          exact: data.title || null }];
      })),
      disagreement: text("#inspector .disagree"),
      formula: text("#inspector .formula"),
    },
  };
}"""

STANDS = """([step, phase]) => {
  const { data, moment, run } = window.livegrad.store.state;
  if (data === null) return false; // its points make the drawing anew
  if (moment === null || moment.step !== step || moment.phase !== phase) return false;
  if (document.querySelector("#inspector .selected") === null) return false; // still being fetched
  if (run.state === "running" || run.step !== step || run.phase !== phase) return false;
  if (phase === "step" && step > 0 && moment.before === null) return false;
  return window.framesDue === 0;
}"""

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


@dataclass(frozen=True)
class ParameterMark:
    """An edge or a bias chip. `value` is the exact text of its float32."""

    name: str
    value: str
    sign: str
    glyph: str
    colour: tuple[float, float, float]
    width: float | None
    label: str | None


@dataclass(frozen=True)
class Arrow:
    """`direction` is what it says, `drawn` where its shape points."""

    name: str
    kind: str
    direction: str
    drawn: str
    length: float
    state: str | None
    colour: str


@dataclass(frozen=True)
class Screen:
    """Everything that one reading found."""

    edges: dict[str, ParameterMark]
    chips: dict[str, ParameterMark]
    arrows: dict[str, dict[str, Arrow]]  # kind → name → arrow
    against: list[str]  # marked: Δ goes against −.grad
    # kind → the magnitude below which there is no arrow, as the legend prints it
    floors: dict[str, float]
    # "weight", "bias" → the magnitude at the ends of the colour ramp, as printed
    bounds: dict[str, float]
    raw: dict[str, Any] = field(repr=False)

    @property
    def parameter_marks(self) -> dict[str, ParameterMark]:
        return self.edges | self.chips


@dataclass
class Dashboard:
    """One open page of one server; `run` is the one that it was opened at, if any."""

    page: Page
    server: Server
    run: str | None = None

    def about(self) -> Any:
        """Ask the server about the run."""
        return self.server.get(f"/runs/{self.run}")

    def stands_at(self, step: int, phase: str = "step") -> Screen:
        """Read the screen once it stands there and nothing is left to draw."""
        self.page.wait_for_function(STANDS, arg=[step, phase], polling=10)
        return self.read()

    def read(self) -> Screen:
        raw = self.page.evaluate(READ)
        arrows: dict[str, dict[str, Arrow]] = {"gradient": {}, "change": {}}
        for found in raw["arrows"]:
            assert found["name"] not in arrows[found["kind"]], (
                f"two {found['kind']} arrows for {found['name']}"
            )
            arrows[found["kind"]][found["name"]] = Arrow(**found)
        floors = {kind: power(ticks[0]) for kind, ticks in zip(arrows, raw["scales"], strict=False)}
        bounds = {
            name: number(raw["legend"][raw["legend"].index(name) + 1]) for name in raw["ramps"]
        }
        return Screen(
            parameter_marks(raw["edges"]),
            parameter_marks(raw["chips"]),
            arrows,
            raw["against"],
            floors,
            bounds,
            raw,
        )

    def wait(self, condition: str, arg: Any = None) -> None:
        """Wait for a JavaScript condition."""
        self.page.wait_for_function(condition, arg=arg, polling=20)

    def element(self, name: str) -> Locator:
        """An edge, chip or unit of the drawing by its name."""
        return self.page.locator(f'#network g[role=button][data-name="{name}"]')

    def pin(self, name: str) -> None:
        self.element(name).locator("rect.hit, rect.box").first.click()


def parameter_marks(raw: list[dict[str, Any]]) -> dict[str, ParameterMark]:
    found = [ParameterMark(**one | {"colour": tuple(one["colour"][:3])}) for one in raw]
    assert len({one.name for one in found}) == len(found), "two edges of one name"
    return {one.name: one for one in found}


def power(text: str) -> float:
    """10⁻³ → 0.001"""
    assert text.startswith("10"), text
    return float(10.0 ** int(text[2:].translate(SUPERSCRIPTS)))


def number(text: str) -> float:
    """The number that a text of the page begins with."""
    found = re.match(r"[+−-]?(\d+(\.\d+)?(e[−-]?\d+)?|inf|nan)", text)
    assert found, f"no number in {text!r}"
    return float(found[0].replace("−", "-"))
