"""What /api/health says of torch."""

import pytest

from livegrad.api.runs import torch_state
from livegrad.runs.launcher import Launcher


@pytest.mark.parametrize(
    ("is_warm", "failure", "said"),
    [
        (False, None, "loading"),
        (True, None, "ready"),
        (True, "ImportError: libtorch.so", "failed"),
        (False, "OSError", "failed"),
    ],
)
def test_torch_is_ready_only_when_it_was_loaded(
    is_warm: bool, failure: str | None, said: str
) -> None:
    launcher = Launcher()
    launcher.is_warm, launcher.warm_failure = is_warm, failure
    assert torch_state(launcher) == said
