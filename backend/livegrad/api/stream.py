"""The viewers' websocket /api/runs/{id}/stream: sends records, receives acknowledgements."""

import asyncio
import contextlib
import json
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from livegrad.api import limits
from livegrad.api.refusals import reason
from livegrad.api.tasks import first_of
from livegrad.errors import Forbidden, ProtocolError, UnknownThing
from livegrad.protocol import MAX_VIEWER_MESSAGE_BYTES
from livegrad.runs.feed import Feed
from livegrad.runs.hub import Hub

router = APIRouter()
BAD_MESSAGE, TOO_BIG, NOT_FOUND, TOO_MANY, GONE = 1008, 1009, 4404, 4429, 1001


class TooBig(ProtocolError):
    """A viewer's message is larger than any that it may send."""


@router.websocket("/api/runs/{run}/stream")
async def stream(socket: WebSocket, run: str, flow: str = "") -> None:
    """Stream a run: hello, its newest record, then every record that the viewer keeps up with."""
    hub: Hub = socket.app.state.hub
    await socket.accept()
    try:
        found = hub.listed(run)
        feed = found.join(acknowledges=flow == "ack")
    except (UnknownThing, Forbidden) as error:
        await _refuse_viewer(socket, error)
        return
    try:
        code, why = await _serve(socket, feed)
    finally:
        found.leave(feed)
    await _close(socket, code, why)


async def _refuse_viewer(socket: WebSocket, error: UnknownThing | Forbidden) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        await socket.send_json({"kind": "error", "title": "refused", "detail": str(error)})
    await _close(socket, NOT_FOUND if isinstance(error, UnknownThing) else TOO_MANY, str(error))


async def _serve(socket: WebSocket, feed: Feed) -> tuple[int, str]:
    # Runs until either direction ends; returns the close code and reason.
    try:
        await first_of(_send(socket, feed), _receive(socket, feed), _end(feed))
    except WebSocketDisconnect:
        return 0, ""
    except ProtocolError as error:
        return TOO_BIG if isinstance(error, TooBig) else BAD_MESSAGE, str(error)
    return GONE, "the run was deleted, or the server is stopping"


async def _close(socket: WebSocket, code: int, why: str) -> None:
    if code:
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            # A viewer that does not read cannot receive the reason.
            await asyncio.wait_for(socket.close(code, reason(why)), limits.CLOSE_SECS)


async def _end(feed: Feed) -> None:
    # A viewer that does not read blocks its sender, so the sender is not awaited when the feed
    # ends.
    await feed.end()
    await asyncio.sleep(limits.STOP_SECS)


async def _send(socket: WebSocket, feed: Feed) -> None:
    while (item := await feed.next()) is not None:
        key = "bytes" if isinstance(item, bytes) else "text"
        await socket.send({"type": "websocket.send", key: item})


async def _receive(socket: WebSocket, feed: Feed) -> None:
    while True:
        event = await socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1000))
        feed.acknowledge(_acknowledged(event))


def _acknowledged(event: Any) -> int:
    text = event.get("text")
    size = len(event["bytes"] if text is None else text.encode())
    if size > MAX_VIEWER_MESSAGE_BYTES:
        raise TooBig(f"expected at most {MAX_VIEWER_MESSAGE_BYTES} bytes, received {size}")
    if text is None:
        raise ProtocolError("expected text, received bytes")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"expected JSON, received {text!r:.60}") from error
    match message:
        case {"kind": "ack", "step": int(step)} if not isinstance(step, bool):
            return step
    raise ProtocolError(f'expected {{"kind": "ack", "step": k}}, received {text!r:.60}')
