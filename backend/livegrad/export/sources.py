"""Source code of the training package, read as text: this side must not import torch."""

import ast
from functools import cache
from pathlib import Path

_TRAINING = Path(__file__).parents[1] / "training"


@cache
def source(module: str, name: str) -> str:
    """Return the text of a function, class or assignment at the top of `livegrad.training.module`.

    Raises:
        KeyError: the module has no such name.
    """
    text = (_TRAINING / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if name in _names(node):
            found = ast.get_source_segment(text, node)
            assert found is not None
            return found
    raise KeyError(name)


@cache
def class_names(module: str, table: str) -> dict[str, str]:
    """Return a table of classes of that module as texts, such as {"sgd": "SGD"}."""
    node = ast.parse(source(module, table)).body[0]
    assert isinstance(node, ast.AnnAssign)
    assert isinstance(node.value, ast.Dict)
    keys = [ast.literal_eval(key) for key in node.value.keys if key is not None]
    return dict(zip(keys, map(ast.unparse, node.value.values), strict=True))


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [ast.unparse(target) for target in targets]
        case ast.AnnAssign(target=target):
            return [ast.unparse(target)]
    return []
