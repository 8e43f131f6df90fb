"""Plain and masked variants of one capture, drawn together: what they share, and runs that learn from them."""

import numpy as np
import pytest
import torch
from tiny_sets import map_set, points_set

from face3d_data.errors import RunStopped, UserError
from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT, load_model
from face3d_training.config import TrainConfig, load_config
from face3d_training.data import FaceRows
from face3d_training.sampler import PairSampler, ShuffleSampler
from face3d_training.torch_file import read_torch_file
from face3d_training.train import train
from face3d_training.variation import Variation

VARIED = {"shift_cells": 1, "tilt": 0.02, "noise_mm": 1.0, "holes": 0.5}


def rows_of(path, inputs="image", **options):
    config = TrainConfig(**options)
    return FaceRows(path, "train", config.data, inputs, None, Variation.of(config), config.seed)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return map_set(tmp_path_factory.mktemp("maps"))


def test_every_sample_comes_twice_in_a_row_as_an_even_and_an_odd_copy():
    batches = list(PairSampler(ShuffleSampler(10, 4, iterations=6, seed=1)))
    assert len(batches) == 6
    plain = list(ShuffleSampler(10, 4, iterations=6, seed=1))
    for batch, single in zip(batches, plain, strict=True):
        assert [draw[0] for draw in batch] == [row for row, _, _ in single for _ in range(2)]
        assert [draw[2] for draw in batch] == [2 * copy + odd for _, _, copy in single for odd in range(2)]


def test_processes_share_a_batch_of_pairs():
    whole = list(PairSampler(ShuffleSampler(10, 4, seed=1)))
    shares = [list(PairSampler(ShuffleSampler(10, 4, seed=1), rank, 2)) for rank in range(2)]
    assert [first + second for first, second in zip(*shares, strict=True)] == whole


def test_a_pair_differs_in_the_mask_alone(maps):
    paired = rows_of(maps, data={"fields": ["map"]}, masks={"pairs": True}, vary_map=VARIED)
    alone = rows_of(maps, data={"fields": ["map"]}, vary_map=VARIED)
    batch = paired.__getitems__([(3, 1, 4), (3, 1, 5), (7, 1, 0), (7, 1, 1)])
    unmasked = alone.__getitems__([(3, 1, 2), (7, 1, 0)])["inputs"]
    assert batch["masked"].tolist() == [False, True, False, True]
    assert batch["pair"][0] == batch["pair"][1] != batch["pair"][2] == batch["pair"][3]
    assert batch["pair"].min() >= 0
    np.testing.assert_array_equal(batch["inputs"][::2], unmasked)
    for plain, worn in batch["inputs"].reshape(2, 2, 4, 32, 32):
        changed = np.abs(plain - worn).max(axis=0) > 1e-4
        assert 0.05 < changed.mean() < 0.7
        upper = np.flatnonzero(changed.any(axis=1))[0]
        assert np.array_equal(plain[:, :upper], worn[:, :upper])
        assert upper > 3


def test_no_two_pairs_of_a_batch_have_one_number(maps):
    rows = rows_of(maps, data={"fields": ["map"]}, masks={"pairs": True})
    sampler = PairSampler(ShuffleSampler(len(rows), 24, iterations=3))
    for draws in sampler:
        assert (np.unique(rows.__getitems__(draws)["pair"], return_counts=True)[1] == 2).all()


@pytest.mark.parametrize("n_points", [64, 256])
def test_a_face_that_wears_a_mask_or_cannot_wear_one_has_no_partner(tmp_path, n_points):
    """Of 64 points too few are left of a face for a mask to be fitted."""
    rows = rows_of(points_set(tmp_path, n_points=n_points), "points", masks={"pairs": True})
    place = int(np.flatnonzero(rows.masked)[0])
    other = int(np.flatnonzero(~rows.masked)[0])
    batch = rows.__getitems__([(place, 0, 0), (place, 0, 1), (other, 0, 0), (other, 0, 1)])
    fits = n_points == 256
    assert batch["mask_refused"].tolist() == [False, False, False, not fits]
    assert batch["masked"].tolist() == [True, True, False, fits]
    assert batch["pair"][:2].tolist() == [-1, -1]
    assert (batch["pair"][3] == batch["pair"][2]) == fits


