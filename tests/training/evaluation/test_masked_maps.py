"""Masks drawn over the maps that the baseline LDA learns from, and the choice of its rows."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_sets import map_set

from face3d_data.errors import UserError
from face3d_data.geometry.depth_map import GRID
from face3d_data.shards.read import Dataset
from face3d_training.evaluation.baselines.masked_maps import masked_depth_maps
from face3d_training.evaluation.baselines.methods import depth_maps
from face3d_training.evaluation.baselines.plan import LDA, MASKED_LDA, plan_baselines


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return Dataset(map_set(tmp_path_factory.mktemp("maps")))


def test_a_drawn_mask_lies_in_front_of_the_face_and_leaves_its_upper_part(dataset):
    rows = dataset.table("train").iloc[3:7]
    plain = depth_maps(dataset, "train", rows.index.to_numpy())
    masked, tagged = masked_depth_maps(dataset, "train", rows)
    assert tagged["mask"].tolist() == ["drawn"] * 4
    assert tagged["sample_id"].tolist() == rows["sample_id"].tolist()
    both = np.isfinite(plain) & np.isfinite(masked)
    off = np.where(both, masked - plain, 0)
    changed = np.abs(off) > 0.01
    assert (changed.mean(axis=1) > 0.1).all()
    assert not changed[:, GRID[:, 1] > 34].any()
    assert np.median(off[changed]) > 0.5  # the cloth stands off the skin
    assert np.array_equal(masked_depth_maps(dataset, "train", rows)[0], masked, equal_nan=True)


def told_of(dataset, masked, **options):
    table = dataset.table("test")
    if masked:
        table = table.assign(mask=["none", "kn95"] * (len(table) // 2))
    plan = plan_baselines(dataset, "test", table, True, None, **options)
    found, told = plan.learn(lambda label, done, total: None)
    again = found.on(dataset, "eval", dataset.table("eval"), lambda label, done, total: None)
    assert [matcher.name for matcher in again] == [matcher.name for matcher in found.matchers]
    return [matcher.name for matcher in found.matchers], told


def test_where_masked_faces_are_judged_a_second_lda_learns_from_drawn_masks(dataset):
    assert told_of(dataset, False)[0] == ["depth map, untrained", LDA]
    names, told = told_of(dataset, True)
    assert names == ["depth map, untrained", LDA, MASKED_LDA]
    assert told[1].startswith(f"{MASKED_LDA}: learnt from 8 people of dataset maps")


def test_a_query_chooses_the_rows_that_lda_learns_from(dataset):
    people = sorted(set(dataset.table("train")["identity"]))
    assert "learnt from 7 people" in told_of(dataset, False, train_where=f"identity != '{people[0]}'")[1][0]
    with pytest.raises(UserError, match=r"--train-where: no row of split 'train'.* matches"):
        told_of(dataset, False, train_where="identity == 'nobody'")
    with pytest.raises(UserError, match=r"shows 1 person, 6 are needed"):
        plan_baselines(dataset, "test", dataset.table("test"), True, dataset, f"identity == '{people[0]}'")


def test_an_empty_split_to_learn_from_is_a_notice(tmp_path):
    dataset = Dataset(map_set(tmp_path, splits=("test",) * 16))
    assert dataset.table("train").empty
    plan = plan_baselines(dataset, "test", dataset.table("test"), None, None)
    assert plan.notices[0].startswith("no LDA of depth maps: split 'train' of dataset maps shows 0 people")
    found, _ = plan.learn(lambda label, done, total: None)
    assert [matcher.name for matcher in found.matchers] == ["depth map, untrained"]
