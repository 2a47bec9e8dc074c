"""The viewers' websocket: /api/runs/{id}/stream. Pictures out, acknowledgements in."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from livegrad.errors import Forbidden, ProtocolError, UnknownThing
from livegrad.feed import Feed
from livegrad.hub import Hub
from livegrad.protocol import MAX_VIEWER_MESSAGE_BYTES

router = APIRouter()
BAD_MESSAGE, TOO_BIG, NOT_FOUND, TOO_MANY, GONE = 1008, 1009, 4404, 4429, 1001


@router.websocket("/api/runs/{run}/stream")
async def stream(socket: WebSocket, run: str, flow: str = "") -> None:
    """Stream a run: hello, its newest record, then every record that the viewer keeps up with."""
    hub: Hub = socket.app.state.hub
    await socket.accept()
    try:
        meeting = hub.meeting(run)
        feed = meeting.join(acknowledges=flow == "ack")
    except (UnknownThing, Forbidden) as error:
        await socket.send_json({"kind": "error", "title": "refused", "detail": str(error)})
        await socket.close(NOT_FOUND if isinstance(error, UnknownThing) else TOO_MANY, str(error)[:120])
        return
    try:
        await _serve(socket, feed)
    finally:
        meeting.leave(feed)


async def _serve(socket: WebSocket, feed: Feed) -> None:
    sending = asyncio.create_task(_send(socket, feed))
    receiving = asyncio.create_task(_receive(socket, feed))
    done, _ = await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (sending, receiving):
        task.cancel()
    results = await asyncio.gather(sending, receiving, return_exceptions=True)
    for result in results:
        if isinstance(result, ProtocolError):
            too_big = "bytes" in str(result)
            await socket.close(TOO_BIG if too_big else BAD_MESSAGE, str(result)[:120])
            return
    if sending in done and not isinstance(results[0], BaseException):
        await socket.close(GONE, "the run was deleted, or the server stops")


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
    data = event.get("text") if event.get("text") is not None else event.get("bytes")
    if len(data) > MAX_VIEWER_MESSAGE_BYTES:
        raise ProtocolError(f"expected at most {MAX_VIEWER_MESSAGE_BYTES} bytes, received {len(data)}")
    try:
        message = json.loads(data)
    except ValueError as error:
        raise ProtocolError("expected JSON") from error
    match message:
        case {"kind": "ack", "step": int(step)} if not isinstance(step, bool):
            return step
    raise ProtocolError('expected {"kind": "ack", "step": k}')
