"""Networks and losses named as `module:Name` from a folder without a package: trained, resumed, loaded, evaluated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_sets import points_set

from face3d_data.cli.main import _answer
from face3d_data.errors import UserError
from face3d_training.checkpoint import load_model
from face3d_training.config import load_config

pytestmark = pytest.mark.slow
PARTS = '''"""A network and two losses of a study."""

import torch
from torch import nn


class Net(nn.Module):
    """The mean of what each point becomes.

    Args:
        width: channels of each point.
    """

    def __init__(self, embedding_size: int = 8, width: int = 16, in_channels: int = 3):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(in_channels, width), nn.ReLU(), nn.Linear(width, embedding_size))

    def forward(self, points):
        return self.layers(points).mean(1)


class Spread(nn.Module):
    """Cross-entropy of a linear classifier."""

    def __init__(self, n_classes, embedding_size, scale: float = 8.0):
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.ones(n_classes, embedding_size).triu()), scale

    def forward(self, embeddings, labels):
        return nn.functional.cross_entropy(self.scale * embeddings @ self.weight.T, labels)


def closeness(embeddings, labels, margin: float = 0.1):
    """Distance to the next sample, whoever it is of."""
    return (embeddings - embeddings.roll(1, 0)).square().sum(1).clamp_min(margin).mean()


class Several(nn.Module):
    """Returns no embedding of the length that it says."""

    def __init__(self, embedding_size: int = 8):
        super().__init__()
        self.layer = nn.Linear(3, embedding_size + 1)

    def forward(self, points):
        return self.layer(points).mean(1)


class Sizeless(nn.Module):
    """Takes no size."""


def each(embeddings, labels):
    return embeddings.sum(1)
'''
SMALL = (
    *("--batch.identities", "4", "--batch.samples", "4", "--epochs", "1", "--threads", "1", "--device", "cpu"),
    *("--stop.collapse-spread", "0"),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return points_set(tmp_path_factory.mktemp("set"), masked=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that holds the parts, which is the current one; nothing of it is left in this process."""
    (tmp_path / "my_parts.py").write_text(PARTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield tmp_path
    sys.modules.pop("my_parts", None)


def call(capsys, *arguments):
    code = _answer([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


def test_a_network_and_losses_are_trained_by_the_installed_command(dataset, folder):
    command = [Path(sys.executable).with_name("face3d"), "train", dataset, "--out", "run", *SMALL]
    own = ["--model", "my_parts:Net", "--model.width", "12", "--loss", "my_parts:Spread,my_parts:closeness"]
    own += ["--loss.my_parts:closeness.margin", "0.3", "--loss.my_parts:closeness.weight", "0.5", "--workers", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*command, *own], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("my_parts:Net: 152 parameters; 32 samples of 8 people")
    trained = load_model(folder / "run")
    assert trained.spec.width == 12
    embeddings = trained.net(torch.rand(2, 64, 3))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [command[0], "evaluate", dataset, "../run"], cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "run/checkpoints/best.pt: network my_parts:Net: no module named 'my_parts' here or on" in line


def test_a_run_of_ones_own_network_goes_on_and_is_evaluated(dataset, folder, capsys):
    own = ("--model", "my_parts:Net", "--loss", "my_parts:Spread", *SMALL)
    assert call(capsys, "train", dataset, *own, "--out", "run")[0] == 0
    assert call(capsys, "train", dataset, *own, "--epochs", "2", "--out", "run", "--resume")[0] == 0
    code, out, err = call(capsys, "evaluate", dataset, "run", "--out", "report")
    assert (code, err) == (0, "")
    assert "auc" in out.lower()


def test_a_loss_of_another_library_is_one(dataset, folder, capsys):
    name = "pytorch_metric_learning.losses:TripletMarginLoss"
    own = ("--model", "my_parts:Net", "--loss", name, f"--loss.{name}.margin", "0.2", *SMALL)
    assert call(capsys, "train", dataset, *own, "--out", "run")[0] == 0
    assert load_config(None, [("loss", name), (f"loss.{name}.margin", "0.2")]).loss == {name: {"margin": 0.2}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--model", "my_parts:Nett"),
            "network my_parts:Nett: {folder}/my_parts.py has no 'Nett': did you mean 'Net'?",
        ),
        (("--model", "my_partz:Net"), "network my_partz:Net: no module named 'my_partz' here or on PYTHONPATH"),
        (("--model", "my_parts:closeness"), "network my_parts:closeness: is a function, not a network: see"),
        (
            ("--model", "my_parts:Net", "--model.widht", "3"),
            "unknown option 'widht' (known: embedding_size, in_ch",
        ),
        (("--model", "my_parts:Net", "--model.width", "x"), "model my_parts:Net: 'width' = 'x': give a whole number"),
        (("--model", "my_parts:Sizeless"), "its constructor takes no embedding_size: add embedding_size: int = 128"),
        (("--model", "my_parts:Several"), "returns (16, 9) for 16 samples: return a tensor (16, 8)"),
        (("--model", "my_parts:Net", "--data.fields", "points,normals"), "takes 3 channels and data.fields"),
        (("--loss", "my_parts:each"), "loss my_parts:each: returns a tensor (16,): return one number"),
        (("--loss", "my_parts:torch"), "loss my_parts:torch: is a module, not a loss"),
        (
            ("--loss", "my_parts:closeness", "--loss.my_parts:closeness.m", "1"),
            "loss my_parts:closeness: unknown option 'm'",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(dataset, folder, capsys, options, said):
    own = (*SMALL, "--out", "run", *(() if "--model" in options else ("--model", "my_parts:Net")), *options)
    code, _, err = call(capsys, "train", dataset, *own)
    assert code == 2
    (line,) = err.splitlines()
    assert said.format(folder=folder) in line


def test_commands_show_them(folder, capsys):
    code, out, _ = call(capsys, "models", "my_parts:Net")
    assert code == 0
    assert " ".join(out.split()).startswith(
        "my_parts:Net (network): The mean of what each point becomes. (points, 0.00 M weights)"
    )
    assert "width           channels of each point (int; default 16)" in out
    assert "margin" in call(capsys, "components", "loss", "my_parts:closeness")[1]


@pytest.mark.usefixtures("folder")
def test_a_config_in_yaml_names_them_too():
    Path("own.yaml").write_text('model: {name: "my_parts:Net", width: 4}\nloss: {"my_parts:Spread": {scale: 3}}\n')
    config = load_config("own.yaml", [("loss.my_parts:Spread.weight", "2")])
    assert config.model == {"name": "my_parts:Net", "width": 4}
    assert config.loss == {"my_parts:Spread": {"scale": 3, "weight": 2}}
    with pytest.raises(UserError, match=r"no such checkpoint|contains no"):
        load_model("missing")
