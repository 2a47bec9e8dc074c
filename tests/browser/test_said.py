"""What the page says is what PyTorch holds: its sentences, lines, legends, badges and rules."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeRun, OpenPage
from tests.browser.screen import Dashboard, Screen
from tests.browser.test_timeline import THERE, type_step
from tests.plain import PHASES
from tests.running import Server
from tests.viewer import viewing

ADAM = {"kind": "adam", "lr": 0.01}
SGD = {"kind": "sgd", "lr": 0.0005}
# Every argument of every optimizer, away from its default.
OPTIMIZERS: list[dict[str, Any]] = [
    SGD | {"weight_decay": 0.3},
    SGD | {"momentum": 0.9, "dampening": 0.9, "weight_decay": 0.1},
    SGD | {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ADAM | {"betas": [0.8, 0.95], "eps": 0.5},
    ADAM | {"betas": [0.9, 0.999], "weight_decay": 0.2, "amsgrad": True},
    {"kind": "adamw", "lr": 0.02, "weight_decay": 0.4, "eps": 1.0, "amsgrad": True},
    {"kind": "rmsprop", "lr": 0.01, "eps": 1.0, "alpha": 0.7},
    {"kind": "rmsprop", "lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.2},
]
RULE = """async (config) => {
  const { updateRule } = await import(new URL("lib/formula.js", document.baseURI));
  return updateRule(config).map((line) => line.map(({ text }) => text).join(""));
}"""


def look_back(dashboard: Dashboard, step: int) -> Screen:
    type_step(dashboard, step)
    dashboard.wait(THERE, step)
    return dashboard.read()


def parts(server: Server, run: str, steps: int) -> list[dict[str, Any]]:
    """The records 0 to `steps` of a run, as arrays: p, grad, lr, and the optimizer's state."""
    with viewing(server, run) as viewer:
        server.command(run, "step", count=steps)
        viewer.take_step(steps)
    made = []
    for step in range(steps + 1):
        record = np.frombuffer(viewer.records()[step], "<f4").astype(np.float64)
        found: dict[str, Any] = {"step": step}
        for column in viewer.columns:
            names = {"parameter": "p", "gradient": "grad", "scalar": column["name"]}
            name = str(names.get(column["role"], column.get("slot")))
            size = int(np.prod(column["shape"]))
            values = record[column["offset"] : column["offset"] + size]
            if column["role"] == "scalar":
                found[name] = values[0]
            elif name != "step":
                found[name] = np.concatenate([found.get(name, []), values])
        made.append(found)
    return made


