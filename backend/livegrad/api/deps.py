"""What every route is given: the hub, a run by its id, and the board that tells how far long answers are."""

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from livegrad.export.progress import Board
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun


def _hub(connection: HTTPConnection) -> Hub:
    hub: Hub = connection.app.state.hub
    return hub


HubHere = Annotated[Hub, Depends(_hub)]
RunId = Annotated[str, Path(description="A run's id.", examples=["3f2a9c1e"])]


def _meeting(run: RunId, hub: HubHere) -> LiveRun:
    return hub.run(run)


MeetingHere = Annotated[LiveRun, Depends(_meeting)]


def _board(connection: HTTPConnection) -> Board:
    board: Board = connection.app.state.board
    return board


BoardHere = Annotated[Board, Depends(_board)]
