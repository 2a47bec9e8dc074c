"""The built wheel, in an empty environment: it brings the whole page with it and asks nobody else for anything."""

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
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PAGE_LIMIT = 300_000  # bytes, uncompressed: what `/` may load
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens

# What a browser fetches by itself; <a href> is not among it.
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "use": "href"}
IMPORTS = re.compile(
    r"""(?:^|[;}\s])(?:import|export)\b[^"'`;()]*?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']"""
)
STYLE_LINKS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Links(HTMLParser):
    """What a page loads: (address, whether it is a module)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        address = attributes.get(LOADED.get(tag, ""))
        if address:
            self.found.append(
                (address, attributes.get("type") == "module" or "modulepreload" in attributes.values())
            )


def links(content_type: str, text: str, is_module: bool) -> list[tuple[str, bool]]:
    """Find what a page, style sheet or module makes the browser fetch."""
    if "html" in content_type:
        return Links(text).found
    if "css" in content_type:
        found = [one or other for one, other in STYLE_LINKS.findall(text)]
        return [(address, False) for address in found if not address.startswith(("data:", "#"))]
    if is_module:
        return [(one or other, True) for one, other in IMPORTS.findall(text)]
    return []


def load(client: httpx.Client, start: str) -> dict[str, int]:
    """Fetch a page and all that it leads to; return the size of each in bytes."""
    sizes: dict[str, int] = {}
    waiting = [(urljoin(str(client.base_url), start), False)]
    while waiting:
        address, is_module = waiting.pop()
        if address in sizes:
            continue
        assert urlsplit(address).netloc == client.base_url.netloc.decode(), f"{address} is on another host"
        answer = client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        sizes[address] = len(answer.content)
        found = links(answer.headers["content-type"], answer.text, is_module)
        waiting += [(urljoin(address, link), module) for link, module in found]
    return sizes


def run(*command: str | Path, folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=300
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
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder, folder=ROOT)
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
    """The `bin` of an environment that holds the wheel, and sees this one's packages as its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel, folder=folder)
    [site] = folder.glob("lib/python*/site-packages")
    # A path file inside these is not read again, so this one's editable livegrad stays out of sight.
    paths = sysconfig.get_paths()
    (site / "dependencies.pth").write_text(f"{paths['purelib']}\n{paths['platlib']}\n")
    return python.parent


@pytest.fixture(scope="module")
def server(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a livegrad that was started from the wheel, in a folder that has nothing to do with it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = (installed / "livegrad", "--port", "0", "--no-browser", "--data", elsewhere / "data")
    without_path = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with (
        (elsewhere / "stderr").open("w+") as stderr,
        subprocess.Popen(
            command, cwd=elsewhere, env=without_path, stdout=subprocess.PIPE, stderr=stderr, text=True
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
    place = subprocess.check_output([installed / "python", "-c", code], cwd=tmp_path, text=True).strip()
    assert Path(place).is_relative_to(installed.parent)


def test_the_page_comes_whole_from_the_wheel_and_is_small(client: httpx.Client) -> None:
    sizes = load(client, "/")
    assert any(address.endswith("/vendor/uplot/uPlot.esm.js") for address in sizes), sorted(sizes)
    assert any(address.endswith("/vendor/uplot/uPlot.min.css") for address in sizes), sorted(sizes)
    assert any("/views/" in address for address in sizes), sorted(sizes)
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
    assert any(address.endswith("/vendor/swagger-ui/swagger-ui-bundle.js") for address in loaded), sorted(
        loaded
    )
    assert any(address.endswith("/vendor/swagger-ui/swagger-ui.css") for address in loaded), sorted(loaded)
    assert client.get("/openapi.json").json()["info"]["title"] == "livegrad"


def test_swagger_ui_is_told_not_to_ask_a_validator_elsewhere(client: httpx.Client) -> None:
    scripts = [client.get(address).text for address in load(client, "/docs") if "/vendor/" not in address]
    assert any(re.search(r"validatorUrl:\s*null", script) for script in scripts)