def computed(rule: list[str], before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Follow a written rule, line by line, from the numbers before it."""
    is_first = before["step"] == 0
    names = {k: np.zeros_like(now[k]) if is_first and k != "p" else v for k, v in before.items()}
    names |= {"grad": now["grad"], "lr": now["lr"], "step": now["step"]}
    names |= {"sqrt": np.sqrt, "maximum": np.maximum}
    set_at_first: set[str] = set()
    for line in rule:
        begin, _, rest = line.rpartition(": ")
        target, _, formula = rest.partition(" ← ")
        if (begin and not is_first) or target in set_at_first:
            continue
        if begin:
            assert begin == "at its first update"
            set_at_first.add(target)
        for sign, python in (
            *((".grad", "grad"), ("²", "**2"), ("^", "**"), ("·", "*"), ("÷", "/"), ("−", "-")),
            *(("√", "sqrt"), ("max(", "maximum(")),
        ):
            formula = formula.replace(sign, python)
        names[target] = eval(formula, {}, names)  # noqa: S307 the page's own text
    return names


def test_the_rule_on_the_page_gives_the_recorded_change(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(pace=None))
    dashboard.stands_at(0)
    for optimizer in OPTIMIZERS:
        run = make_run(pace=None, optimizer=optimizer)
        config = server.get(f"/runs/{run}")["config"]
        rule = dashboard.page.evaluate(RULE, config)
        assert not re.search(r"\d{13}", " ".join(rule)), rule
        records = parts(server, run, 4)
        for before, now in itertools.pairwise(records):
            found = computed(rule, before, now)
            change, recorded = found["p"] - before["p"], now["p"] - before["p"]
            np.testing.assert_allclose(change, recorded, rtol=1e-3, atol=3e-7, err_msg=str(rule))
            for slot in set(now) - {"p", "grad", "step", "lr", "loss", "validation_loss"}:
                np.testing.assert_allclose(
                    found[slot], now[slot], rtol=1e-4, atol=1e-12, err_msg=f"{slot}: {rule}"
                )


def test_without_zero_grad_its_line_and_its_phase_are_struck_out_and_never_lit(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(zero_grad=False, optimizer=SGD | {"lr": 1e-6}))
    page = dashboard.page
    dashboard.stands_at(0)
    segment = page.locator("#transport .strip [data-phase=zero_grad]")
    line = page.locator("#code .listing li", has_text="optimizer.zero_grad()")
    for phase in PHASES[1:]:
        page.click("#phase-once")
        dashboard.stands_at(1 if phase == "step" else 0, phase)
        for struck, text in ((segment, segment), (line, line.locator(".text"))):
            expect(struck).to_have_class("skipped")
            expect(text).to_have_css("text-decoration-line", "line-through")
            expect(struck).to_have_attribute("title", re.compile("does not call zero_grad"))
    page.click("#train")
    expect(page.locator("#code .sentence")).to_contain_text("The four phases")
    expect(page.locator("#transport .strip .running")).to_have_count(4)
    expect(page.locator("#code .listing .running")).to_have_count(4)
    page.click("#train")


def test_an_early_step_of_a_diverged_run_has_its_own_scales(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = make_run(optimizer={"kind": "sgd", "lr": 1.0}, pace=None)
    server.command(run, "step", count=2)
    dashboard = open_page(server, run)
    live = dashboard.stands_at(2)
    server.command(run, "step", count=40)
    dashboard.stands_at(42)
    past = look_back(dashboard, 2)
    biggest = max(abs(float(mark.value)) for mark in past.edges.values())
    assert biggest <= past.bounds["weight"] <= 2 * biggest
    assert past.arrows["gradient"].keys() == live.arrows["gradient"].keys() != set()
    assert past.arrows["change"].keys() == live.arrows["change"].keys() != set()
    again = look_back(dashboard, 1)
    assert look_back(dashboard, 2).raw["scales"] == past.raw["scales"]
    assert again.arrows["gradient"]


@pytest.mark.parametrize(
    ("optimizer", "cause"),
    [
        ({"kind": "sgd", "lr": 10.0}, r"(the loss is (inf|nan)|made .* (nan|−?inf))"),
        ({"kind": "adam", "lr": 0.01, "eps": 0.0}, r"the update made hidden_.* nan"),
    ],
    ids=["overflow", "0/0"],
)
def test_a_diverged_run_says_where_by_its_record(
    server: Server,
    make_run: MakeRun,
    open_page: OpenPage,
    optimizer: dict[str, Any],
    cause: str,
) -> None:
    dead = {"activation": "relu", "seed": 3} if optimizer["kind"] == "adam" else {}
    run = make_run(optimizer=optimizer, pace=None, **dead)
    records = parts(server, run, 60)
    first = next(
        r["step"]
        for r in records[1:]
        if not all(np.isfinite(r[name]).all() for name in ("loss", "p", "grad"))
    )
    dashboard = open_page(server, run)
    notice = dashboard.page.locator("#notice")
    expect(notice).to_contain_text(f"came up in step {first}: ")
    expect(notice).to_contain_text(re.compile(cause))
    expect(notice).not_to_contain_text("too long")
    notice.get_by_role("button", name=f"Continue from step {first - 1}, try lr").click()
    dashboard.wait("(run) => livegrad.store.state.run?.parent?.run === run", run)
    child = dashboard.page.evaluate("() => livegrad.store.state.run")
    assert child["first_step"] == first - 1
    assert child["lr"] == pytest.approx(optimizer["lr"] / 10)
    dashboard.page.close()
    server.client.delete(f"/api/runs/{child['id']}")


def test_a_branch_that_has_not_trained_says_whose_update_is_shown(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    parent = make_run(pace=None, name="the parent")
    server.command(parent, "step", count=4)
    child = server.post(f"/runs/{parent}/branches", {"step": 4, "changes": {"optimizer": ADAM}})
    dashboard = open_page(server, child["id"])
    dashboard.wait("() => livegrad.store.state.moment?.step === 4 && framesDue === 0")
    sentence = dashboard.page.locator("#code .sentence")
    expect(sentence).to_contain_text("begins with the numbers of step 4 of “the parent”")
    expect(sentence).to_contain_text("the first update by Adam here is 5")
    expect(dashboard.page.locator("#code .listing .now")).to_have_count(0)
    dashboard.pin("output_linear.bias[0]")
    slots = dashboard.page.locator("#inspector .slots")
    expect(slots).to_contain_text("exp_avg none yet")
    expect(slots).to_contain_text("step none yet")
    expect(slots).not_to_contain_text(re.compile("nan", re.IGNORECASE))
    assert "no record of step 3" in dashboard.read().raw["legend"]
    server.command(child["id"], "step", count=1)
    dashboard.wait("() => livegrad.store.state.moment?.step === 5 && framesDue === 0")
    expect(sentence).to_contain_text("Adam moved every parameter against the running mean")
    dashboard.page.close()
    server.client.delete(f"/api/runs/{child['id']}")


def test_the_legend_and_the_sentence_say_what_grad_was_and_is(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run())
    never, again = ".grad is None: no backward() yet", ".grad is None again: zero_grad()"
    assert never in dashboard.stands_at(0).raw["legend"]
    for step, legend, words in ((0, never, "nothing to clear"), (1, again, "gradients are gone")):
        dashboard.page.click("#phase-once")
        screen = dashboard.stands_at(step, "zero_grad")
        assert legend in screen.raw["legend"]
        assert words in screen.raw["sentence"]
        assert screen.raw["phases"][2] == "loss", "the loss of this iteration is not computed yet"
        dashboard.page.click("#phase-once")
        assert legend in dashboard.stands_at(step, "forward").raw["legend"]
        dashboard.page.click("#step-once")
        stood = dashboard.stands_at(step + 1)
        assert stood.raw["phases"][2].startswith("loss ")
        title = dashboard.page.locator("#transport [data-phase=loss]").get_attribute("title")
        assert title
        assert f"before update {step + 1}" in title


def test_dead_units_are_not_said_to_have_moved(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run = make_run(activation="relu", pace=None, optimizer={"kind": "sgd", "lr": 5.0})
    (*_, before, now) = parts(server, run, 3)
    moved, still = (now["p"] != before["p"]).sum(), (now["grad"] == 0).sum()
    assert still > 0
    screen = open_page(server, run).stands_at(3)
    assert f"SGD moved {moved} of the 40 parameters" in screen.raw["sentence"]
    assert f"{still} of the 40 gradients are 0." in screen.raw["sentence"]


def test_no_activation_is_named_as_pytorch_names_it(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run(activation="none", dataset="line"))
    dashboard.stands_at(0)
    expect(dashboard.page.locator("#network .heading").nth(2)).to_have_text("Identity")
    expect(dashboard.page.locator("#bar .run-config")).to_contain_text("1–13–1 Identity")


def test_the_run_on_the_screen_is_deleted_without_an_error_and_the_newest_is_shown(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    other, run = make_run(name="stays"), make_run(name="goes", pace=None)
    server.command(run, "step", count=5)
    dashboard = open_page(server, run)
    page = dashboard.page
    dashboard.stands_at(5)
    page.evaluate("(id) => livegrad.store.dispatch({ type: 'overlay', id, isShown: true })", other)
    page.evaluate(
        """() => {
          window.bad = [];
          setInterval(() => document.querySelectorAll("[data-mood=bad]").forEach((one) =>
            window.bad.push(one.textContent)), 5);
        }"""
    )
    page.click("#open-runs")
    row = page.locator("dialog[open] .runs li", has=page.locator(f"#run-{run}"))
    row.get_by_role("button", name="Delete").click()
    row.get_by_role("button", name="Delete for good?").click()
    dashboard.wait("(id) => livegrad.store.state.run && livegrad.store.state.run.id !== id", run)
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.bad") == []
    assert page.evaluate("() => document.getElementById('toast').textContent") == ""
    expect(page.locator("#compare", has_text="Compare 1 ")).to_have_count(0)


def test_a_run_deleted_elsewhere_leaves_the_charts_with_the_list(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    run, other, third = make_run(pace=None), server.create(name="goes"), make_run(name="unstarted")
    server.command(run, "step", count=5)
    server.command(other, "step", count=3)
    dashboard = open_page(server, run)
    page = dashboard.page
    dashboard.stands_at(5)
    page.click("#open-runs")
    page.click(f"#tick-{other}")
    expect(page.locator("#compare")).to_have_text("Compare 2 runs")
    dashboard.wait("() => livegrad.store.state.overlays.length === 1")
    server.client.delete(f"/api/runs/{other}")
    expect(page.locator("#compare")).to_have_count(0)
    expect(page.locator("#loss")).not_to_contain_text("goes")
    page.click(f"#tick-{third}")
    page.click("#compare")
    compared = page.locator("dialog.comparing")
    expect(compared.locator(".overlays .entry").nth(1)).to_contain_text("unstarted –")
    expect(compared).not_to_contain_text("nan")
