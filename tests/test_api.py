"""The Python API for notebooks: a pipeline, its data set, and any stage on one sample without a workspace."""

from __future__ import annotations

import numpy as np
import pytest
from toys import ToyCopies, ToyJitter, write_toys

import face3d_data
from face3d_data.errors import ContractError, Reject, UserError
from face3d_data.sample import Sample
from face3d_data.stages.subsample import Subsample


def cloud(n=300, **arrays):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 3)).astype("f4") * 40
    return Sample.of({"points": points, **arrays}, id="d/p/c", identity="d/p", dataset="d", key="k")


def test_load_run_and_read(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "name: toy\nsources: {src: {reader: toy_files, root: in}}\n"
        "steps: [{id: people, table: split, from: src}]\ndatasets: {toy: {from: people, fields: [points]}}\n"
    )
    write_toys(tmp_path / "in", 4, 3)
    result = face3d_data.run(face3d_data.load_pipeline(tmp_path / "p.yaml"), tmp_path / "work", engine="serial")
    dataset = face3d_data.Dataset(result.datasets["toy"])
    sample = dataset.reader("train")[0]
    assert sample["points"].shape == (12, 3)
    assert sum(len(dataset.reader(split)) for split in dataset.splits) == 12


def test_a_stage_on_one_sample():
    normals = np.tile(np.array([0, 0, 1], "f4"), (300, 1))
    sample = cloud(normals=normals)
    out = Subsample(n_points=100, method="random").apply(sample, seed=3)
    assert out.arrays["points"].shape == out.arrays["normals"].shape == (100, 3)
    assert (out.id, out.identity) == ("d/p/c", "d/p")
    again = Subsample(n_points=100, method="random").apply(sample, seed=3)
    other = Subsample(n_points=100, method="random").apply(sample, seed=4)
    assert np.array_equal(out.arrays["points"], again.arrays["points"])
    assert not np.array_equal(out.arrays["points"], other.arrays["points"])
    with pytest.raises(Reject, match="too_few_points"):
        Subsample(n_points=301).apply(sample)
    with pytest.raises(Reject, match="missing_points"):
        Subsample(n_points=3).apply(Sample())


def test_several_outputs_need_apply_all():
    sample = cloud(4)
    with pytest.raises(UserError, match="gave 2 samples: use apply_all"):
        ToyCopies().apply(sample)
    outputs = ToyCopies(mirror=True).apply_all(sample)
    assert [o.variant for o in outputs] == ["copy:0", "copy:1"]
    assert outputs[0].id.startswith("d/p/c~copy:0~")
    assert outputs[0].identity == "d/p~mirror"
    assert len({o.key for o in outputs}) == 2


def test_tags_of_a_drawing_stage_and_the_same_draw_again():
    one, two = (ToyJitter().apply(cloud(4), seed=7) for _ in range(2))
    assert one.tags["shift"] == two.tags["shift"]
    assert ToyJitter().apply(cloud(4), seed=8).tags["shift"] != one.tags["shift"]


def test_arrays_are_held_to_their_declaration():
    with pytest.raises(ContractError, match="'points' is float64, declared float32"):
        Sample.of({"points": np.zeros((3, 3))})
    with pytest.raises(ContractError, match=r"'points' has shape \(3, 2\), declared \('N', 3\)"):
        Sample.of({"points": np.zeros((3, 2), "f4")})
    with pytest.raises(ContractError, match="'pts' is not declared"):
        Sample.of({"pts": np.zeros((3, 3), "f4")})
    grown = cloud(3, normals=np.zeros((3, 3), "f4"))

    class Grow(ToyCopies):
        name = "grow"
        variants = False

        def run(self, sample, rng):
            yield sample.with_arrays(points=np.zeros((9, 3), "f4"))

    with pytest.raises(ContractError, match="'normals' has 3 rows for 9 points: carry it along or drop it"):
        Grow().apply(grown)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = face3d_data.nope
