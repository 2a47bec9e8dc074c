"""A request turned away as it has to be: by problem details. Knows nothing of why."""

from typing import Any

from tests.running import Server
from tests.server import raw


def own(server: Server) -> str:
    return f"Host: 127.0.0.1:{server.port}"


def assert_problem(answer: raw.Answer, status: int) -> Any:
    assert answer.status == status, answer
    problem = answer.problem
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem
