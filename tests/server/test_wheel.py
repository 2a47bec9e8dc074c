"""The built wheel, in an empty environment.

It brings the whole page with it and asks nobody else for anything.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chromium import chromium
from tests.server.page import load, module_links

ROOT = Path(__file__).parents[2]
PAGE_LIMIT = 300_000  # bytes, uncompressed: what `/` may load
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens


def run(*command: str | Path, folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build_wheel(source: Path, into: Path, **environment: str) -> Path:
    command = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        into,
        ".",
    )
    run(*command, folder=source, **environment)
    [wheel] = into.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source archive."""
    folder = tmp_path_factory.mktemp("sdist")
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "sdist",
        "--directory",
        folder,
        folder=ROOT,
    )
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    [unpacked] = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a fresh clone builds it: the third-party modules are fetched by the build."""
    clone = tmp_path_factory.mktemp("clone") / "livegrad"
    shutil.copytree(source, clone)
    shutil.rmtree(clone / "frontend" / "vendor")
    return build_wheel(clone, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that holds the wheel, and sees this one's packages as its
    dependencies.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        wheel,
        folder=folder,
    )
    [site] = folder.glob("lib/python*/site-packages")
    # A path file inside these is not read again, so this one's editable livegrad stays out of
    # sight.
    paths = sysconfig.get_paths()
    (site / "dependencies.pth").write_text(f"{paths['purelib']}\n{paths['platlib']}\n")
    return python.parent


@pytest.fixture(scope="module")
def server(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a livegrad that was started from the wheel, in a folder that has nothing to do
    with it.
    """
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = (installed / "livegrad", "--port", "0", "--no-browser", "--data", elsewhere / "data")
    without_path = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with (
        (elsewhere / "stderr").open("w+") as stderr,
        subprocess.Popen(
            command,
            cwd=elsewhere,
            env=without_path,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = re.search(r"http://\S+", process.stdout.readline())
            assert address, (elsewhere / "stderr").read_text()
            yield address.group()
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def client(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=30, trust_env=False) as client:
        yield client


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as files:
        return set(files.namelist())


def test_the_wheel_holds_package_page_and_licences_and_nothing_of_the_workshop(wheel: Path) -> None:
    held = names(wheel)
    vendor = "livegrad/frontend/vendor"
    assert {
        "livegrad/cli.py",
        "livegrad/py.typed",
        "livegrad/frontend/index.html",
        "livegrad/frontend/main.js",
        f"{vendor}/uplot/uPlot.esm.js",
        f"{vendor}/uplot/LICENSE",
        f"{vendor}/swagger-ui/swagger-ui-bundle.js",
        f"{vendor}/swagger-ui/LICENSE",
        "livegrad-0.1.0.dist-info/licenses/LICENSE",
    } <= held
    for module in (ROOT / "backend" / "livegrad").rglob("*.py"):
        assert module.relative_to(ROOT / "backend").as_posix() in held
    strays = [
        name
        for name in held
        if re.search(r"/tests?/|node_modules|__pycache__|\.d\.ts$|hatch_build|package\.json", name)
    ]
    assert strays == []


def test_a_source_archive_builds_the_same_wheel_without_npm(
    source: Path, wheel: Path, tmp_path: Path
) -> None:
    offline = build_wheel(
        source, tmp_path, npm_config_registry=NOWHERE, npm_config_cache=str(tmp_path / "npm")
    )
    assert names(offline) == names(wheel)


def test_the_lock_file_names_no_address() -> None:
    lock = (ROOT / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "://" not in lock


def test_the_installed_program_is_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    code = "import livegrad, pathlib; print(pathlib.Path(livegrad.__file__).parents[1])"
    place = subprocess.check_output(
        [installed / "python", "-c", code], cwd=tmp_path, text=True
    ).strip()
    assert Path(place).is_relative_to(installed.parent)


def test_a_modules_links_are_found_and_comments_are_not() -> None:
    module = """
    // import "./no.js";
    /** @typedef {import("./no.js").No} No */
    import "./bare.js";
    import one, { two as three } from "./named.js";
    import * as all from './all.js';
    export { four } from "./again.js";
    export class Five extends Error { name = "./no.js"; }
    const six = () => import("./later.js");
    """
    found = {link.address: link.is_later for link in module_links(module)}
    now = dict.fromkeys(["./bare.js", "./named.js", "./all.js", "./again.js"], False)
    assert found == now | {"./later.js": True}


def test_the_page_comes_whole_from_the_wheel(client: httpx.Client) -> None:
    loaded = load(client, "/")
    assert any(address.endswith("/vendor/uplot/uPlot.esm.js") for address in loaded), sorted(loaded)
    assert any(address.endswith("/vendor/uplot/uPlot.min.css") for address in loaded), sorted(
        loaded
    )
    assert any("/views/" in address for address in loaded), sorted(loaded)


def test_the_page_is_small(client: httpx.Client) -> None:
    sizes = load(client, "/", later=False)
    assert sum(sizes.values()) <= PAGE_LIMIT, sizes


def test_every_module_of_the_frontend_is_served(client: httpx.Client) -> None:
    frontend = ROOT / "frontend"
    modules = [path for path in frontend.rglob("*.js") if frontend / "vendor" not in path.parents]
    assert modules
    for module in modules:
        answer = client.get("/" + module.relative_to(frontend).as_posix())
        assert answer.status_code == 200, module
        assert answer.content == module.read_bytes()
        assert "javascript" in answer.headers["content-type"]


def test_the_documentation_comes_whole_from_the_wheel(client: httpx.Client) -> None:
    loaded = load(client, "/docs")
    assert any(address.endswith("/vendor/swagger-ui/swagger-ui-bundle.js") for address in loaded), (
        sorted(loaded)
    )
    assert any(address.endswith("/vendor/swagger-ui/swagger-ui.css") for address in loaded), sorted(
        loaded
    )
    assert client.get("/openapi.json").json()["info"]["title"] == "livegrad"


def test_swagger_ui_is_told_not_to_ask_a_validator_elsewhere(client: httpx.Client) -> None:
    scripts = [
        client.get(address).text for address in load(client, "/docs") if "/vendor/" not in address
    ]
    assert any(re.search(r"validatorUrl:\s*null", script) for script in scripts)


@pytest.mark.parametrize(("page", "drawn"), [("/", "#network svg"), ("/docs", "#swagger .opblock")])
def test_a_browser_finds_all_it_needs_and_asks_nobody_else(
    server: str, page: str, drawn: str
) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    with chromium() as browser:
        tab = browser.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(server.rstrip("/") + page)
        tab.wait_for_selector(drawn, timeout=60_000)
    origin = server.rstrip("/") + "/"
    assert [
        address for address in asked if not address.startswith((origin, "data:", "blob:"))
    ] == []
    assert complaints == []
