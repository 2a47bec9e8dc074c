"""Assembles the application: routes, the page, and the start and end of the hub."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.responses import FileResponse

from livegrad import __version__
from livegrad.api import branches, exports, parameters, problems, runs, sign_in, stream, trainers
from livegrad.api.auth import Authenticator
from livegrad.api.long_responses import Threads
from livegrad.api.page import Page
from livegrad.api.schema import describe
from livegrad.api.security import Guard
from livegrad.errors import LogError
from livegrad.export.progress import Board
from livegrad.runs.hub import Hub
from livegrad.runs.launcher import Launcher
from livegrad.settings import Settings
from livegrad.store.lock import FolderLock
from livegrad.store.log import RunLog

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DATABASE = "livegrad.sqlite3"
Stop = Callable[[], Awaitable[None]]
OnCrash = Callable[[BaseException], None]


def frontend() -> Path:
    """Return the page's folder: inside the installed package, or beside it in the repository."""
    installed = Path(__file__).parents[1] / "frontend"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "frontend"


def create_app(
    settings: Settings, authenticator: Authenticator, port: int, on_crash: OnCrash
) -> "tuple[ASGIApp, Stop]":
    """Return the guarded application and a function to call before its connections are closed.

    `on_crash` ends the server with a message after an unexpected error in one of its tasks. Raises
    LogError when the run log cannot be opened.
    """
    lock = FolderLock(settings.data)
    try:
        log = RunLog(settings.data / DATABASE)
    except LogError:
        lock.release()
        raise
    launcher = Launcher()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.hub = hub = Hub(
            log,
            launcher,
            _trainers_url(settings.host, port),
            settings.max_runs,
            settings.keep,
            on_crash,
        )
        app.state.threads = Threads()
        await hub.open()
        try:
            yield
        finally:
            await hub.close()
            await launcher.close()
            app.state.threads.close()
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
    app.state.authenticator = authenticator
    app.state.on_crash = on_crash
    app.state.frontend = frontend()
    app.state.board = Board()
    problems.install(app)
    for module in (runs, branches, parameters, exports, stream, trainers, sign_in):
        app.include_router(module.router)
    _add_page(app, app.state.frontend)
    app.openapi = cache(lambda: describe(app))  # type: ignore[method-assign]  # how FastAPI says to extend it

    async def stop_trainers() -> None:
        await app.state.hub.stop_trainers()

    return Guard(app, authenticator), stop_trainers


def _add_page(app: FastAPI, folder: Path) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(folder / "docs.html")

    app.mount("/", Page(folder, app.routes), name="page")


def _trainers_url(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host).strip("[]")
    return f"ws://[{reachable}]:{port}" if ":" in reachable else f"ws://{reachable}:{port}"
