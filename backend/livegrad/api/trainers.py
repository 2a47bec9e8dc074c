"""The trainers' websocket /api/runs/{id}/trainer: receives records and answers, sends commands."""

import contextlib
import logging

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from livegrad.api.refusals import Refusal, reason
from livegrad.api.tasks import first_of
from livegrad.errors import ProtocolError, StaleEpoch, UnknownThing
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun
from livegrad.runs.trainer_session import TrainerSession

router = APIRouter()
BAD_MESSAGE, REPLACED = 1008, 4409
_log = logging.getLogger("livegrad.trainers")


@router.websocket("/api/runs/{run}/trainer")
async def trainer(socket: WebSocket, run: str) -> None:
    """Accept a run's trainer. Only the secret of this start of the run is accepted."""
    hub: Hub = socket.app.state.hub
    try:
        found = hub.run(run)
        hub.supervisor.admit(found, _secret(socket))
    except (UnknownThing, StaleEpoch) as error:
        await _refuse(socket, error)
        return
    await socket.accept()
    try:
        await _accept_trainer(socket, hub, found)
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
    status, title = (
        (404, "Not found") if isinstance(error, UnknownThing) else (403, "Not its trainer")
    )
    await Refusal(status, title, str(error)).answer(socket.scope, socket.receive, socket.send)


async def _accept_trainer(socket: WebSocket, hub: Hub, run: LiveRun) -> None:
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        return
    session = await hub.supervisor.greet(run, event.get("text") or "")
    try:
        await _serve(socket, hub, run, session)
    except ProtocolError as error:
        hub.supervisor.broke(run, session, error)
        raise
    finally:
        hub.supervisor.part(run, session)
    raise StaleEpoch(session.reason or f"run {run.id} no longer needs this trainer")


async def _serve(socket: WebSocket, hub: Hub, run: LiveRun, session: TrainerSession) -> None:
    # Runs until either direction ends.
    await first_of(_send(socket, session), _receive(socket, hub, run, session))


async def _send(socket: WebSocket, session: TrainerSession) -> None:
    while (message := await session.next()) is not None:
        await socket.send_text(message)


async def _receive(socket: WebSocket, hub: Hub, run: LiveRun, session: TrainerSession) -> None:
    while True:
        await session.has_room.wait()
        event = await socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1000))
        text: str | None = event.get("text")
        hub.supervisor.ingest.receive(run, session, event["bytes"] if text is None else text)


async def _close(socket: WebSocket, code: int, why: str) -> None:
    if socket.application_state is not WebSocketState.DISCONNECTED:
        with contextlib.suppress(WebSocketDisconnect):
            await socket.close(code, reason(why))
