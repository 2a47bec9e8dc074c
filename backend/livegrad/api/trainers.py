"""The trainers' websocket: /api/runs/{id}/trainer. Records and answers in, commands out."""

import asyncio
import json
import logging

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from livegrad.errors import ProtocolError, StaleEpoch, UnknownThing
from livegrad.hub import Hub
from livegrad.meeting import Meeting
from livegrad.port import Port

router = APIRouter()
NOT_FOUND, BAD_MESSAGE, REPLACED = 4404, 1008, 4409
_log = logging.getLogger("livegrad.trainers")


@router.websocket("/api/runs/{run}/trainer")
async def trainer(socket: WebSocket, run: str) -> None:
    """Take a run's trainer in. Only the run's own secret opens this door."""
    hub: Hub = socket.app.state.hub
    scheme, _, secret = socket.headers.get("authorization", "").partition(" ")
    await socket.accept()
    port: Port | None = None
    meeting: Meeting | None = None
    try:
        meeting = hub.meeting(run)
        hub.trainers.admit(meeting, secret if scheme.lower() == "bearer" else "")
        hello = json.loads(await socket.receive_text())
        if not isinstance(hello, dict):
            raise ProtocolError(f"expected a hello object, received {hello!r:.100}")
        port = await hub.trainers.greet(meeting, hello)
        await _serve(socket, hub, meeting, port)
    except WebSocketDisconnect:
        pass
    except (UnknownThing, StaleEpoch) as error:
        await _close(socket, NOT_FOUND if isinstance(error, UnknownThing) else REPLACED, str(error))
    except (ProtocolError, ValueError, KeyError) as error:
        _log.warning("run %s: its trainer broke the protocol: %s", run, error)
        await _close(socket, BAD_MESSAGE, str(error))
    finally:
        if meeting is not None and port is not None:
            hub.trainers.part(meeting, port)


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


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is not WebSocketState.DISCONNECTED:
        await socket.close(code, reason.encode()[:120].decode(errors="ignore"))
