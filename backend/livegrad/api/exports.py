"""Routes that export a run as a script, a table or a page. Knows nothing of how each is written."""

import asyncio
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from pydantic import AfterValidator, WithJsonSchema

from livegrad.api.deps import BoardHere, HubHere, RunHere, ThreadsHere
from livegrad.api.long_responses import TOKEN, Paged, Token, Whole
from livegrad.api.problems import responses
from livegrad.api.ranges import From, To, bounds
from livegrad.api.schemas import ProgressSchema
from livegrad.errors import Forbidden
from livegrad.export.lineage import lineage
from livegrad.export.progress import Progress
from livegrad.export.replay import Recording, replay
from livegrad.export.script import write
from livegrad.export.table import Table, csv, parquet
from livegrad.protocol import Frame
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun
from livegrad.sizes import Size
from livegrad.store.entry import Entry

router = APIRouter(prefix="/api/runs/{run}", tags=["exports"])
ROWS = "Livegrad-Rows"  # a header with the largest number of rows to expect, for progress displays


def _attachment(run: LiveRun, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="livegrad-{run.id}.{ending}"'}


def _finder(hub: Hub) -> dict[str, Entry]:
    return {run.id: run.entry for run in hub.runs()}


@router.get(
    "/script",
    response_class=Response,
    responses=responses(404, 409)
    | {
        200: {
            "description": "The script. Run it with "
            "`python livegrad-3f2a9c1e.py --steps 100 --save weights.pt`.",
            "content": {
                "text/x-python": {"schema": {"type": "string"}, "example": "import torch\n…"}
            },
        }
    },
)
async def script(hub: HubHere, run: RunHere) -> Response:
    """Return a stand-alone PyTorch script that reproduces the run's numbers, bit for bit.

    The script includes the runs that this one continues, and the learning rates that were tuned.
    """
    found = _finder(hub)
    segments, initial = await asyncio.to_thread(lineage, hub.log, run.entry, found.get)
    text = write(segments, initial, version("torch"))
    return Response(text, media_type="text/x-python; charset=utf-8", headers=_attachment(run, "py"))


def _table(hub: Hub, run: LiveRun, bounds: tuple[int, int], progress: Progress) -> Table:
    start, end = bounds
    entry = run.entry

    def read(first: int, last: int) -> Iterable[Frame]:
        # A page is requested after the one before it was taken.
        progress.reach(first - start, end - start + 1)
        return hub.log.frames(entry.id, first, last)

    return Table(entry.id, entry.columns, start, end, read)


def _headers(run: LiveRun, table: Table, ending: str) -> dict[str, str]:
    return _attachment(run, ending) | {ROWS: str(table.last - table.first + 1)}


def _document(
    kind: str, description: str, example: str | None = None
) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string"} if example else {"type": "string", "format": "binary"}
    content: dict[str, Any] = {"schema": schema} | ({"example": example} if example else {})
    rows = {"description": "The largest number of rows to expect.", "schema": {"type": "integer"}}
    return {200: {"description": description, "content": {kind: content}, "headers": {ROWS: rows}}}


@router.get(
    "/history.csv",
    response_class=Response,
    responses=responses(404, 422, 503)
    | _document(
        "text/csv",
        "A line of names, then one line per step. Every number reads back as the same float32.",
        'step,loss,validation_loss,lr,"hidden_linear.weight[0, 0]",…\n'
        "0,,,5.00000024e-04,-7.48682022e-03,…\n",
    ),
)
async def history_csv(
    hub: HubHere,
    run: RunHere,
    board: BoardHere,
    threads: ThreadsHere,
    first: From = 0,
    last: To = None,
    progress: Token = None,
) -> Response:
    """Return the whole history, one row per step.

    The columns are losses, lr, and every parameter and gradient by name.
    """
    steps = bounds(run, first, last)
    under_way = board.begin(run.id, progress)
    table = _table(hub, run, steps, under_way)
    return Paged(
        csv(table), "text/csv; charset=utf-8", _headers(run, table, "csv"), threads, under_way
    )


@router.get(
    "/history.parquet",
    response_class=Response,
    responses=responses(404, 422, 501, 503)
    | _document(
        "application/vnd.apache.parquet", "The same table; run and configuration are its metadata."
    ),
)
async def history_parquet(
    hub: HubHere,
    run: RunHere,
    board: BoardHere,
    threads: ThreadsHere,
    first: From = 0,
    last: To = None,
    progress: Token = None,
) -> Response:
    """Return the whole history as a Parquet file of PyTorch's float32.

    Needs the extra livegrad[parquet].
    """
    steps = bounds(run, first, last)
    under_way = board.begin(run.id, progress)
    table = _table(hub, run, steps, under_way)
    metadata = {"livegrad.run": run.id, "livegrad.config": json.dumps(run.entry.config)}
    with under_way.failing():
        body = await threads.make(parquet, table, metadata)
    headers = _headers(run, table, "parquet")
    return Paged(body, "application/vnd.apache.parquet", headers, threads, under_way)


LARGEST = 64 * 1024**2
DEFAULT_SIZE = 4 * 10**6


def _bounded(size: int) -> int:
    if not 0 < size <= LARGEST:
        raise ValueError(f"expected more than 0 and at most {LARGEST // 1024**2}MiB")
    return size


ReplaySize = Annotated[
    Annotated[
        Size, AfterValidator(_bounded), WithJsonSchema({"type": "string", "examples": ["2MB"]})
    ]
    | None,
    Query(
        description=(
            "The largest allowed size of the file, up to 64MiB: a number and KB, MB, KiB or MiB; "
            "4MB by default. Steps are thinned to fit."
        ),
        examples=["2MB"],
    ),
]


@router.get(
    "/replay.html",
    response_class=Response,
    responses=responses(404, 409, 422, 503)
    | {
        200: {
            "description": "The file. It shows which steps were left out.",
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
        }
    },
)
async def replay_html(
    hub: HubHere,
    run: RunHere,
    board: BoardHere,
    threads: ThreadsHere,
    request: Request,
    size: ReplaySize = None,
    progress: Token = None,
) -> Response:
    """Return one self-contained HTML file that replays the run offline.

    It has the timeline, the network, the charts and the inspector. Runs that do not fit into the
    size are thinned: the first, the last and the best step, spikes, and evenly spaced steps between
    them are kept, each with the step before it.
    """
    entry = run.entry
    if entry.last_step < entry.first_step or not entry.data:
        raise Forbidden(f"run {run.id} is {entry.state}: it has no step yet")
    shown, data, columns = run.as_json(), entry.data, entry.columns
    folder: Path = request.app.state.frontend
    under_way = board.begin(run.id, progress)

    def make() -> str:
        recording = Recording(
            shown, data, columns, hub.log.history(entry.id), hub.log.kept(entry.id)
        )
        return replay(recording, folder, size or DEFAULT_SIZE, under_way.reach)

    return Whole(make, "text/html; charset=utf-8", _attachment(run, "html"), threads, under_way)


@router.get("/progress/{token}", response_model=ProgressSchema, responses=responses(404))
async def progress(
    board: BoardHere,
    run: RunHere,
    token: Annotated[
        str, InPath(description="The `progress` of an export's address.", examples=[TOKEN])
    ],
) -> Any:
    """Return the progress of the export with this token, up to ten minutes after its end."""
    return board.find(run.id, token)
