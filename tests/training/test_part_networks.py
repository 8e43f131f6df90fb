"""Training of part networks on maps: with what they see of masks themselves, and with what the dataset says of them."""

import numpy as np
import pytest
import torch
from tiny_sets import map_set

from face3d_data.errors import UserError
from face3d_training.checkpoint import load_model
from face3d_training.config import load_config
from face3d_training.train import train
from face3d_training.trained_rows import rows_for

PARTS = {"model": {"name": "map_part_resnet", "image_size_px": 32, "widths": [4, 4, 8, 8], "embedding_size": 16}}


def config_of(**changes):
    values = {"batch.size": 16, "epochs": 1, "device": "cpu", "threads": 1, "stop.collapse_spread": 0}
    values |= {"model.cell_mm": 4.0, "batch.accumulate": 2}
    return load_config("maps", [*PARTS.items(), *values.items(), *changes.items()])


def run(path, config, folder):
    return load_model(train(path, config, folder, say=lambda line: None, stop_asked=lambda: False))


@pytest.mark.slow
def test_it_learns_from_drawn_masks_and_looks_at_maps_alone_afterwards(tmp_path):
    path = map_set(tmp_path)
    trained = run(path, config_of(loss="arcface,occlusion"), tmp_path / "run")
    [figures] = trained.info["progress"]["history"]
    assert 0 < figures["occlusion.right"] <= 1
    rows, _ = rows_for(trained, path, "test")
    batch = rows.__getitems__([(0, 0, 0), (1, 0, 0)])
    assert "map_occlusion" not in batch
    with torch.no_grad():
        outputs = trained.net(torch.from_numpy(batch["inputs"]), full=True)
    assert outputs["occlusion"].shape == (2, 16, 16)
    assert outputs["part_weights"].shape == (2, 3)


@pytest.mark.slow
def test_with_the_field_the_dataset_says_what_is_covered(tmp_path):
    path = map_set(tmp_path, occluded=True)
    given = {"model.occlusion": "given", "model.in_channels": 5, "data.fields": ["map", "map_occlusion"]}
    trained = run(path, config_of(**given), tmp_path / "run")
    rows, _ = rows_for(trained, path, "test")
    inputs = rows.__getitems__([(0, 0, 0)])["inputs"]
    np.testing.assert_array_equal(inputs[0, 4, :3], inputs[0, 3, :3])
    assert not inputs[0, 4, 3:].any()
    with torch.no_grad():
        known = trained.net(torch.from_numpy(inputs), full=True)["part_weights"]
        inputs[0, 4] = 0
        free = trained.net(torch.from_numpy(inputs), full=True)["part_weights"]
    assert known[0, 0] < free[0, 0]
    with pytest.raises(UserError, match="has no 'map_occlusion'"):
        rows_for(trained, map_set(tmp_path / "other"), "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.cell_mm": 2.0, "model.top_mm": 30.0}, r"model\.cell_mm: 2, but the maps .* have 4: set it so"),
        ({"model.top_mm": 60.0}, r"model\.top_mm: 60, but the maps .* have 66"),
        (
            {"loss": "arcface,occlusion", "model": "map_resnet", "model.image_size_px": 32},
            "needs the output 'occlusion'",
        ),
        (
            {"loss": "arcface,occlusion", "masks.share": 0.0},
            r"loss occlusion: nothing is covered in training .*: add --masks\.share 0\.5",
        ),
    ],
)
def test_networks_that_do_not_fit_the_maps_or_the_loss_are_refused(tmp_path, changes, message):
    values = {} if changes.get("model") is None else {"model.cell_mm": None}
    config = config_of(**changes) if not values else load_config("maps", [*changes.items(), ("device", "cpu")])
    with pytest.raises(UserError, match=message):
        run(map_set(tmp_path), config, tmp_path / "run")
