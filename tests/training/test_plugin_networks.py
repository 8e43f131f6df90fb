"""Networks of other packages: a broken one is one line, and one that says nothing of channels takes three."""

from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest
import torch
from tiny_sets import points_set

from face3d_data import registry as data_registry
from face3d_data.cli.main import _answer
from face3d_data.errors import UserError
from face3d_training import registry
from face3d_training.config import load_config
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.train import train


class Mean(EmbeddingNet):
    def __init__(self, size, channels):
        super().__init__()
        self.embedding_size, self.linear = size, torch.nn.Linear(channels, size)

    def compute(self, inputs):
        return {"embedding": self.linear(inputs.mean(1))}


class Silent(ModelSpec):
    """A network that says nothing of its channels."""

    name = "silent_mean"
    inputs = "points"

    def build(self):
        return Mean(self.embedding_size, 3)


class Any(ModelSpec):
    """A network that takes any number of channels."""

    name = "any_mean"
    inputs = "points"
    in_channels: ClassVar[None] = None

    def build(self):
        return Mean(self.embedding_size, 6)


KEYS = [
    *(("model.embedding_size", 8), ("data.n_points", 32), ("data.fields", ["points", "normals"]), ("threads", 1)),
    *(("batch.identities", 4), ("batch.samples", 4), ("epochs", 1), ("device", "cpu"), ("stop.collapse_spread", 0)),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return points_set(tmp_path_factory.mktemp("set"), masked=False)


@pytest.fixture
def plugins(monkeypatch):
    registry.specs("model")
    more = {("model", "silent_mean"): Silent, ("model", "any_mean"): Any}
    monkeypatch.setattr(registry.NETWORKS, "_known", {**registry.NETWORKS._known, **more})


def go(dataset, folder, name):
    return train(dataset, load_config(None, [("model", name), *KEYS]), folder, say=lambda line: None, stop_asked=bool)


@pytest.mark.usefixtures("plugins")
def test_a_network_that_says_nothing_of_channels_takes_three(dataset, tmp_path):
    with pytest.raises(
        UserError, match=r"silent_mean takes 3 channels and data.fields \(points, normals\) give 6: set"
    ) as stop:
        go(dataset, tmp_path / "run", "silent_mean")
    assert "--model.in-channels" not in str(stop.value), "it has no such option"


@pytest.mark.slow
@pytest.mark.usefixtures("plugins")
def test_one_that_takes_any_number_is_given_them(dataset, tmp_path):
    assert go(dataset, tmp_path / "run", "any_mean").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", ["raise RuntimeError('boom\\nboom')", "import no_such_module_1", "raise SystemExit(3)"]
)
def test_a_broken_plugin_is_a_line_and_no_traceback(tmp_path, monkeypatch, capsys, caplog, code):
    (tmp_path / "broken_net.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("broken", "broken_net", registry.ENTRY_POINTS)
    monkeypatch.setattr(data_registry, "entry_points", lambda group: [entry] if group == entry.group else [])
    registry.NETWORKS.forget_plugins()
    try:
        assert _answer(["models"]) == 0
    finally:
        registry.NETWORKS.forget_plugins()
    assert "pointnet_basic" in capsys.readouterr().out
    (record,) = [record for record in caplog.records if "broken_net" in record.getMessage()]
    assert record.getMessage().startswith("plugin broken_net of package ? cannot be loaded (")
    assert "\n" not in record.getMessage()
