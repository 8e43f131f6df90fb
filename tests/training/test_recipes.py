"""Every config that comes with the package trains: two steps on a tiny dataset of its kind, a checkpoint that loads."""

import math

import pytest
import torch
from tiny_sets import tiny_set_for

from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT, load_model
from face3d_training.config import config_names, load_config
from face3d_training.train import train


@pytest.mark.slow
@pytest.mark.parametrize("name", config_names())
def test_two_steps(name, tmp_path):
    dataset, overrides = tiny_set_for(name, tmp_path)
    config = load_config(name, overrides.items())
    said: list[str] = []
    train(dataset, config, tmp_path / "run", say=said.append, stop_asked=lambda: False)
    trained = load_model(tmp_path / "run" / CHECKPOINT_FOLDER / LAST_CHECKPOINT)
    [figures] = trained.info["progress"]["history"]
    assert figures["step"] == 2
    assert math.isfinite(figures["loss"])
    assert trained.spec.name == config.model["name"] == load_config(name).model["name"]
    assert sorted(config.loss) == sorted(load_config(name).loss)
    torch.manual_seed(config.seed)
    fresh = type(trained.spec)(**{**trained.spec.model_dump()}).build().state_dict()
    moved = [key for key, value in trained.net.state_dict().items() if not torch.equal(value, fresh[key])]
    assert len(moved) > len(fresh) / 2, "the steps have changed the weights"
