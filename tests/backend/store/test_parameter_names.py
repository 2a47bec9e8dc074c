"""A parameter's two names lead to each other, for the very names that PyTorch gives."""

from livegrad.config import RunConfig
from livegrad.store.parameter_names import other_name
from livegrad.training import network


def names(named: bool) -> list[str]:
    model = network.build(RunConfig.model_validate({"named_layers": named}))
    return [name for name, _ in model.named_parameters()]


def test_the_names_of_both_forms_of_the_network_lead_to_each_other() -> None:
    assert [other_name(name) for name in names(True)] == names(False)
    assert [other_name(name) for name in names(False)] == names(True)


def test_another_name_is_its_own() -> None:
    for name in ("", "loss", "1.weight", "hidden_linear2.weight"):
        assert other_name(name) == name
