"""Turns errors into RFC 9457 problem details. The only module that maps errors to HTTP statuses."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from livegrad.api.refusals import Refusal
from livegrad.errors import (
    BadValue,
    Forbidden,
    LivegradError,
    LogError,
    NotInstalled,
    ThinnedOut,
    TrainerError,
    UnknownThing,
)

STATUSES: dict[type[LivegradError], tuple[int, str]] = {
    UnknownThing: (404, "Not found"),
    Forbidden: (409, "Not possible now"),
    ThinnedOut: (410, "Thinned out"),
    BadValue: (422, "Not a valid value"),
    NotInstalled: (501, "Not installed"),
    TrainerError: (503, "The trainer did not answer"),
    LogError: (507, "The run log cannot be read or written"),
}
MAX_ERRORS = 20  # in one answer
MAX_TEXT = 100  # characters of the received value


class Problem(BaseModel):
    """RFC 9457 problem details: what was expected, and what was received."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = Field(
        None, description="For 422: one entry per invalid field, with its place."
    )
    nearest: list[int] | None = Field(
        None, description="For 410: the kept steps beside the requested one."
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors that a route may answer with."""
    names = {
        400: "Not JSON",
        401: "Not the token",
        404: "No such run, parameter, step or series",
        409: "Not possible in the run's present state, or a limit is reached",
        410: "The step was thinned out; nearest lists the kept steps beside it",
        413: "Body too large",
        415: "The body is not application/json",
        422: "An invalid value",
        429: "Too many wrong tokens from this address",
        501: "An optional part is not installed",
        503: "The trainer ended or did not answer, or too many exports run at once: see "
        "Retry-After",
        507: "The run log cannot be read or written at the moment; detail says what to do",
    }
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        s: {"description": names[s], "content": {"application/problem+json": schema}}
        for s in statuses
    }


def problem(
    status: int,
    title: str,
    detail: str,
    errors: list[dict[str, Any]] | None = None,
    nearest: list[int] | None = None,
) -> JSONResponse:
    """Return the answer that says what was expected and what was received."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    if nearest is not None:
        body["nearest"] = nearest
    return JSONResponse(body, status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of livegrad and of the framework as a problem."""

    async def own(request: Request, error: Exception) -> JSONResponse:
        status, title = next(answer for kind, answer in STATUSES.items() if isinstance(error, kind))
        nearest = error.nearest if isinstance(error, ThinnedOut) else None
        return problem(status, title, str(error), nearest=nearest)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [_in_words(item) for item in error.errors()[:MAX_ERRORS]]
        detail = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in errors)
        return problem(422, "Not a valid value", detail, errors)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        title, asked = error.detail, f"{request.method} {request.url.path!r:.200}"
        detail = f"{asked}: {title}"
        if error.status_code == 404:
            detail = f"{asked}: there is nothing here; /docs lists every call"
        if error.status_code == 405:
            detail = (
                f"expected {(error.headers or {}).get('Allow', 'another method')}, received {asked}"
            )
        answer = problem(error.status_code, title, detail)
        answer.headers.update(error.headers or {})
        return answer

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refusal)
        answer = problem(error.status, error.title, error.detail)
        answer.headers.update(error.headers)
        return answer

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return problem(
            500, "livegrad failed", "this is a bug in livegrad; the server's stderr says more"
        )

    for kind in STATUSES:
        app.add_exception_handler(kind, own)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(Exception, unforeseen)


def _in_words(item: Any) -> dict[str, Any]:
    place = [_shortened(part) for part in item["loc"] if part not in ("body", "query", "path")]
    shown = _shortened(repr(item.get("input")))
    message = item["msg"].removeprefix("Value error, ")
    return {
        "loc": place,
        "msg": f"{message} (received {shown})",
        "expected": message,
        "received": shown,
    }


def _shortened(text: Any) -> Any:
    return text[: MAX_TEXT - 3] + "..." if isinstance(text, str) and len(text) > MAX_TEXT else text
