"""The text messages of a viewer's stream: what the server sends, and what it accepts.

Knows nothing about JavaScript: it writes `messages.json`, which `tests/frontend/messages.test.js`
reads. Run it as a program to write the file anew; as a test it holds the file to the server's code.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from livegrad import protocol
from livegrad.api.stream import _acknowledged
from livegrad.config import RunConfig
from livegrad.errors import ProtocolError
from livegrad.lifecycle.states import State
from livegrad.protocol import Column, Frame
from livegrad.runs.feed import Feed
from livegrad.runs.run import LiveRun
from livegrad.runs.trainer_messages import Status
from livegrad.store.entry import Entry
from tests.contract.test_frames import columns, frames

CONTRACT = Path(__file__).with_name("messages.json")
CREATED_AT = 1_700_000_000.0
STATUS = {
    "kind": "state",
    "state": "paused",
    "phase": "backward",
    "step": 1,
    "loss": "inf",
    "validation_loss": 2.5,
    "lr": 0.1,
    "pace": 60.0,
    "goal": None,
    "grad_states": ["fresh", "fresh", "stale", "none"],
}


def run(state: State, learnt: tuple[Column, ...], newest: Frame | None) -> LiveRun:
    """A run as the server has it in hand, in a state, with the columns that its trainer told."""
    config = RunConfig(name="a run").model_dump(mode="json")
    last = -1 if newest is None else newest.last
    entry = Entry(
        "r-1", "a run", config, CREATED_AT, state, None, 1, "", 0.1, 60.0, learnt, {}, last
    )
    return LiveRun(entry, newest)


def texts_of(feed: Feed) -> list[str]:
    """Return the text messages that wait for a viewer."""

    async def read() -> list[str]:
        found: list[str] = []
        while True:
            try:
                item = await asyncio.wait_for(feed.next(), 0.05)
            except TimeoutError:
                return found
            if isinstance(item, str):
                found.append(item)

    return asyncio.run(read())


def sent() -> list[dict[str, Any]]:
    """One example of each message that the server sends to viewers, by what is special about it."""
    starting = run(State.STARTING, (), None)
    newest, _ = frames()[0]
    paused = run(State.PAUSED, columns(), newest)
    paused.note_status(Status.model_validate(STATUS))
    feed = paused.join(acknowledges=False)
    paused.tell_state()
    paused.tell_error("restarted", "its trainer was killed by signal 9 (SIGKILL)")
    hello, error, state = texts_of(feed)
    return [
        {"what": "hello, while the trainer starts", "message": json.loads(starting.hello())},
        {"what": "hello, with columns", "message": json.loads(hello)},
        {"what": "state, inside an iteration", "message": json.loads(state)},
        {"what": "error", "message": json.loads(error)},
    ]


VIEWER_MESSAGES: list[Any] = [
    {"kind": "ack", "step": 0},
    {"kind": "ack", "step": 2**53 - 1},
    {"kind": "ack", "step": 3, "more": "is left alone"},
    {"kind": "ack"},
    {"kind": "ack", "step": "3"},
    {"kind": "ack", "step": True},
    {"kind": "ack", "step": 1.5},
    {"kind": "play"},
    [],
    None,
]


def is_accepted(message: Any) -> bool:
    """Say whether the server takes this message from a viewer."""
    try:
        _acknowledged({"text": json.dumps(message)})
    except ProtocolError:
        return False
    return True


def contract() -> dict[str, Any]:
    """Everything that the page's parser must understand, and what the page may send."""
    return {
        "server": sent(),
        "viewer": [
            {"message": message, "is_accepted": is_accepted(message)} for message in VIEWER_MESSAGES
        ],
    }


def written() -> str:
    """The file's text."""
    return json.dumps(contract(), indent=1, allow_nan=False) + "\n"


def test_each_kind_of_message_has_an_example() -> None:
    kinds = [example["message"]["kind"] for example in sent()]
    assert kinds == ["hello", "hello", "state", "error"]
    empty, full = (example["message"] for example in sent()[:2])
    assert (empty["columns"], empty["record_bytes"]) == ([], 0)
    assert full["record_bytes"] == protocol.record_bytes(columns())
    assert full["version"] == protocol.VERSION


def test_only_acknowledgements_are_accepted_from_viewers() -> None:
    assert [is_accepted(message) for message in VIEWER_MESSAGES] == [True] * 3 + [False] * 7


def test_the_messages_that_the_page_is_tested_with_are_the_servers() -> None:
    assert CONTRACT.read_text(encoding="utf-8") == written()


if __name__ == "__main__":
    CONTRACT.write_text(written(), encoding="utf-8")
