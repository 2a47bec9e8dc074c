"""Examples for /docs: of every JSON answer, by operation, and of every problem, by status."""

from typing import Any

_RUN: dict[str, Any] = {
    "id": "3f2a9c1e",
    "name": "temperature",
    "config": {
        "name": "temperature",
        "dataset": "temperature",
        "hidden": 13,
        "activation": "tanh",
        "named_layers": True,
        "optimizer": {
            "kind": "sgd",
            "lr": 0.0005,
            "momentum": 0.0,
            "dampening": 0.0,
            "weight_decay": 0.0,
            "nesterov": False,
        },
        "zero_grad": True,
        "seed": 0,
        "batch_size": None,
        "max_steps": 5000,
        "pace": 60.0,
    },
    "state": "paused",
    "allowed": ["play", "pause", "step", "phase", "tune"],
    "phase": "step",
    "step": 240,
    "loss": 30.25,
    "validation_loss": 27.5,
    "lr": 0.0005,
    "pace": 60.0,
    "reason": None,
    "created_at": "2026-01-31T12:00:00Z",
    "epoch": 1,
    "grad_states": ["fresh", "fresh", "fresh", "fresh"],
    "first_step": 0,
    "parent": None,
}
_HEAD: dict[str, Any] = {"run": "3f2a9c1e", "step": 240, "phase": "step", "loss": 30.25}
_PARAMETER: dict[str, Any] = {
    "name": "output_linear.bias",
    "shape": [1],
    "dtype": "float32",
    "requires_grad": True,
    "value": [1.75],
    "grad": [-6.5],
    "grad_state": "fresh",
}
_X = {"name": "t_u", "unit": "", "scale": 0.1}
_Y = {"name": "t_c", "unit": "°C", "scale": 1.0}

ANSWERS: dict[str, Any] = {
    "health": {"status": "ok", "version": "0.1.0", "torch": "ready"},
    "datasets": [
        {
            "name": "temperature",
            "title": "Thermometer",
            "description": "An unlabelled thermometer beside one in °C.",
            "x": _X,
            "y": _Y,
            "points": {"x": [35.7, 55.9], "y": [0.5, 14.0]},
        }
    ],
    "loop": {
        "lines": ["optimizer.zero_grad()", "loss.backward()"],
        "phases": {"zero_grad": 0, "backward": 1},
    },
    "runs": [_RUN],
    "create": {
        **_RUN,
        "state": "starting",
        "step": 0,
        "loss": None,
        "validation_loss": None,
        "grad_states": [],
    },
    "run": _RUN,
    "command": {"applied_at_step": 240, "state": "paused", "phase": "step", "step": 250},
    "data": {
        "dataset": "temperature",
        "train": {"x": [3.57, 5.59], "y": [0.5, 14.0]},
        "validation": {"x": [5.82], "y": [15.0]},
        "x": _X,
        "y": _Y,
    },
    "branch": {**_RUN, "id": "90bd1f44", "state": "starting", "first_step": 240}
    | {"parent": {"run": "3f2a9c1e", "step": 240}},
    "divergence": {
        "comparable": True,
        "first": 240,
        "last": 500,
        "step": 241,
        "parameter": "hidden_linear.weight[9, 0]",
        "difference": 0.125,
    },
    "parameters": {**_HEAD, "config": _RUN["config"], "parameters": [_PARAMETER]},
    "parameter": {**_HEAD, **_PARAMETER},
    "series": {
        "run": "3f2a9c1e",
        "from": 0,
        "to": 240,
        "series": [{"name": "loss", "steps": [0, 1, 240], "values": ["nan", 81.5, 30.25]}],
    },
    "progress": {
        "run": "3f2a9c1e",
        "state": "running",
        "rows_done": 32_768,
        "rows": 100_001,
        "detail": None,
    },
    "kept": {
        "run": "3f2a9c1e",
        "from": 0,
        "to": 100_000,
        "exact": [[98_304, 100_000]],
        "every": 256,
        "single": [0, 71_204],
    },
}


def _problem(status: int, title: str, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


_HIDDEN = "Input should be less than or equal to 64"
PROBLEMS: dict[str, Any] = {
    "400": _problem(
        400,
        "Not JSON",
        "expected one JSON value in UTF-8, received something else: NaN is not a JSON number",
    ),
    "401": _problem(
        401,
        "Token needed",
        "expected 'Authorization: Bearer TOKEN', or a browser that opened the one-time link",
    ),
    "403": _problem(
        403,
        "Wrong origin",
        "expected http://127.0.0.1:8000 or no Origin, received 'http://other.example'",
    ),
    "404": _problem(404, "Not found", "there is no step 9000; there are steps 0 to 240"),
    "409": _problem(409, "Not possible now", "'play' is not possible while the run is 'finished'"),
    "410": {
        **_problem(
            410,
            "Thinned out",
            "step 1000 was thinned out; kept beside it: 768 and 1024",
        ),
        "nearest": [768, 1024],
    },
    "413": _problem(413, "Body too large", "expected at most 65536 bytes, received 70000"),
    "415": _problem(
        415, "JSON only", "expected Content-Type application/json, received 'text/plain'"
    ),
    "421": _problem(
        421,
        "Wrong host",
        "expected the name or address and port at which this server is, or one that it was "
        "given with --allow-host; received 'other.example'",
    ),
    "422": {
        **_problem(422, "Not a valid value", f"hidden: {_HIDDEN} (received 99)"),
        "errors": [
            {
                "loc": ["hidden"],
                "msg": f"{_HIDDEN} (received 99)",
                "expected": _HIDDEN,
                "received": "99",
            }
        ],
    },
    "429": _problem(
        429,
        "Too many wrong tokens",
        "too many wrong tokens came from your address: try again in 42 s",
    ),
    "501": _problem(501, "Not installed", "Parquet needs pyarrow: pip install 'livegrad[parquet]'"),
    "503": _problem(503, "The trainer did not answer", "run 3f2a9c1e's trainer ended"),
    "507": _problem(
        507, "The run log cannot be read or written", "database or disk is full: make room"
    ),
}
