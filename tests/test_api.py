"""The Python API for notebooks: a pipeline, its data set, and any stage on one sample without a workspace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import Field
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


class Careless(ToyCopies):
    """Breaks one rule of the contract."""

    name = "careless"
    variants = False
    outputs = ("points", "normals")
    fault: str = "fresh"

    def run(self, sample, rng):
        points = np.array(sample.arrays["points"])
        if self.fault == "fresh":
            yield Sample.of({"points": points * 1000})
        elif self.fault == "normals":
            yield sample.with_arrays(normals=np.zeros((len(points) + 3, 3), "f4"))
        elif self.fault == "in place":
            for _ in range(2):
                points += 1
                yield sample.with_arrays(points=points)
        elif self.fault == "input in place":
            sample.arrays["points"][:] = 0
        elif self.fault == "suffix":
            yield sample.as_variant("", "_m")


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("fresh", ContractError, "yields a sample of its own making: use sample.with_arrays"),
        ("normals", ContractError, "'normals' has 7 rows for 4 points"),
        ("in place", ValueError, "read-only"),
        ("input in place", ValueError, "read-only"),
        ("suffix", ContractError, r"identity suffix '_m' \(as '~mirror'\) is malformed"),
    ],
)
def test_a_careless_stage_is_stopped(fault, error, message):
    with pytest.raises(error, match=message):
        Careless(fault=fault).apply_all(cloud(4))


class Listed(ToyCopies):
    """Has parameters of every kind that a fingerprint has to get right."""

    name = "listed"
    names: frozenset[str] = frozenset({"b", "a", "c", "dd"})
    files: tuple[Path, ...] = ()
    place: Path | None = Field(None, exclude=True)


def test_fingerprints_rest_on_content(tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("1")
    two.write_text("1")
    assert Listed(files=(one,)).fingerprint() == Listed(files=(two,)).fingerprint()
    before = Listed(files=(one,)).fingerprint()
    one.write_text("22")
    assert Listed(files=(one,)).fingerprint() != before
    assert Listed(place=one).fingerprint() == Listed().fingerprint()
    assert Listed().parameters()["names"] == ["a", "b", "c", "dd"]
    with pytest.raises(UserError, match=r"listed: files\[0\]: .*gone.txt cannot be read"):
        Listed(files=(tmp_path / "gone.txt",)).fingerprint()


def test_arrays_are_shown_by_their_names_without_being_read():
    from face3d_data.sample import Arrays

    def unread():
        raise AssertionError

    arrays = Arrays({"depth": unread, "box": unread}, dropped=frozenset({"box"}))
    assert repr(arrays) == "Arrays(depth)"
