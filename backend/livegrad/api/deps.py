"""What every route is given: the hub, and a run by its id."""

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from livegrad.hub import Hub
from livegrad.meeting import Meeting


def _hub(connection: HTTPConnection) -> Hub:
    hub: Hub = connection.app.state.hub
    return hub


HubHere = Annotated[Hub, Depends(_hub)]
RunId = Annotated[str, Path(description="A run's id.", examples=["3f2a9c1e"])]


def _meeting(run: RunId, hub: HubHere) -> Meeting:
    return hub.meeting(run)


MeetingHere = Annotated[Meeting, Depends(_meeting)]
