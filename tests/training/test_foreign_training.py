"""Training that another program began: the next steps are those that it would have made, or a line says why not."""

import json
import re
from pathlib import Path

import pytest
import torch
from tiny_sets import image_set
from torch import nn

from face3d_data.errors import UserError
from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT
from face3d_training.config import OptimizerConfig, ScheduleConfig, load_config
from face3d_training.foreign import start_from
from face3d_training.foreign_training import take_training
from face3d_training.optimization import Schedule, make_optimizer
from face3d_training.registry import make_spec
from face3d_training.torch_file import read_torch_file
from face3d_training.train import train

SIZE = 8
THEIRS = {
    "adam": lambda weights: torch.optim.Adam(weights, 0.01, weight_decay=1e-5),
    "adagrad": lambda weights: torch.optim.Adagrad(weights, 0.01, initial_accumulator_value=0.1, weight_decay=1e-5),
    "sgd": lambda weights: torch.optim.SGD(weights, 0.01, momentum=0.9, weight_decay=1e-5),
    "rmsprop": lambda weights: torch.optim.RMSprop(weights, 0.01, weight_decay=1e-5),
}
"""Optimizers as the two trainers of triplets make them."""


class Theirs(nn.Module):
    """The published wrapper of a network whose last layer has no bias."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.model = make_spec("model", "resnet18", {"embedding_size": SIZE}).build()
        self.model.fc = nn.Linear(512, SIZE, bias=False)

    def forward(self, images):
        return self.model(images)


def steps(net, optimizer, count, seed):
    """Make steps of which each moves every weight, on images of its own."""
    generator = torch.Generator().manual_seed(seed)
    net.train()
    for _ in range(count):
        images, goal = torch.randn(3, 3, 32, 32, generator=generator), torch.randn(3, SIZE, generator=generator)
        optimizer.zero_grad()
        (net(images) - goal).square().sum().backward()
        optimizer.step()


def checkpoint(net, optimizer, epoch=18):
    return {
        "epoch": epoch,
        "embedding_dimension": SIZE,
        "model_state_dict": net.state_dict(),
        "model_architecture": "resnet18",
        "optimizer_model_state_dict": optimizer.state_dict(),
    }


def ours(content, **options):
    """Return our network with the weights of a checkpoint, and an optimizer of it."""
    config = OptimizerConfig(learning_rate=0.01, weight_decay=1e-5, **options)
    spec = make_spec("model", "resnet18", {"embedding_size": SIZE})
    net = spec.build()
    start_from(net, spec, "old.pt", content, continued=True)
    return spec, net, config, make_optimizer(config, net.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", THEIRS)
def test_the_next_steps_are_those_that_the_other_program_would_have_made(tmp_path, name):
    net = Theirs()
    optimizer = THEIRS[name](net.parameters())
    steps(net, optimizer, 2, seed=0)
    torch.save(checkpoint(net, optimizer), tmp_path / "old.pt")
    content = read_torch_file(tmp_path / "old.pt")
    spec, own, config, mine = ours(content, name=name)
    begun = take_training("old.pt", content, own, spec, mine, config)
    assert begun.epochs == 19
    (line,) = begun.notes
    assert line.startswith(
        f"weights old.pt: goes on behind its 19 epochs; the state of its optimizer is taken ({name}, 61"
    )
    steps(net, optimizer, 1, seed=1)
    own.fc.bias.requires_grad_(False)  # a layer without one stays so
    steps(own, mine, 1, seed=1)
    for key, weight in net.model.state_dict().items():
        assert torch.equal(weight, own.state_dict()[key]), key


@pytest.mark.slow
def test_state_is_found_by_name_where_networks_have_other_names():
    recorded = json.loads((Path(__file__).parent / "models" / "published_outputs.json").read_text())
    shapes = next(each["weights"] for each in recorded if each["architecture"] == "pointMLPEliteTriplet")
    moved = [name for name in shapes if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    state = {i: {"step": 5, "sum": torch.full(tuple(shapes[name]), float(i))} for i, name in enumerate(moved)}
    group = {"lr": 1, "initial_accumulator_value": 0.1, "params": list(state)}
    content = {
        "model_state_dict": {name: torch.ones(shape) for name, shape in shapes.items()},
        "optimizer_model_state_dict": {"state": state, "param_groups": [group]},
    }
    spec = make_spec("model", "pointmlp_elite", {"dropout": 0.5})
    net, config = spec.build(), OptimizerConfig(name="adagrad")
    optimizer = make_optimizer(config, net.parameters())
    begun = take_training("old.pt", content, net, spec, optimizer, config)
    assert begun.epochs == 0
    assert "says no epoch: begins with the first; the state of its optimizer is taken" in begun.notes[0]
    plain = {name: name.removeprefix("model.") for name in moved}
    names = {name: next(iter(spec.renamed({plain[name]: torch.ones(1)})), None) for name in moved}
    own = dict(net.named_parameters())
    placed = {name: here for name, here in names.items() if here in own}
    assert len(placed) > 60
    for name, here in placed.items():
        kept = optimizer.state[own[here]]
        assert kept["sum"].shape == own[here].shape
        assert (kept["sum"] == moved.index(name)).all()
        assert float(kept["step"]) == 5


def other(content, change):
    saved = content["optimizer_model_state_dict"]
    group, states = dict(saved["param_groups"][0]), {number: dict(state) for number, state in saved["state"].items()}
    return {**content, "optimizer_model_state_dict": change(group, states)}


def whole(group, states):
    return {"param_groups": [group], "state": states}


@pytest.fixture(scope="module")
def adam():
    net = Theirs()
    optimizer = THEIRS["adam"](net.parameters())
    steps(net, optimizer, 1, seed=0)
    return checkpoint(net, optimizer)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "options", "why"),
    [
        (whole, {"name": "sgd"}, "it is of adam(w| or adamw)?, this run has sgd: set --optimizer.name"),
        (lambda group, states: None, {"name": "adam"}, "the file has none"),
        (lambda group, states: {"state": states}, {"name": "adam"}, "it is not what torch writes"),
        (
            lambda group, states: whole({**group, "params": group["params"][:-1]}, states),
            {"name": "adam"},
            "it is of 60 weights, and the network has 61 there",
        ),
        (
            lambda group, states: whole(group, {**states, 0: {**states[0], "exp_avg": torch.ones(2, 2)}}),
            {"name": "adam"},
            r"exp_avg of conv1.weight is \(2, 2\) there, \(64, 3, 7, 7\) here",
        ),
        (
            lambda group, states: whole({"alpha": 0.9, "params": group["params"]}, {0: {"square_avg": torch.ones(1)}}),
            {"name": "rmsprop", "momentum": 0.9},
            "it keeps square_avg of each weight, this run momentum_buffer, square_avg: momentum differs",
        ),
        (lambda group, states: whole(group, {}), {"name": "adam"}, "it holds nothing: no step was made there"),
    ],
)
def test_what_does_not_fit_is_left_out_with_the_reason(adam, change, options, why):
    content = other(adam, change)
    spec, net, config, optimizer = ours(content, **options)
    begun = take_training("old.pt", content, net, spec, optimizer, config)
    pattern = re.compile(rf"weights old\.pt: goes on behind its 19 epochs; .* not taken: {why}$")
    assert pattern.fullmatch(begun.notes[0]), begun.notes[0]
    assert not any(optimizer.state.values()), "nothing of it, rather than half"


@pytest.mark.slow
def test_a_run_counts_on_from_the_epoch_and_the_rate_is_that_of_its_place(tmp_path):
    net = Theirs()
    optimizer = THEIRS["adagrad"](net.parameters())
    steps(net, optimizer, 1, seed=0)
    torch.save(checkpoint(net, optimizer, epoch=3), tmp_path / "old.pt")
    dataset = image_set(tmp_path)
    keys = [
        *(("model", {"name": "resnet18", "embedding_size": SIZE}), ("data.fields", ["color"]), ("threads", 1)),
        *(("data.image_size_px", 32), ("batch.identities", 3), ("batch.samples", 2), ("batch.iterations", 1)),
        *(("optimizer.name", "adagrad"), ("optimizer.learning_rate", 0.01), ("schedule.name", "milestones")),
        *(("schedule.milestones", [2, 5]), ("device", "cpu"), ("loss.triplet.mining", "all"), ("epochs", 6)),
        *(("weights", str(tmp_path / "old.pt")), ("continue_training", True), ("stop.collapse_spread", 0)),
    ]
    said = []
    train(dataset, load_config(None, keys), tmp_path / "run", say=said.append, stop_asked=lambda: False)
    assert [line.partition(":")[0] for line in said if line.startswith("epoch ")] == ["epoch 5/6", "epoch 6/6"]
    history = read_torch_file(tmp_path / "run" / CHECKPOINT_FOLDER / LAST_CHECKPOINT)["progress"]["history"]
    assert [row["step"] for row in history] == [5, 6]
    assert [row["learning_rate"] for row in history] == pytest.approx([1e-4, 1e-4])
    assert any("goes on behind its 4 epochs; the state of its optimizer is taken" in line for line in said)
    with pytest.raises(UserError, match="4 epochs of its training are done, and this run has 4: more --epochs"):
        train(dataset, load_config(None, [*keys, ("epochs", 4)]), tmp_path / "done", stop_asked=lambda: False)
    assert not (tmp_path / "done").exists()
    own = load_config(None, [*keys, ("weights", str(tmp_path / "run"))])
    with pytest.raises(UserError, match=r"is of this program: --resume"):
        train(dataset, own, tmp_path / "own", stop_asked=lambda: False)


def test_a_schedule_that_goes_to_a_step_is_where_one_that_made_them_is():
    for name, more in (("cosine", {}), ("step", {}), ("milestones", {"milestones": (2, 5)}), ("constant", {})):
        rates = []
        for jump in (True, False):
            optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1)
            schedule = Schedule(ScheduleConfig(name=name, warmup_epochs=1, **more), optimizer, 4, 8)
            if jump:
                schedule.go_to(13)
            for _ in range(0 if jump else 13):
                optimizer.step()
                schedule.step()
            rates.append(schedule.learning_rate)
        assert rates[0] == rates[1], name


def test_there_must_be_something_to_continue():
    with pytest.raises(UserError, match="continue_training: goes with weights"):
        load_config(None, [("continue_training", True)])
