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


@pytest.mark.parametrize(
    ("options", "momentum"),
    [({"name": "sgd"}, 0.9), ({"name": "rmsprop"}, 0.0), ({"name": "rmsprop", "momentum": 0.5}, 0.5)],
)
def test_momentum_is_that_of_the_optimizer_where_none_is_given(options, momentum):
    (group,) = make_optimizer(OptimizerConfig(**options), [parameter()]).param_groups
    assert group["momentum"] == momentum
    assert not group.get("nesterov")


def test_sgd_without_nesterov_is_the_plain_formula():
    weight = parameter()
    for nesterov, expected in ((False, 1 - 0.1 * (1 + 1.9)), (True, 1 - 0.1 * (1.9 + 1 + 0.9 * 1.9))):
        weight.data.fill_(1.0)
        optimizer = make_optimizer(OptimizerConfig(name="sgd", learning_rate=0.1, nesterov=nesterov), [weight])
        for _ in range(2):
            weight.grad = torch.ones(1)
            optimizer.step()
        assert weight.item() == pytest.approx(expected)


def test_norms_and_biases_go_without_decay_where_that_is_asked_for():
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.PReLU())
    optimizer = make_optimizer(OptimizerConfig(name="sgd", weight_decay=0.1, decay_norms=False), net.parameters())
    decayed = {id(one): group["weight_decay"] for group in optimizer.param_groups for one in group["params"]}
    found = {name: decayed[id(one)] for name, one in net.named_parameters()}
    assert found == {"0.weight": 0.1, "0.bias": 0, "1.weight": 0, "1.bias": 0, "2.weight": 0}


@pytest.mark.parametrize(
    ("section", "options", "message"),
    [
        (OptimizerConfig, {"name": "adam", "nesterov": True}, "nesterov: only sgd"),
        (OptimizerConfig, {"name": "sgd", "momentum": 0, "nesterov": True}, "nesterov: only sgd"),
        (ScheduleConfig, {"name": "milestones"}, "write both or none"),
        (ScheduleConfig, {"name": "step", "milestones": (3,)}, "write both or none"),
        (ScheduleConfig, {"name": "milestones", "milestones": (5, 3)}, "do not rise"),
        (ScheduleConfig, {"name": "milestones", "milestones": (2, 9), "warmup_epochs": 2}, "behind the warm-up"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(section, options, message):
    with pytest.raises(ValueError, match=message):
        section(**options)


def test_milestones_are_epochs_from_the_start():
    assert rates(2, 6, name="milestones", milestones=(2, 5), factor=0.5) == pytest.approx(
        [1] * 4 + [0.5] * 6 + [0.25] * 2
    )
    found = rates(2, 6, name="milestones", milestones=(2, 5), factor=0.5, warmup_epochs=1)
    assert found[2:] == pytest.approx([1] * 2 + [0.5] * 6 + [0.25] * 2)


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
