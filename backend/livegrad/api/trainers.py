"""The trainers' websocket: /api/runs/{id}/trainer. Records and answers in, commands out."""

import asyncio
import contextlib
import json
import logging

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from livegrad.api.refusals import Refusal, reason
from livegrad.errors import ProtocolError, StaleEpoch, UnknownThing
from livegrad.runs.hub import Hub
from livegrad.runs.run import Meeting
from livegrad.runs.trainer_messages import message
from livegrad.runs.trainer_session import Port

router = APIRouter()
BAD_MESSAGE, REPLACED = 1008, 4409
_log = logging.getLogger("livegrad.trainers")


@router.websocket("/api/runs/{run}/trainer")
async def trainer(socket: WebSocket, run: str) -> None:
    """Take a run's trainer in. Only the run's own secret opens this door."""
    hub: Hub = socket.app.state.hub
    try:
        meeting = hub.meeting(run)
        hub.trainers.admit(meeting, _secret(socket))
    except (UnknownThing, StaleEpoch) as error:
        await _refuse(socket, error)
        return
    await socket.accept()
    try:
        await _take_in(socket, hub, meeting)
    except WebSocketDisconnect:
        pass
    except StaleEpoch as error:
        await _close(socket, REPLACED, str(error))
    except ProtocolError as error:
        _log.warning("run %s: its trainer broke the protocol: %s", run, error)
        await _close(socket, BAD_MESSAGE, str(error))


def _secret(socket: WebSocket) -> str:
    scheme, _, secret = socket.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


async def _refuse(socket: WebSocket, error: UnknownThing | StaleEpoch) -> None:
    status, title = (404, "Not found") if isinstance(error, UnknownThing) else (403, "Not its trainer")
    await Refusal(status, title, str(error)).answer(socket.scope, socket.receive, socket.send)


async def _take_in(socket: WebSocket, hub: Hub, meeting: Meeting) -> None:
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        return
    port = await hub.trainers.greet(meeting, message(event.get("text") or ""))
    try:
        await _serve(socket, hub, meeting, port)
    finally:
        hub.trainers.part(meeting, port)
    raise StaleEpoch(f"run {meeting.id} has done with this trainer")


async def _serve(socket: WebSocket, hub: Hub, meeting: Meeting, port: Port) -> None:
    sending = asyncio.create_task(_send(socket, port))
    receiving = asyncio.create_task(_receive(socket, hub, meeting, port))
    done, _ = await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (sending, receiving):
        task.cancel()
    await asyncio.gather(sending, receiving, return_exceptions=True)
    for task in done:
        task.result()


async def _send(socket: WebSocket, port: Port) -> None:
    while (message := await port.next()) is not None:
        await socket.send_text(json.dumps(message))


async def _receive(socket: WebSocket, hub: Hub, meeting: Meeting, port: Port) -> None:
    while True:
        await meeting.room.wait()
        event = await socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1000))
        text: str | None = event.get("text")
        hub.receive(meeting, port, event["bytes"] if text is None else text)


async def _close(socket: WebSocket, code: int, why: str) -> None:
    if socket.application_state is not WebSocketState.DISCONNECTED:
        with contextlib.suppress(WebSocketDisconnect):
            await socket.close(code, reason(why))
