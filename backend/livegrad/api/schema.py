"""Completes /openapi.json: the guard's answers, examples, the websockets."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from livegrad import __version__
from livegrad.api.examples import ANSWERS, PROBLEMS
from livegrad.api.problems import Problem

DESCRIPTION = """
Watch a real PyTorch training loop from the inside, live.

**Access.** `Host` must be this server's own name and port, and `Origin`, if present, its own page.
A server that was started with a token requires it: `Authorization: Bearer TOKEN`, or the session
cookie set by the one-time link or by `POST /api/session`.

**Errors** are RFC 9457 problem details, `application/problem+json`. They name what was expected and
what was received. Bodies are JSON in UTF-8, at most 64 KiB.

**Websocket `/api/runs/{run}/stream`**, for viewers. Text messages are events: first `{"kind":
"hello", "version": 1, "run": Run, "columns": [{"role", "name", "shape", "offset"}, …],
"record_bytes": n, "dtype": "float32"}` (repeated once a trainer that was still starting has sent
its columns), then `{"kind": "state", …Run}` whenever state or phase changes, and `{"kind": "error",
"title", "detail"}`. Binary messages are frames: a header of 32 bytes, little-endian (u16 magic
0x474C, u8 version, u8 kind: 1 records, 2 picture of a half-done iteration; u32 count, u64 first
step, u32 epoch, u32 skipped steps, f64 unix time), then `count` records of `record_bytes` bytes.
With `?flow=ack` the server keeps at most 2 frames unacknowledged; the viewer answers `{"kind":
"ack", "step": k}`, its only message, at most 4 KiB. Close codes: 4404 no such run, 4429 100 viewers
already, 1008 or 1009 any other message, 1001 the run was deleted or the server is stopping. Without
the token: 401 before the upgrade.

**Websocket `/api/runs/{run}/trainer`**, for the run's own trainer. It requires `Authorization:
Bearer SECRET`, the secret made for that trainer; all others are answered 403 before the upgrade.
The trainer sends records and answers; the server sends commands and acknowledgements. Close code
4409 tells a trainer that it was replaced.

The wire format in full is in docs/protocol.md.
"""
_GUARD = {
    "401": "The server requires its token",
    "403": "The Origin is not the page's own",
    "421": "The Host is not one of the server's names",
    "429": "Too many wrong tokens from this address",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the complete OpenAPI document."""
    document = get_openapi(
        title="livegrad", version=__version__, description=DESCRIPTION, routes=app.routes
    )
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["schemas"]["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"token": []}]
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    _drop_framework_errors(answers)
    for status, description in _GUARD.items():
        answers.setdefault(status, {"description": description, "content": _problem()})
    for status, answer in answers.items():
        for kind, content in answer.get("content", {}).items():
            if kind == "application/problem+json":
                content["example"] = PROBLEMS[status]
            elif kind == "application/json":
                content["example"] = ANSWERS[operation["operationId"]]
    operation["responses"] = dict(sorted(answers.items()))


def _drop_framework_errors(answers: dict[str, Any]) -> None:
    # FastAPI adds its own form of 422 to every route that has a parameter, even if any text is a
    # valid value.
    if "application/json" in answers.get("422", {}).get("content", {}):
        del answers["422"]


def _problem() -> dict[str, Any]:
    return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
