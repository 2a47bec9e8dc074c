"""What can be known of docker/ where no engine runs.

What goes in, who runs it, and that its own commands work.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.running import free_port

ROOT = Path(__file__).parents[1]
TOKEN = "a-secret-for-the-test"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, as (name, the rest), continued lines joined."""
    text = (ROOT / "docker" / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in parts]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, rest))
    return found


def values(stage: list[tuple[str, str]], wanted: str) -> list[str]:
    return [rest for name, rest in stage if name == wanted]


def exec_form(text: str) -> list[str]:
    return [str(part) for part in ast.literal_eval(text.removeprefix("CMD").strip())]


def copied_from_the_context() -> list[str]:
    copies = [shlex.split(rest) for stage in stages() for rest in values(stage, "COPY")]
    return [
        source for words in copies if not words[0].startswith("--from") for source in words[:-1]
    ]


def compose() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())[
        "services"
    ]["livegrad"]
    return service


def test_everything_that_is_copied_exists_and_is_let_through() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    let_through = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    sources = copied_from_the_context()
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == let_through


def test_the_build_has_all_that_the_project_file_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {project["readme"], *project["license-files"], "backend", "frontend"}
    for_the_hook = {"hatch_build.py", "package.json", "package-lock.json"}
    assert needed | for_the_hook <= set(copied_from_the_context())


def test_two_stages_and_the_last_one_holds_no_sources_and_is_not_root() -> None:
    builder, runtime = stages()
    assert values(builder, "FROM")[0].endswith(" AS builder")
    assert [copy.split()[0] for copy in values(runtime, "COPY")] == ["--from=builder"]
    assert values(runtime, "USER") == ["livegrad"]
    order = [name for name, _ in runtime]
    assert order.index("USER") < order.index("ENTRYPOINT")


def test_the_index_for_pytorch_is_asked_for_and_not_built_in() -> None:
    builder = stages()[0]
    assert 'TORCH_INDEX=""' in values(builder, "ARG")
    [install] = [rest for rest in values(builder, "RUN") if "-r dependencies.txt" in rest]
    assert '${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"}' in install
    assert compose()["build"]["args"]["TORCH_INDEX"] == "${TORCH_INDEX:-}"
    texts = [path.read_text() for path in (ROOT / "docker").iterdir() if path.is_file()]
    assert [
        host
        for text in texts
        for host in re.findall(r"https?://([^/:'\"]+)", text)
        if host != "127.0.0.1"
    ] == []


def test_what_the_image_installs_is_held_to_the_constraints() -> None:
    builder = stages()[0]
    order = [(name, rest) for name, rest in builder if "constraints.txt" in rest]
    assert [name for name, _ in order] == ["COPY", "RUN"]
    installs = [rest for rest in values(builder, "RUN") if "pip install" in rest]
    for command in installs:
        assert "--constraint constraints.txt" in command or "--no-deps" in command


def test_the_dependency_layer_lists_what_the_project_depends_on() -> None:
    command = (sys.executable, ROOT / "docker" / "dependencies.py", ROOT / "pyproject.toml")
    listed = subprocess.check_output(command, text=True).splitlines()
    assert listed == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert any(line.startswith("torch>=") for line in listed)


def test_compose_builds_this_dockerfile_and_publishes_on_loopback_alone() -> None:
    service = compose()
    context = ROOT / "docker" / service["build"]["context"]
    assert (context / service["build"]["dockerfile"]).resolve() == ROOT / "docker" / "Dockerfile"
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["environment"]["LIVEGRAD_TOKEN"].startswith("${LIVEGRAD_TOKEN:?")
    assert [mount.split(":")[1] for mount in service["volumes"]] == values(stages()[1], "VOLUME")


def test_no_secret_is_written_into_the_image() -> None:
    for name, rest in instructions():
        if name in ("ENV", "ARG"):
            assert "TOKEN" not in rest


def entrypoint(port: int, data: Path) -> list[str]:
    """The image's own command line, with this machine's port and folder in place of the
    container's.
    """
    [text] = values(stages()[1], "ENTRYPOINT")
    program, *flags = exec_form(text)
    assert program == "livegrad"
    own = {"8000": str(port), "/data": str(data)}
    return [sys.executable, "-m", "livegrad", *(own.get(flag, flag) for flag in flags)]


def health_check(port: int) -> list[str]:
    [text] = values(stages()[1], "HEALTHCHECK")
    program, *rest = exec_form(text[text.index("CMD") :])
    assert program == "python"
    return [sys.executable, *(part.replace(":8000/", f":{port}/") for part in rest)]


def environment(**more: str) -> dict[str, str]:
    return {
        key: value for key, value in os.environ.items() if not key.startswith("LIVEGRAD_")
    } | more


@pytest.fixture
def container(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server that was started as the image starts it, and its port."""
    port = free_port()
    with (
        (tmp_path / "output").open("w") as output,
        subprocess.Popen(
            entrypoint(port, tmp_path / "data"),
            env=environment(LIVEGRAD_TOKEN=TOKEN),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process, port
        finally:
            process.terminate()
            process.wait(timeout=30)


def is_healthy(port: int, token: str) -> bool:
    # As a container has it whose engine is set up for a proxy: one that knows nothing of this
    # server.
    proxy = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
    own = environment(LIVEGRAD_TOKEN=token, **proxy)
    done = subprocess.run(health_check(port), env=own, capture_output=True)
    return done.returncode == 0


@pytest.mark.slow
def test_the_images_health_check_finds_the_images_server(
    container: tuple[subprocess.Popen[bytes], int], tmp_path: Path
) -> None:
    process, port = container
    deadline = time.monotonic() + 30  # the start period
    while not is_healthy(port, TOKEN):
        assert process.poll() is None, (tmp_path / "output").read_text()
        assert time.monotonic() < deadline, "not healthy within the start period"
        time.sleep(0.2)


def test_the_images_health_check_fails_where_nothing_answers() -> None:
    assert not is_healthy(free_port(), TOKEN)


def test_the_images_server_refuses_to_start_without_a_token(tmp_path: Path) -> None:
    command = entrypoint(free_port(), tmp_path)
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "token" in done.stderr.lower()
