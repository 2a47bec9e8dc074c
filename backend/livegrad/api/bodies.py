"""Reads request bodies once, before any route: small JSON in UTF-8.

Knows nothing of their meaning.
"""

import json
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from livegrad.api import limits
from livegrad.api.refusals import Refusal

BODILESS = ("GET", "HEAD")  # a body of these methods is not read


async def read(scope: Scope, receive: Receive) -> bytes:
    """Return the request's body.

    Raises Refusal when it is not JSON, is too large, or does not end in time.
    """
    if scope["method"] in BODILESS:
        return b""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length[:20]) > limits.BODY_BYTES:
        raise _too_large(length[:20])
    body = await _whole(receive)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise Refusal(
            415, "JSON only", f"expected Content-Type application/json, received {kind!r:.100}"
        )
    if body:
        check(body)
    return body


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(
                400, "Body cut short", f"the connection ended after {len(body)} bytes of the body"
            )
        body += message.get("body", b"")
        if len(body) > limits.BODY_BYTES:
            raise _too_large("more")
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(received: str) -> Refusal:
    return Refusal(
        413, "Body too large", f"expected at most {limits.BODY_BYTES} bytes, received {received}"
    )


def check(body: bytes) -> None:
    """Refuse JSON that other readers may read differently.

    Refused are texts that are not UTF-8, NaN, repeated keys, and half of a surrogate pair.
    """
    try:
        plain = json.loads(
            body.decode(), parse_constant=_no_constant, object_pairs_hook=_unique_keys
        )
        _check_depth(plain)
        json.dumps(plain, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise _not_json(f"byte {error.start} is not UTF-8") from error
    except UnicodeEncodeError as error:
        raise _not_json("a text holds half of a surrogate pair") from error
    except RecursionError as error:
        raise _not_json(f"more than {limits.BODY_DEPTH} brackets within brackets") from error
    except ValueError as error:
        raise _not_json(str(error)[:200]) from error


def _not_json(what: str) -> Refusal:
    return Refusal(
        400, "Not JSON", f"expected one JSON value in UTF-8, received something else: {what}"
    )


def _check_depth(plain: Any) -> None:
    level, depth = [plain], 0
    while level := [part for whole in level for part in _parts(whole)]:
        depth += 1
        if depth > limits.BODY_DEPTH:
            raise ValueError(f"more than {limits.BODY_DEPTH} brackets within brackets")


def _parts(whole: Any) -> Iterable[Any]:
    if isinstance(whole, dict):
        return whole.values()
    return whole if isinstance(whole, list) else ()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in pairs:
        if key in plain:
            raise ValueError(f"the key {key!r:.50} appears twice")
        plain[key] = value
    return plain


def again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first returns `body`, and then what follows it."""
    is_told = False

    async def receiving() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