def test_without_pairs_a_batch_has_no_numbers(maps):
    assert "pair" not in rows_of(maps, data={"fields": ["map"]}, masks={"share": 0.5}).__getitems__([(0, 0, 0)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masks.share": 0.3}, r"with pairs half of the samples wear a mask"),
        ({"batch.size": 15}, r"batch\.size: 15, .*even number"),
        ({"batch.sampler": "pk", "batch.samples": 3}, r"batch\.samples: 3, .*even number"),
        ({"triplets.offline": True}, r"masks\.pairs: triplets that are drawn in advance"),
        ({"masks.pairs": False, "loss": "arcface,consistency"}, r"loss consistency: .*: add --masks\.pairs$"),
        ({"loss": "consistency"}, r"--loss consistency: keeps nobody apart alone: .*--loss arcface,consistency$"),
        ({"loss": {"arcface": {}, "consistency": {"teacher": "gone.pt"}}}, r"gone\.pt: no such checkpoint"),
    ],
)
def test_what_cannot_be_is_refused(maps, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        train(maps, small(**changes), tmp_path / "run", say=quiet, stop_asked=never)


def small(**changes):
    values = {"model.image_size_px": 32, "model.widths": [8, 8, 8, 8], "model.embedding_size": 16, "threads": 1}
    values |= {"batch.size": 16, "epochs": 2, "device": "cpu", "masks.pairs": True, "stop.collapse_spread": 0}
    return load_config("maps", [*values.items(), *changes.items()])


def quiet(line):
    pass


def never():
    return False


class StopAfter:
    """Asks to stop after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self):
        self.left -= 1
        return self.left == 0


def state(run):
    return read_torch_file(run / CHECKPOINT_FOLDER / LAST_CHECKPOINT)


@pytest.mark.slow
@pytest.mark.parametrize("losses", [{"arcface": {}, "consistency": {}}, {"adaface": {}}])
def test_a_resumed_run_of_pairs_computes_the_same_bits(maps, tmp_path, losses):
    config = small(loss=losses, **{"batch.accumulate": 2})
    train(maps, config, tmp_path / "straight", say=quiet, stop_asked=never)
    with pytest.raises(KeyboardInterrupt):
        train(maps, config, tmp_path / "stopped", say=quiet, stop_asked=StopAfter(3))
    train(maps, config, tmp_path / "stopped", resume=True, say=quiet, stop_asked=never)
    one, other = state(tmp_path / "straight"), state(tmp_path / "stopped")
    assert one["progress"]["step"] == 2 * 4  # 32 captures, each twice, in batches of 16
    for kind in ("model_state_dict", "loss_state_dict"):
        assert all(torch.equal(one[kind][name], other[kind][name]) for name in one[kind])
    if "consistency" in losses:
        assert one["progress"]["history"][-1]["consistency.pairs"] == 8


@pytest.mark.slow
def test_a_teacher_stays_as_it_is_counts_as_seen_and_is_the_same_after_a_stop(maps, tmp_path):
    first = train(maps, small(epochs=1), tmp_path / "teacher", say=quiet, stop_asked=never)
    before = first.read_bytes()
    config = small(seed=3, loss={"arcface": {}, "consistency": {"teacher": str(tmp_path / "teacher")}})
    with pytest.raises(KeyboardInterrupt):
        train(maps, config, tmp_path / "run", say=quiet, stop_asked=StopAfter(2))
    train(maps, config, tmp_path / "run", resume=True, say=quiet, stop_asked=never)
    assert first.read_bytes() == before
    made = state(tmp_path / "run")
    assert made["training_data_complete"]
    assert not any("teacher" in name for name in [*made["model_state_dict"], *made["loss_state_dict"]])
    train(maps, small(epochs=1, seed=9), tmp_path / "teacher", restart=True, say=quiet, stop_asked=never)
    with pytest.raises(RunStopped, match="has other weights than when the run was started"):
        train(maps, config.model_copy(update={"epochs": 3}), tmp_path / "run", resume=True, say=quiet, stop_asked=never)
    assert load_model(tmp_path / "run").spec.name == "map_resnet"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.embedding_size": 8}, r"16 numbers, those of the model 8: set model\.embedding_size to 16"),
        ({"data.map_scale_mm": 7.0}, r"data\.map_scale_mm 5\.0, not 7\.0"),
    ],
)
def test_a_teacher_of_another_kind_is_refused(maps, tmp_path, changes, message):
    train(maps, small(epochs=1), tmp_path / "teacher", say=quiet, stop_asked=never)
    loss = {"arcface": {}, "consistency": {"teacher": str(tmp_path / "teacher")}}
    with pytest.raises(UserError, match=message):
        train(maps, small(loss=loss, **changes), tmp_path / "run", say=quiet, stop_asked=never)
