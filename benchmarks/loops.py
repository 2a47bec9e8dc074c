"""Measures the cost of recording every step: observed ÷ bare loop, beside other recorders.

Every repetition measures the bare loop and immediately afterwards the other one; a ratio is the
median over the repetitions.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.apart import apart
from benchmarks.sampling import Effort, Spent, median_ratio, percentile, spent
from benchmarks.table import Row
from livegrad.assignment import Assignment

SUBJECT = "loops"
REACH = 1.10
STEPS, PEER_STEPS = 3000, 200
REPETITIONS, PEER_REPETITIONS = 15, 5
OPTIMIZERS = ("sgd", "adam")
# (time of a step, time of the bare loop's step immediately before)
Pairs = list[tuple[Spent, Spent]]


def rows(effort: Effort) -> Iterator[Row]:
    """Measure the observed loop for both optimizers, then each installed peer."""
    from benchmarks.peers import PEERS

    for optimizer in OPTIMIZERS:
        yield from _livegrad_rows(optimizer, effort)
    for name, (module, _) in PEERS.items():
        yield _peer_row(name, module, effort)


def _livegrad_rows(optimizer: str, effort: Effort) -> Iterator[Row]:
    linked, observed = apart(_measure_livegrad, optimizer, effort.times(REPETITIONS))
    what = f"observed loop ÷ bare loop, {optimizer}"
    yield _row(what, linked, REACH)
    yield _row(f"{what}, without the link to the server", observed)


def _peer_row(name: str, module: str, effort: Effort) -> Row:
    from benchmarks.peers import is_installed

    what = f"{name} ÷ bare loop, sgd"
    if not is_installed(module):
        return Row(SUBJECT, what, None, "×", note=f"{module} is not installed (extra bench)")
    pairs = apart(_measure_peer, name, effort.times(PEER_REPETITIONS))
    return _row(what, pairs)


def _row(what: str, pairs: Pairs, reach: float | None = None) -> Row:
    clock = [(ours.clock, bare.clock) for ours, bare in pairs]
    processor = median_ratio([(ours.processor, bare.processor) for ours, bare in pairs])
    ratios = [ours / bare for ours, bare in clock]
    ours, bare = (median(seconds) * 1e6 for seconds in zip(*clock, strict=True))
    note = (
        f"{ours:,.0f} µs per step, bare {bare:,.0f} µs; half of all ratios within {_middle(ratios)}"
    )
    note += f"; in processor time {processor:.2f} ×"
    detail = {"processor": processor, "ratios": [round(ratio, 4) for ratio in ratios]}
    return Row(SUBJECT, what, median_ratio(clock), "×", reach, note=note, detail=detail)


def _middle(ratios: list[float]) -> str:
    return f"{percentile(ratios, 25):.2f} and {percentile(ratios, 75):.2f}"


# -- each in a separate process


def _measure_livegrad(optimizer: str, repetitions: int) -> tuple[Pairs, Pairs]:
    from benchmarks.own_trainers import own_trainers

    with tempfile.TemporaryDirectory() as folder, own_trainers(Path(folder)) as asker:

        def linked() -> Spent:
            assignment = asker.assignment(optimizer, STEPS)
            threading.Thread(target=asker.play, args=(assignment,)).start()
            return _linked(assignment)

        both = [
            (_paired(linked, optimizer), _paired(lambda: _observed(optimizer), optimizer))
            for _ in range(repetitions)
        ]
    return [pair for pair, _ in both], [pair for _, pair in both]


def _paired(contender: Callable[[], Spent], optimizer: str) -> tuple[Spent, Spent]:
    from benchmarks.bare import Loop

    bare = Loop(optimizer).run(STEPS)
    return contender().each(STEPS), bare.each(STEPS)


def _observed(optimizer: str) -> Spent:
    from benchmarks.bare import Loop
    from livegrad.training import optimizers
    from livegrad.training.observer import RING_ROWS, Observer

    def empty_ring(phase: str) -> None:
        if len(observer.ring) == RING_ROWS // 4:
            observer.ring.take()

    loop = Loop(optimizer)
    slots = optimizers.slots(loop.config)
    observer = Observer(loop.model, loop.optimizer, loop.loss_fn, slots, empty_ring)
    observer.attach()
    observer.write_initial()
    loop.loss_fn = observer.loss_fn
    return loop.run(STEPS)


def _linked(assignment: Assignment) -> Spent:
    from livegrad.training.process import Trainer

    class Timed(Trainer):
        def _train(self) -> None:
            self.spent = spent(super()._train)

    trainer = Timed(assignment)
    trainer.run()
    return trainer.spent


def _measure_peer(name: str, repetitions: int) -> Pairs:
    from benchmarks.bare import Loop
    from benchmarks.peers import PEERS, be_quiet

    pairs: Pairs = []
    with tempfile.TemporaryDirectory() as folder:
        be_quiet(Path(folder))
        for number in range(repetitions):
            bare = Loop("sgd").run(STEPS).each(STEPS)
            loop = Loop("sgd")
            with PEERS[name][1](loop, Path(folder) / str(number)):
                pairs.append((loop.run(PEER_STEPS).each(PEER_STEPS), bare))
    return pairs
