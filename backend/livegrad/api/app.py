"""The application: routes, the page, the hub's life. Puts together; decides nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from filelock import FileLock, Timeout
from starlette.responses import FileResponse

from livegrad import __version__
from livegrad.api import branches, exports, parameters, problems, runs, sign_in, stream, trainers
from livegrad.api.auth import Doorkeeper
from livegrad.api.page import Page
from livegrad.api.schema import describe
from livegrad.api.security import Guard
from livegrad.errors import LogError
from livegrad.export.progress import Board
from livegrad.runs.hub import Hub
from livegrad.runs.launcher import Launcher
from livegrad.settings import Settings
from livegrad.store.log import RunLog

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DATABASE = "livegrad.sqlite3"
LOCK = "livegrad.lock"
Stop = Callable[[], Awaitable[None]]


def frontend() -> Path:
    """Return the page's folder: inside the installed package, or beside it in the repository."""
    installed = Path(__file__).parents[1] / "frontend"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "frontend"


def create_app(settings: Settings, doorkeeper: Doorkeeper, port: int) -> "tuple[ASGIApp, Stop]":
    """Return the whole application, guarded, and what to call before its connections are closed.

    Raises LogError when the run log cannot be opened.
    """
    lock = _lock(settings.data)
    log = RunLog(settings.data / DATABASE)
    launcher = Launcher()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.hub = hub = Hub(
            log, launcher, _trainers_url(settings.host, port), settings.max_runs, settings.keep
        )
        await hub.open()
        try:
            yield
        finally:
            await hub.close()
            await launcher.close()
            lock.release()

    app = FastAPI(
        title="livegrad",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=life,
    )
    app.state.doorkeeper = doorkeeper
    app.state.frontend = frontend()
    app.state.board = Board()
    problems.install(app)
    for module in (runs, branches, parameters, exports, stream, trainers, sign_in):
        app.include_router(module.router)
    _add_page(app, app.state.frontend)
    app.openapi = cache(lambda: describe(app))  # type: ignore[method-assign]  # how FastAPI says to extend it

    async def stop_trainers() -> None:
        await app.state.hub.stop_trainers()

    return Guard(app, doorkeeper), stop_trainers


def _lock(folder: Path) -> FileLock:
    # The operating system lets go of it when the process ends, however it ends.
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LogError(
            f"another livegrad is at work on {folder}: end it, or choose another folder with --data"
        ) from error
    except OSError as error:
        raise LogError(
            f"cannot write to the data folder {folder}: {error.strerror}; choose another with --data"
        ) from error
    return lock


def _add_page(app: FastAPI, folder: Path) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(folder / "docs.html")

    app.mount("/", Page(folder, app.routes), name="page")


def _trainers_url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host).strip("[]")
    return f"ws://[{reachable}]:{port}" if ":" in reachable else f"ws://{reachable}:{port}"
