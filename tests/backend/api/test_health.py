"""What /api/health says of torch."""

from types import SimpleNamespace

import pytest

from livegrad.api.runs import torch_state


@pytest.mark.parametrize(
    ("is_warm", "failure", "said"),
    [
        (False, None, "loading"),
        (True, None, "ready"),
        (True, "ImportError: libtorch.so", "failed"),
        (False, "OSError", "failed"),
    ],
)
def test_torch_is_ready_only_when_it_was_loaded(is_warm: bool, failure: str | None, said: str) -> None:
    assert torch_state(SimpleNamespace(is_warm=is_warm, warm_failure=failure)) == said
