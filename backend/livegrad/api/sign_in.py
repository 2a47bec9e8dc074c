"""Routes by which a browser presents the token: the one-time link and the sign-in page."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from livegrad.api.auth import LINK_PATH, Authenticator
from livegrad.api.problems import problem, responses

router = APIRouter()

# Not a redirect: after one, a browser that came from another site would not send a SameSite=Strict
# cookie.
_CONTINUE_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>livegrad</title>
<link rel="icon" href="icon.svg"><meta http-equiv="refresh" content="0; url=./">"""


class Token(BaseModel):
    """The token with which the server was started."""

    token: str = Field(max_length=1024)


_EXAMPLES: dict[str, Any] = {"token": {"value": {"token": "the-text-after---token"}}}


@router.get(LINK_PATH, include_in_schema=False)
async def enter(request: Request) -> Response:
    """Accept a one-time link and set the session cookie."""
    authenticator: Authenticator = request.app.state.authenticator
    if not authenticator.has_token:
        return Response(status_code=303, headers={"Location": "./"})
    if not authenticator.redeem(request.scope):
        return Response(status_code=303, headers={"Location": "signin.html?used"})
    return HTMLResponse(_CONTINUE_PAGE, headers={"Set-Cookie": authenticator.cookie(request.scope)})


@router.post(
    "/api/session",
    status_code=204,
    responses=responses(400, 401, 413, 415, 422, 429),
    tags=["server"],
)
async def session(
    request: Request, body: Annotated[Token, Body(openapi_examples=_EXAMPLES)]
) -> Response:
    """Sign a browser in with the token."""
    authenticator: Authenticator = request.app.state.authenticator
    if not authenticator.is_token(body.token, request.scope):
        return problem(401, "Not the token", "expected the token that the server was started with")
    return Response(status_code=204, headers={"Set-Cookie": authenticator.cookie(request.scope)})
