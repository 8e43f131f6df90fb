"""Preparation of captures in memory: the same numbers as a pipeline's, and every face of an image."""

import json

import numpy as np
import pytest

from face3d_data.cli.main import _answer
from face3d_data.errors import UserError
from face3d_data.inputs.captures import captures_in
from face3d_data.inputs.preparation import Preparation
from face3d_data.sample import Sample
from face3d_data.shards.read import Dataset
from face3d_data.synthetic.write import write_people

FIELDS = ("map",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    list(write_people(folder / "captures", 2, 2, 3, 320, 240, 1))
    return folder


@pytest.fixture(scope="module")
def record(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RGBD_ROOT", str(folder / "captures"))
        patch.chdir(folder)
        assert _answer(["run", "recognise", "-q"]) == 0
    return Dataset(folder / "work" / "datasets" / "recognise").info["preparation"]


@pytest.mark.slow
def test_a_capture_gives_the_numbers_that_a_pipeline_gives(folder, record):
    dataset = Dataset(folder / "work" / "datasets" / "recognise")
    table, rows = dataset.table("test"), dataset.reader("test")
    stored = {row.origin_id.partition("/")[2]: rows[i]["map"] for i, row in enumerate(table.itertuples())}
    preparation = Preparation.of(record, FIELDS, "it")
    made = {}
    for capture in captures_in(folder / "captures"):
        (face,) = preparation.faces(capture.sample, every=False)
        path = capture.path.removeprefix(f"{folder / 'captures'}/").removesuffix("_color.png")
        made[path] = face.arrays["map"]
    assert made.keys() == stored.keys()
    for name, array in made.items():
        assert np.array_equal(array, stored[name].astype(np.float32)), name


@pytest.mark.slow
def test_every_face_of_an_image_is_prepared(folder, record):
    """Two captures side by side are an image of two people."""
    first, second = [one.sample.arrays for one in captures_in(folder / "captures")][1:3]
    wide = {name: np.concatenate([first[name], second[name]], axis=1) for name in ("color", "depth")}
    both = Sample.of({**wide, "intrinsics": first["intrinsics"]})
    preparation = Preparation.of(record, FIELDS, "it")
    assert len(preparation.faces(both, every=False)) == 1
    faces = preparation.faces(both)
    assert len(faces) == 2
    assert sorted(face.box[0] > 320 for face in faces) == [False, True]


def way(*names, **options):
    from face3d_data.registry import find

    found = [find("stage", name) for name in names]
    return [{"stage": cls.name, "version": cls.version, "with": dict(options.get(cls.name, {}))} for cls in found]


def made_by(*ways, **keys):
    return {"ways": list(ways), "dtype": "float32", "normalize": False, **keys}


def steps(preparation):
    return [[stage.name for stage in found] for found in preparation.ways]


def test_stages_that_the_network_does_not_depend_on_are_left_out():
    record = made_by(way("to_cloud", "align_3d", "maps", "subsample"))
    assert steps(Preparation.of(record, ("map",), "it")) == [["to_cloud", "align_3d", "maps"]]
    assert steps(Preparation.of(record, ("points",), "it")) == [["to_cloud", "align_3d", "subsample"]]


def test_landmarks_are_looked_for_where_there_are_none():
    preparation = Preparation.of(made_by(way("to_cloud", "maps")), ("map",), "it")
    depth = {"depth": np.zeros((8, 8), np.float32), "intrinsics": np.array([9.0, 9, 4, 4])}
    points = {"points": np.zeros((9, 3), np.float32)}
    for arrays, first in (
        (depth, "detect"),
        (points, "locate_3d"),
        ({**points, "landmarks_3d": np.zeros((5, 3), np.float32)}, "to_cloud"),
        ({**depth, "landmarks": np.zeros((5, 2), np.float32)}, "to_cloud"),
    ):
        assert preparation._steps(frozenset(arrays))[0].name == first
    (face,) = preparation.faces(Sample.of({"color": np.zeros((8, 8, 3), np.uint8)}))
    said = "it has color alone, and the network's preparation begins with depth, intrinsics: give depth beside it"
    assert face.problem is not None
    assert (face.problem[0], face.problem[1][: len(said)]) == ("unfit", said)


def test_a_lens_with_distortion_is_undone_where_a_stage_takes_a_pinhole():
    from face3d_data.inputs.preparation import _without_lens

    lens = np.zeros(13)
    lens[0] = 0.1
    sample = Sample.of({"intrinsics": np.array([9.0, 9, 4, 4]), "distortion": lens})
    for names, first in ((("occlude", "to_cloud"), "undistort"), (("detect", "to_cloud"), "detect")):
        steps = Preparation.of(made_by(way(*names)), ("points",), "it").ways[0]
        assert next(stage.name for stage in _without_lens(sample, steps)) == first
        assert _without_lens(sample.without("distortion"), steps) == steps


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "it: does not say how its samples were prepared"),
        (made_by(), "it: does not say how its samples were prepared"),
        (made_by([{"stage": "to_cloud", "version": 99, "with": {}}]), "by version 99 of stage to_cloud, and this is"),
        (made_by([{"stage": "nothing", "version": 1, "with": {}}]), "there is no stage 'nothing'"),
        (made_by(way("to_cloud", to_cloud={"old": 1})), "it: stage to_cloud .*unknown option 'old'"),
    ],
)
def test_a_record_that_cannot_be_followed_is_one_line(record, message):
    with pytest.raises(UserError, match=message):
        Preparation.of(json.loads(json.dumps(record)), ("points",), "it")


def test_points_on_the_unit_sphere_are_refused():
    with pytest.raises(UserError, match="learnt from points on the unit sphere"):
        Preparation.of(made_by(way("to_cloud"), normalize=True), ("points",), "it")
