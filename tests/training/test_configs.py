"""The configs that come with the package: each loads, and fits its network, its losses and a dataset of its kind."""

import re
from pathlib import Path

import pytest
from tiny_sets import tiny_set_for

from face3d_training.config import CHECKOUT_CONFIGS, config_names, load_config
from face3d_training.data import FaceRows
from face3d_training.losses.weighted import build_losses
from face3d_training.registry import make_spec
from face3d_training.variation import Variation

NAMES = config_names()
RECIPES = {
    "points_pointnet": {"model.name": "pointnet", "data.n_points": 2048},
    "points_pointnet2": {"model.name": "pointnet2_ssg", "data.n_points": 2048},
    "points_pointmlp": {"model.name": "pointmlp", "data.n_points": 2048},
    "rgb_triplet": {
        **{"model.name": "resnet34", "data.image_size_px": 140, "loss.triplet.margin": 0.2},
        "loss.triplet.mining": "all",  # what these trainers call hard
        **{"optimizer.name": "adagrad", "optimizer.learning_rate": 0.075, "triplets.offline": True},
        **{"batch.identities": 32, "batch.samples": 544 // 32},
    },
    "rgbd_softmax": {"model.name": "resnet50", "model.in_channels": 4, "data.image_size_px": 224},
    "arcface": {"model.name": "ir50", "data.image_size_px": 112, "loss.arcface.margin": 0.5, "loss.arcface.scale": 64},
    "cosface": {"model.name": "ir50", "data.image_size_px": 112, "loss.cosface.margin": 0.35},
    "center": {"model.name": "ir50", "data.image_size_px": 112, "loss.center.weight": 0.003},
    "masked_lpd": {
        **{"model.name": "lpd", "batch.identities": 16, "batch.samples": 8, "schedule.warmup_epochs": 20},
        **{"data.image_size_px": 128, "batch.mix_masked": True},
    },
    "demo": {"model.name": "pointnet_basic", "data.n_points": 512},
    "points_small": {"model.name": "pointnet_basic", "model.widths": [32, 64, 256], "data.n_points": 512},
}
MASKED_TRIPLETS = {
    **{"batch.identities": 32, "batch.accumulate": 4, "loss.triplet.margin": 0.5, "model.embedding_size": 512},
    "batch.mix_masked": True,
}


def value_of(config, key):
    value = config
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is(name):
    config = load_config(name)
    assert config.name == name
    assert len(config.description) > 40
    assert (CHECKOUT_CONFIGS / f"{name}.yaml").read_text("utf-8").startswith("# ")


def test_every_recipe_of_the_field_is_there():
    assert set(RECIPES) <= set(NAMES)
    for name, values in RECIPES.items():
        config = load_config(name)
        values = values | (MASKED_TRIPLETS if name.startswith("points_point") else {})
        assert {key: value_of(config, key) for key in values} == values, name


def test_the_page_names_every_config():
    page = (CHECKOUT_CONFIGS / "README.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_config_fits_its_network_its_losses_and_a_dataset_of_its_kind(name, tmp_path):
    path, overrides = tiny_set_for(name, tmp_path)
    config = load_config(name, overrides.items())
    options = dict(config.model)
    spec = make_spec("model", options.pop("name"), options)
    rows = FaceRows(Path(path), "train", config.data, spec.inputs, config.data.where, Variation.of(config), config.seed)
    assert rows.channels == spec.in_channels
    assert len(rows.identities) >= config.batch.identities
    net = spec.build()
    build_losses(config.loss, len(rows.identities), spec.embedding_size)
    assert sum(parameter.numel() for parameter in net.parameters()) > 10_000
    inputs = rows.collate(rows.__getitems__([(i, 0, 0) for i in range(4)]))["inputs"]
    assert net.eval()(inputs).shape == (4, spec.embedding_size)
