"""How a browser shows the token: the one-time link, and the sign-in page."""

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from livegrad.api.problems import problem, responses
from livegrad.api.security import Doorkeeper, code_of

router = APIRouter()

# Not a redirect: after one, a browser that came from another site would not send a SameSite=Strict cookie.
_GO_ON = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>livegrad</title>'


class Token(BaseModel):
    """The token that the server was started with."""

    token: str = Field(max_length=1024)


@router.get("/enter", include_in_schema=False)
async def enter(request: Request) -> Response:
    """Take a one-time link, and give the session cookie for it."""
    doorkeeper: Doorkeeper = request.app.state.doorkeeper
    if not doorkeeper.redeem(code_of(request.scope)):
        return Response(status_code=303, headers={"Location": "/signin.html?used"})
    return HTMLResponse(_GO_ON, headers={"Set-Cookie": doorkeeper.cookie()})


@router.post(
    "/api/session",
    status_code=204,
    responses=responses(400, 413, 415, 422) | {401: {"description": "Not the token"}},
    tags=["server"],
)
async def session(request: Request, body: Annotated[Token, Body()]) -> Response:
    """Sign a browser in with the token."""
    doorkeeper: Doorkeeper = request.app.state.doorkeeper
    if not doorkeeper.is_token(body.token):
        return problem(401, "Not the token", "expected the token that the server was started with")
    return Response(status_code=204, headers={"Set-Cookie": doorkeeper.cookie()})
