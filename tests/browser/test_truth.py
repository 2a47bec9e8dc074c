"""What is drawn is what PyTorch holds: held to REST and to a plain PyTorch twin, at every phase."""

from typing import Any

import pytest

from tests.browser.agreement import assert_agree
from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard, Screen
from tests.browser.twin import Twin
from tests.plain import PHASES
from tests.running import Server

ADAM = {"optimizer": {"kind": "adam", "lr": 0.03}}
CONFIGS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "adam": ADAM,
    "numbered layers, momentum": {
        "named_layers": False,
        "optimizer": {"kind": "sgd", "lr": 0.001, "momentum": 0.9, "nesterov": True},
    },
    "relu, rmsprop": {
        "activation": "relu",
        "hidden": 7,
        "optimizer": {"kind": "rmsprop"},
        "seed": 3,
    },
    "sigmoid, adamw, sine": {
        "activation": "sigmoid",
        "dataset": "sine",
        "optimizer": {"kind": "adamw", "lr": 0.05},
    },
    "linear, one unit": {
        "activation": "none",
        "hidden": 1,
        "dataset": "line",
        "optimizer": {"kind": "sgd", "lr": 0.1},
    },
}


class Subject:
    """One run, three ways to look at it."""

    def __init__(self, server: Server, run: str, dashboard: Dashboard) -> None:
        self.server, self.run, self.dashboard = server, run, dashboard
        config = server.get(f"/runs/{run}")["config"]
        self.twin = Twin(
            config, next(d for d in server.get("/datasets") if d["name"] == config["dataset"])
        )

    def compare(self) -> Screen:
        screen = self.dashboard.stands_at(self.twin.step, self.twin.phase)
        assert_agree(screen, self.server.get(f"/runs/{self.run}/parameters"), self.twin)
        return screen

    def step(self, count: int) -> Screen:
        self.server.command(self.run, "step", count=count)
        self.twin.iterate(count)
        return self.compare()

    def next_phase(self, phase: str) -> Screen:
        """By the page's own button."""
        self.dashboard.page.click("#phase-once")
        self.twin.go(phase)
        return self.compare()


@pytest.fixture
def watch(server: Server, make_run: MakeRun, open_page: OpenPage) -> Any:
    def watch_(**config: Any) -> Subject:
        run = make_run(**config)
        return Subject(server, run, open_page(server, run))

    return watch_


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_every_edge_chip_and_arrow_shows_its_own_parameter_step_after_step(
    watch: Any, config: dict[str, Any]
) -> None:
    subject = watch(**config)
    subject.compare()
    for count in (1, 1, 1, 7, 30):
        subject.step(count)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_screen_rest_and_plain_pytorch_agree_at_every_phase(
    watch: Any, config: dict[str, Any]
) -> None:
    subject = watch(**config)
    subject.compare()
    parameters = list(subject.twin.parameters)
    for iteration in (0, 1):
        for i, phase in enumerate(PHASES):
            parameter = parameters[(i + iteration) % 4]
            subject.dashboard.pin(
                f"{parameter}[0, 0]" if ".weight" in parameter else f"{parameter}[0]"
            )
            subject.next_phase(phase)


def test_before_the_first_backward_there_is_no_arrow_and_every_grad_is_none(watch: Any) -> None:
    subject = watch()
    screens = [
        subject.compare(),
        *(subject.next_phase(phase) for phase in ("zero_grad", "forward", "loss")),
    ]
    for screen in screens:
        assert screen.arrows == {"gradient": {}, "change": {}}
        assert [row["grad"] for row in screen.raw["table"]] == ["None"] * 4
    screen = subject.next_phase("backward")
    assert screen.arrows["gradient"]
    assert screen.arrows["change"] == {}


def test_disagreement_is_marked_exactly_where_adam_goes_against_its_gradient(watch: Any) -> None:
    subject = watch(**ADAM)
    assert subject.step(1).against == [], "Adam's first update goes by the gradient's sign"
    marked = (subject.step(1).against for _ in range(60))
    against: list[str] = next(filter(None, marked), [])
    assert against, "Adam never disagreed: this run shows nothing"
    subject.dashboard.pin(against[0])
    assert "exp_avg" in subject.compare().raw["inspector"]["disagreement"]


def test_gradients_that_are_left_over_are_pale_and_called_stale(watch: Any) -> None:
    subject = watch(zero_grad=False)
    fresh = subject.step(1)
    for phase in PHASES[1:3]:
        if phase == "forward":
            subject.twin.go("zero_grad")
        stale = subject.next_phase(phase)
        assert {arrow.state for arrow in stale.arrows["gradient"].values()} == {"stale"}
        assert colours(stale).isdisjoint(colours(fresh))
        assert any("stale" in text for text in stale.raw["legend"])
        assert "stale" in stale.raw["sentence"]
    assert colours(subject.next_phase("backward")) == colours(fresh)
    subject.next_phase("step")


def colours(screen: Screen) -> set[str]:
    return {arrow.colour for arrow in screen.arrows["gradient"].values()}


ENDS = """() => Object.fromEntries([...document.querySelectorAll("#network .edge")].map((edge) => {
  const path = edge.querySelector(".line");
  const ends = [0, path.getTotalLength()].map((at) => path.getPointAtLength(at));
  return [edge.dataset.name, ends.map(({ x, y }) => [x, y])];
}))"""
BOXES = """() => Object.fromEntries(
  [...document.querySelectorAll("#network g:has(> .box)[data-name]")].map((place) => {
  const { x, y, width, height } = place.querySelector(".box").getBBox();
  return [place.dataset.name, [x, y, x + width, y + height]];
}))"""


@pytest.mark.parametrize("hidden", [1, 2, 13, 64])
def test_each_edge_runs_between_the_two_places_that_its_weight_connects(
    make_run: MakeRun, open_page: OpenPage, server: Server, hidden: int
) -> None:
    dashboard = open_page(server, make_run(hidden=hidden))
    dashboard.stands_at(0)
    ends, boxes = dashboard.page.evaluate(ENDS), dashboard.page.evaluate(BOXES)
    assert len(ends) == 2 * hidden
    for j in range(hidden):
        assert touched(ends[f"hidden_linear.weight[{j}, 0]"], boxes) == {"input", f"unit {j}"}
        assert touched(ends[f"output_linear.weight[0, {j}]"], boxes) == {"output", f"unit {j}"}


def touched(ends: list[list[float]], boxes: dict[str, list[float]]) -> set[str]:
    """The places on whose border the ends of an edge lie."""
    return {
        name
        for name, (left, top, right, bottom) in boxes.items()
        for x, y in ends
        if left - 2 <= x <= right + 2 and top - 0.5 <= y <= bottom + 0.5
    }
