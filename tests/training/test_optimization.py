"""Optimizers, and the course of the learning rate."""

import math

import pytest
import torch

from face3d_training.config import OptimizerConfig, ScheduleConfig
from face3d_training.optimization import Schedule, make_optimizer

KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
}


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(1))


def rates(steps: int, epochs: int, **options) -> list[float]:
    """Return the rate of every step."""
    optimizer = make_optimizer(OptimizerConfig(name="sgd", learning_rate=1.0), [parameter()])
    schedule = Schedule(ScheduleConfig(**options), optimizer, steps, epochs)
    found = []
    for _ in range(steps * epochs):
        found.append(schedule.learning_rate)
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("name", KINDS)
def test_an_optimizer_has_the_rate_and_decay_that_were_asked_for(name):
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.02, weight_decay=0.3), [parameter()])
    assert type(optimizer) is KINDS[name]
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]) == (0.02, 0.3)


def test_a_warm_up_rises_to_the_full_rate_and_the_cosine_falls_to_what_is_left():
    found = rates(10, 4, name="cosine", warmup_epochs=1, final=0.1)
    assert found[0] == pytest.approx(1e-3)
    assert found[:11] == sorted(found[:11])
    assert found[10] == pytest.approx(1)
    for k in range(30):
        assert found[10 + k] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * k / 30)) / 2)


def test_steps_multiply_and_constant_stays():
    found = rates(2, 6, name="step", step_epochs=2, factor=0.5)
    assert found == pytest.approx([1] * 4 + [0.5] * 4 + [0.25] * 4)
    assert rates(2, 3, name="constant") == [1.0] * 6


def test_a_plateau_lowers_the_rate_after_its_patience():
    optimizer = make_optimizer(OptimizerConfig(name="sgd", learning_rate=1.0), [parameter()])
    schedule = Schedule(ScheduleConfig(name="plateau", factor=0.5, patience=1), optimizer, 1, 9)
    found = []
    for figure in (0.5, 0.6, 0.6, 0.6, 0.6, 0.9):
        optimizer.step()
        schedule.step()
        schedule.evaluated(figure)
        found.append(schedule.learning_rate)
    assert found == [1, 1, 1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("figures", [(-0.5, -0.5, -0.5, -0.5), (-0.5, -0.500001, -0.500002, -0.500003)])
def test_a_loss_that_stands_or_creeps_up_is_no_gain(figures):
    optimizer = make_optimizer(OptimizerConfig(name="sgd", learning_rate=1.0), [parameter()])
    schedule = Schedule(ScheduleConfig(name="plateau", factor=0.5, patience=2), optimizer, 1, 9)
    for figure in figures:
        assert schedule.learning_rate == 1
        schedule.evaluated(figure)
    assert schedule.learning_rate == 0.5


@pytest.mark.parametrize("done", [3, 12, 20, 40])
def test_a_cosine_that_is_made_longer_goes_on_as_if_it_had_always_been(done):
    options = {"name": "cosine", "warmup_epochs": 1, "final": 0.1}
    optimizer = make_optimizer(OptimizerConfig(name="sgd", learning_rate=1.0), [parameter()])
    short = Schedule(ScheduleConfig(**options), optimizer, 10, 4)
    for _ in range(done):
        optimizer.step()
        short.step()
    resumed = make_optimizer(OptimizerConfig(name="sgd", learning_rate=1.0), [parameter()])
    longer = Schedule(ScheduleConfig(**options), resumed, 10, 8)
    resumed.load_state_dict(optimizer.state_dict())
    longer.load_state_dict(short.state_dict())
    found = []
    for _ in range(80 - done):
        found.append(longer.learning_rate)
        resumed.step()
        longer.step()
    assert found == pytest.approx(rates(10, 8, **options)[done:])


@pytest.mark.parametrize("name", ["constant", "cosine", "step", "plateau"])
def test_a_resumed_schedule_goes_on_the_same(name):
    options = {"name": name, "warmup_epochs": 1, "step_epochs": 1, "patience": 0}
    made = []
    for _ in range(2):
        optimizer = make_optimizer(OptimizerConfig(name="adam"), [parameter()])
        made.append((optimizer, Schedule(ScheduleConfig(**options), optimizer, 3, 4)))

    def go(index: int, steps: int) -> list[float]:
        optimizer, schedule = made[index]
        found = []
        for _ in range(steps):
            optimizer.step()
            schedule.step()
            schedule.evaluated(0.5)
            found.append(schedule.learning_rate)
        return found

    go(0, 5)
    made[1][0].load_state_dict(made[0][0].state_dict())
    made[1][1].load_state_dict(made[0][1].state_dict())
    assert go(0, 7) == go(1, 7)
