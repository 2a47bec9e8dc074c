"""The dependencies of routes: the hub, a run by its id, the board of exports, the threads."""

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from livegrad.api.long_responses import Threads
from livegrad.export.progress import Board
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun


def _hub(connection: HTTPConnection) -> Hub:
    hub: Hub = connection.app.state.hub
    return hub


HubHere = Annotated[Hub, Depends(_hub)]
RunId = Annotated[str, Path(description="A run's id.", examples=["3f2a9c1e"])]


def _run(run: RunId, hub: HubHere) -> LiveRun:
    return hub.run(run)


def _listed(run: RunId, hub: HubHere) -> LiveRun:
    return hub.listed(run)


RunHere = Annotated[LiveRun, Depends(_run)]
ListedRunHere = Annotated[LiveRun, Depends(_listed)]  # also a run that cannot be read


def _board(connection: HTTPConnection) -> Board:
    board: Board = connection.app.state.board
    return board


BoardHere = Annotated[Board, Depends(_board)]


def _threads(connection: HTTPConnection) -> Threads:
    threads: Threads = connection.app.state.threads
    return threads


ThreadsHere = Annotated[Threads, Depends(_threads)]
