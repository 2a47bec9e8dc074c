"""Errors as problem details, through a real application.

Each class its status, and words that stay short.
"""

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from livegrad import errors
from livegrad.api.problems import MAX_ERRORS, MAX_TEXT, STATUSES, Problem, install, responses
from livegrad.api.refusals import Refusal
from livegrad.errors import LivegradError, RequestError, ThinnedOut


class Body(BaseModel):
    count: int
    more: list[int] = []


def application(error: Exception | None = None) -> FastAPI:
    app = FastAPI()
    install(app)

    @app.get("/")
    async def fail() -> None:
        assert error is not None
        raise error

    @app.post("/")
    async def take(body: Body) -> None:
        """Take a body."""

    return app


async def ask(
    app: FastAPI, method: str = "GET", path: str = "/", body: object = None
) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, json=body)


def problem(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate(answer.json())
    assert found.status == answer.status_code
    return found


def kinds_below(kind: type[LivegradError]) -> list[type[LivegradError]]:
    return [kind, *(below for each in kind.__subclasses__() for below in kinds_below(each))]


@pytest.mark.parametrize("kind", [k for k in kinds_below(RequestError) if k is not RequestError])
async def test_every_error_of_a_request_has_a_status_of_4xx(kind: type[LivegradError]) -> None:
    error = ThinnedOut(5, [4, 8]) if kind is ThinnedOut else kind("in words")
    found = problem(await ask(application(error)))
    assert 400 <= found.status < 500
    assert found.detail == str(error)
    assert found.nearest == ([4, 8] if kind is ThinnedOut else None)


@pytest.mark.parametrize(
    ("name", "status"),
    [("TrainerError", 503), ("NotStarted", 503), ("LogError", 507), ("RunDamaged", 507),
     ("NotInstalled", 501)],
)  # fmt: skip
async def test_an_error_of_the_server_has_the_status_of_its_nearest_kind(
    name: str, status: int
) -> None:
    found = problem(await ask(application(getattr(errors, name)("in words"))))
    assert (found.status, found.detail) == (status, "in words")
    assert status in {known for known, _ in STATUSES.values()}


async def test_a_bug_is_told_as_one_without_its_own_words() -> None:
    found = problem(await ask(application(ZeroDivisionError("a secret of the server"))))
    assert (found.status, found.title) == (500, "livegrad failed")
    assert "secret" not in found.detail


async def test_a_refusal_keeps_its_headers() -> None:
    answer = await ask(application(Refusal(429, "Too many", "later", {"retry-after": "7"})))
    assert problem(answer).title == "Too many"
    assert answer.headers["retry-after"] == "7"


async def test_a_path_or_method_that_is_not_there_says_what_there_is() -> None:
    app = application()
    assert "/docs lists every call" in problem(await ask(app, "GET", "/nope")).detail
    found = problem(await ask(app, "PUT"))
    assert found.status == 405
    assert found.detail.startswith("expected GET")


async def test_each_value_that_is_none_is_named_with_what_was_received() -> None:
    found = problem(await ask(application(), "POST", "/", {"count": "many"}))
    assert found.status == 422
    [error] = found.errors or []
    assert (error["loc"], error["received"]) == (["count"], "'many'")
    assert "(received 'many')" in found.detail


async def test_an_answer_stays_short_whatever_was_sent() -> None:
    body = {"count": "x" * 100_000, "more": ["y"] * 1000}
    found = problem(await ask(application(), "POST", "/", body))
    assert len(found.errors or []) == MAX_ERRORS
    assert all(len(error["received"]) <= MAX_TEXT for error in found.errors or [])


def test_the_schema_of_a_route_refers_to_the_problem() -> None:
    [(status, described)] = responses(404).items()
    assert status == 404
    assert list(described["content"]) == ["application/problem+json"]
