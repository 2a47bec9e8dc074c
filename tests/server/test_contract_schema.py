"""/openapi.json against the real server.

What it says is so, and nothing that it can think of is a 5xx.

Covers api/schema.py, api/schemas.py and api/examples.py.
"""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from tests.running import Server, serving

# Left out, since the schema cannot say it: that nesterov needs momentum, that a batch is no larger
# than its data set, that a step or a parameter must be there.
UNSAYABLE = {"positive_data_acceptance"}
# Left out, since they need a history of calls, a second identity, or a limit of time.
ELSEWHERE = {"use_after_free", "ensure_resource_availability", "ignored_auth", "max_response_time"}
MANY = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
FEW = settings(MANY, max_examples=6)  # about a run that is not there


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: these tests make and delete what they like."""
    with serving(tmp_path_factory.mktemp("schema"), "--max-runs", "3") as running:
        for run in running.get("/runs"):
            running.wait(run["id"], "paused")
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture(scope="module")
def document(own: Server) -> Any:
    return own.client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def api(own: Server) -> Any:
    return schemathesis.openapi.from_url(f"{own.url}/openapi.json")


@pytest.fixture(scope="module")
def run(own: Server) -> str:
    """A run with a few steps and room for more."""
    made = own.create(max_steps=2000, pace=None)
    own.command(made, "step", count=20)
    return made


def clear(own: Server, kept: str) -> None:
    for made in own.get("/runs"):
        if made["id"] != kept:
            own.client.delete(f"/api/runs/{made['id']}")


def check(
    operation: Any,
    own: Server,
    kept: str,
    mode: GenerationMode,
    bounds: settings,
    *,
    within: bool = False,
) -> None:
    """Call `operation` many times; `within`: about the run `kept`, which is there."""
    left_out: list[Any] = [one for one in CHECKS.get_all() if one.__name__ in UNSAYABLE | ELSEWHERE]
    makes = operation.label in ("POST /api/runs", "POST /api/runs/{run}/branches")

    @bounds
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        if within:
            case.path_parameters["run"] = kept
        case.call_and_validate(excluded_checks=left_out)
        if makes:
            clear(own, kept)

    call()


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_call_answers_as_the_schema_says(
    api: Any, own: Server, run: str, mode: GenerationMode
) -> None:
    for found in api.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # nothing to get wrong: a path is any text
        is_about_run = "{run}" in operation.label
        check(operation, own, run, mode, FEW if is_about_run else MANY)
        if is_about_run and operation.method != "delete":
            check(operation, own, run, mode, MANY, within=True)


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_call_of_the_contract_is_there(document: Any) -> None:
    assert {label for label, _ in operations(document)} >= {
        "GET /api/health",
        "GET /api/datasets",
        "GET /api/loop",
        "GET /api/runs",
        "POST /api/runs",
        "GET /api/runs/{run}",
        "DELETE /api/runs/{run}",
        "POST /api/runs/{run}/commands",
        "GET /api/runs/{run}/data",
        "GET /api/runs/{run}/parameters",
        "GET /api/runs/{run}/parameters/{name}",
        "GET /api/runs/{run}/records",
        "GET /api/runs/{run}/series",
        "POST /api/session",
    }


def test_every_call_says_what_it_does_and_has_a_name_of_its_own(document: Any) -> None:
    named = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(named)) == len(named)
    for label, operation in operations(document):
        assert operation["description"].endswith("."), label
        assert operation["tags"], label


def test_every_parameter_and_body_has_an_example(document: Any) -> None:
    for label, operation in operations(document):
        for parameter in operation.get("parameters", []):
            said = parameter.get("examples") or parameter["schema"].get("examples")
            assert said, f"{label}: {parameter['name']}"
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content.get("examples"), label


def test_every_answer_in_json_has_an_example_that_fits_its_schema(document: Any) -> None:
    for label, operation in operations(document):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                if "json" in kind:
                    whole = {**content["schema"], "components": document["components"]}
                    error = next(iter(jsonschema_rs.iter_errors(whole, content["example"])), None)
                    assert error is None, f"{label} {status}: {error}"


def test_every_error_is_a_problem(document: Any) -> None:
    for label, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"], f"{label} {status}"
        assert {"401", "403", "421"} <= set(operation["responses"]), label


def test_everything_that_is_referred_to_is_there(document: Any) -> None:
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert referred == set(document["components"]["schemas"])


def test_both_websockets_are_described(document: Any) -> None:
    prose = document["info"]["description"]
    for word in (
        "/api/runs/{run}/stream",
        "/api/runs/{run}/trainer",
        "hello",
        "record_bytes",
        "ack",
        "4404",
        "4429",
    ):
        assert word in prose
