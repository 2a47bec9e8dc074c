"""Source code read as text: the very lines that Python itself finds of the loaded module."""

import inspect

import pytest

from livegrad.export.sources import class_names, source
from livegrad.training import data, loop, network, optimizers


def test_a_function_or_class_is_read_as_python_reads_it() -> None:
    assert source("loop", "train") == inspect.getsource(loop.train).rstrip("\n")
    assert source("network", "build") == inspect.getsource(network.build).rstrip("\n")
    assert source("data", "Batches") == inspect.getsource(data.Batches).rstrip("\n")


def test_a_table_of_classes_is_read_with_their_names() -> None:
    kinds = {kind: made.__name__ for kind, made in optimizers.KINDS.items()}
    found = {
        kind: name.rpartition(".")[2] for kind, name in class_names("optimizers", "KINDS").items()
    }
    assert found == kinds


def test_a_name_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        source("loop", "nothing")
