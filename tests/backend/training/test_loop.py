"""The loop on the screen is the textbook's: with nothing around it, it does what five lines do."""

import torch
from torch import nn

from livegrad.training.loop import train

X, Y = torch.linspace(-1, 1, 8).unsqueeze(1), torch.linspace(0, 1, 8).unsqueeze(1)


def model() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))


def plain(steps: int, clears: bool) -> nn.Sequential:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(steps):
        if clears:
            optimizer.zero_grad()
        nn.functional.mse_loss(net(X), Y).backward()
        optimizer.step()
    return net


def test_it_trains_as_five_lines_do() -> None:
    for clears in (True, False):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        train(net, optimizer, nn.MSELoss(), lambda step: (X, Y), (X, Y), range(1, 51), clears)
        assert [p.tolist() for p in net.parameters()] == [
            p.tolist() for p in plain(50, clears).parameters()
        ]


def test_it_asks_for_the_batch_of_each_step_once_and_in_order() -> None:
    asked: list[int] = []

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(step)
        return X, Y

    net = model()
    train(net, torch.optim.SGD(net.parameters()), nn.MSELoss(), batch, (X, Y), range(7, 12))
    assert asked == [7, 8, 9, 10, 11]


def test_the_validation_loss_leaves_no_gradient() -> None:
    seen: list[bool] = []

    def loss_fn(y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.mse_loss(y_pred, y)
        seen.append(loss.requires_grad)
        return loss

    net = model()
    train(net, torch.optim.SGD(net.parameters()), loss_fn, lambda step: (X, Y), (X, Y), range(1, 3))
    assert seen == [True, False] * 2
