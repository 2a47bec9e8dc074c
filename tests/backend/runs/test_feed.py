"""A viewer's mailbox.

Newest wins, what is left out is counted, memory is bounded, credit is kept.
"""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.protocol import PHASE, RECORDS, Frame, decode, encode
from livegrad.runs.feed import CREDIT, WAITING_BYTES, Feed

RECORD = 8  # bytes


def frame(first: int, count: int = 1, epoch: int = 1, record: int = RECORD) -> Frame:
    return Frame(RECORDS, count, first, epoch, 0, 0.0, bytes(count * record))


def offer(feed: Feed, one: Frame) -> None:
    feed.offer(one, encode(one))


def taken(feed: Feed) -> Any:
    """Return what `next` would give at once; None when it would wait."""
    return feed._take()


def read(item: Any) -> Frame:
    assert isinstance(item, bytes)
    return decode(item)


class Model:
    """What a viewer may say after any history.

    Everything was either shown, in order, or counted as skipped.
    """

    def __init__(self) -> None:
        self.offered = 0  # steps offered; the next one's number
        self.accounted = 0  # steps seen or told as skipped
        self.unacknowledged: list[int] = []

    def see(self, item: Any) -> None:
        found = read(item)
        assert found.first == self.accounted + found.skipped
        self.accounted = found.last + 1
        self.unacknowledged.append(found.last)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 300)),
        st.tuples(st.just("take"), st.just(0)),
        st.tuples(st.just("acknowledge"), st.integers(0, 3)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(
    actions=ACTIONS,
    acknowledges=st.booleans(),
    record=st.sampled_from([8, 4096, WAITING_BYTES + 4]),
)
def test_what_is_sent_and_what_is_skipped_are_everything_and_the_newest_always_arrives(
    actions: list[tuple[str, int]], acknowledges: bool, record: int
) -> None:
    feed, model = Feed(acknowledges), Model()
    for action, number in actions:
        if action == "offer":
            count = number if record == RECORD else 1
            offer(feed, frame(model.offered, count, record=record))
            model.offered += count
            assert feed._bytes <= max(WAITING_BYTES, count * record)
        elif action == "acknowledge" and model.unacknowledged:
            step = model.unacknowledged[min(number, len(model.unacknowledged) - 1)]
            model.unacknowledged = [last for last in model.unacknowledged if last > step]
            feed.acknowledge(step)
        elif action == "take" and (item := feed._take()) is not None:
            model.see(item)
            assert not acknowledges or len(model.unacknowledged) <= CREDIT
    while model.accounted < model.offered:
        feed.acknowledge(model.offered)
        model.see(feed._take())
    assert model.accounted == model.offered


def test_a_viewer_that_keeps_up_gets_the_very_bytes_that_were_committed() -> None:
    feed = Feed(acknowledges=False)
    for step in range(5):
        encoded = encode(frame(step))
        feed.offer(frame(step), encoded)
        assert feed._take() is encoded


def test_without_credit_nothing_but_texts_and_states_is_sent() -> None:
    feed = Feed(acknowledges=True)
    for step in range(CREDIT):
        offer(feed, frame(step))
        assert read(taken(feed)).last == step
    offer(feed, frame(CREDIT))
    assert taken(feed) is None
    feed.offer_state("paused")
    feed.offer_text("an error")
    assert [taken(feed), taken(feed), taken(feed)] == ["an error", "paused", None]
    feed.acknowledge(0)
    assert read(taken(feed)).last == CREDIT


def test_a_state_waits_for_the_records_before_it_and_only_the_newest_is_told() -> None:
    feed = Feed(acknowledges=False)
    offer(feed, frame(0))
    feed.offer_state("running")
    feed.offer_state("paused")
    assert read(taken(feed)).last == 0
    assert [taken(feed), taken(feed)] == ["paused", None]


def test_a_picture_comes_after_the_records_before_it_and_is_dropped_by_those_after_it() -> None:
    feed = Feed(acknowledges=False)
    picture = encode(Frame(PHASE, 1, 0, 1, 0, 0.0, bytes(RECORD)))
    offer(feed, frame(0))
    feed.offer_picture(picture)
    assert read(taken(feed)).kind == RECORDS
    assert taken(feed) is picture
    feed.offer_picture(picture)
    offer(feed, frame(1))
    assert read(taken(feed)).first == 1
    assert taken(feed) is None


def test_records_of_two_epochs_never_share_a_frame() -> None:
    feed = Feed(acknowledges=False)
    for one in (frame(0, epoch=1), frame(1, epoch=1), frame(2, epoch=2)):
        offer(feed, one)
    first, second = read(taken(feed)), read(taken(feed))
    assert (first.first, first.count, first.epoch) == (0, 2, 1)
    assert (second.first, second.count, second.epoch) == (2, 1, 2)


def test_a_closed_feed_ends_whoever_waits() -> None:
    async def wait_then_close() -> Any:
        feed = Feed(acknowledges=False)
        waiting = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        feed.close()
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(wait_then_close()) is None
