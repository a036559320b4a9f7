"""How networks learn: schedules of any length, and losses and weights that are not numbers."""

from pathlib import Path

import pytest
import torch
from torch import nn

from scripts.errors import UserError
from scripts.training.optimization import Optimization, Style, one_cycle


@pytest.mark.parametrize("rise", [0.05, 0.1])
def test_a_schedule_may_have_any_number_of_steps(rise: float):
    for steps in [*range(1, 45), 100, 199, 200, 1000]:
        optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=1)
        schedule = one_cycle(optimizer, [2.0], steps, rise)
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        assert all(0 < rate <= 2.0 for rate in rates)
        assert max(rates) > 1 and (steps == 1 or rates[-1] < max(rates))
        assert (rates[0] < max(rates)) == (rise * max(steps, 4) > 1)


def learn(folder: Path, losses: list[float], style: Style, steps: int = 5) -> nn.Linear:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    run = Optimization(network, folder, steps, 1e-2, style)
    for step in run.progress.steps_left():
        run.learn(losses[step] * network(torch.ones(2, 3)).square().mean())
    run.finish()
    return network


@pytest.mark.parametrize("style", [Style(), Style(clip=None, average=0.5, decay=0.0)])
def test_a_finished_training_gives_the_same_weights_again(style: Style, tmp_path: Path):
    first = learn(tmp_path, [1.0] * 5, style)
    again = learn(tmp_path, [], style)
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, learn(tmp_path / "other", [1.0] * 5, Style()).weight) or (
        style == Style()
    )


def test_groups_learn_at_their_share_of_the_rate(tmp_path: Path):
    network = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
    before = [part.weight.item() for part in network]
    groups = [(network[0].parameters(), 1.0), (network[1].parameters(), 0.01), ([], 1.0)]
    run = Optimization(network, tmp_path, 1, 1e-2, Style(decay=0.0), groups=groups)
    for _ in run.progress.steps_left():
        run.learn(sum(part(torch.ones(1, 1)).sum() for part in network))
    moved = [abs(part.weight.item() - old) for part, old in zip(network, before, strict=True)]
    assert moved[1] == pytest.approx(moved[0] / 100, rel=0.01)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_a_number_ends_the_training(value: float, tmp_path: Path):
    with pytest.raises(UserError, match=r"after step 3 .* not a number.* rate"):
        learn(tmp_path, [1.0, 1.0, value, 1.0, 1.0], Style())
    assert not list(tmp_path.iterdir())  # no checkpoint that would be gone on from


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path):
    network = nn.Linear(3, 1)
    run = Optimization(network, tmp_path, 1, 1e-2, Style())
    with pytest.raises(UserError, match="after step 1 some weights are not finite"):
        for _ in run.progress.steps_left():
            run.learn(network(torch.ones(2, 3)).mean())
            network.weight.data[0, 0] = float("inf")
    assert not list(tmp_path.iterdir())
