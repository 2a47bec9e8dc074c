"""A run log that an older livegrad wrote, in a real server.

Its runs are shown, read and trained on.
"""

from pathlib import Path

import pytest

from tests.backend.store.old_logs import FORMS, STEPS, restore
from tests.running import serving


@pytest.mark.parametrize("form", FORMS)
def test_a_run_of_an_older_log_is_shown_read_and_trained_on(tmp_path: Path, form: str) -> None:
    restore(form, tmp_path)
    with serving(tmp_path) as server:
        [run] = [run["id"] for run in server.get("/runs") if run["parent"] is None]
        assert server.get(f"/runs/{run}")["step"] == STEPS
        assert server.get(f"/runs/{run}/parameters", params={"step": 100})["step"] == 100
        assert server.command(run, "step", count=300)["step"] == STEPS + 300
        assert (
            server.get(f"/runs/{run}/parameters", params={"step": STEPS + 300})["step"]
            == STEPS + 300
        )
        assert server.get(f"/runs/{run}/kept")["exact"] == [[0, STEPS + 300]]
        assert server.stop() == 0
        assert "Traceback" not in server.log_text()
