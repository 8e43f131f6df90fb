"""Reader `hdf5`: ModelNet-style files, faces with `pid`, and this program's own shards."""

import pickle
import re

import h5py
import numpy as np
import pytest
import tiny_hdf5
from write_hdf5 import face_clouds, write_face_h5, write_modelnet, write_shard

from face3d_data.errors import Unreadable, UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.readers.hdf5 import Hdf5
from face3d_data.remarks import remarks_into
from face3d_data.shards.read import Dataset
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation


@pytest.fixture(scope="module")
def faces():
    return face_clouds(3, 2, 200)


def rows_of(reader):
    return [(source.person, source.capture) for source in reader.scan()]


def only_problem(reader, n=1):
    bad = [source.problem for source in reader.scan() if source.problem]
    assert len(bad) == n
    return bad[0]


def test_modelnet_files_with_their_lists_and_names(tmp_path, faces):
    clouds, who = faces
    write_modelnet(tmp_path, "train", clouds, who, ["ann", "bé", "cy"], normals=clouds / 100, per_file=4)
    write_modelnet(tmp_path, "test", clouds[:1] + 1, who[:1])
    reader = Hdf5(root=tmp_path, up="-y")
    found = list(reader.scan())
    assert [(source.person, source.capture, source.tags) for source in found] == [
        ("ann", "ply_data_test0_000000", {"list": "test"}),
        *((name, f"ply_data_train{k}_{row:06d}", {"list": "train"}) for name, k, row in [
            ("ann", 0, 0), ("ann", 0, 1), ("bé", 0, 2), ("bé", 0, 3), ("cy", 1, 0), ("cy", 1, 1)
        ]),
    ]  # fmt: skip
    for source, cloud in zip(found[1:], clouds, strict=True):
        assert reader.load(source, "points").tobytes() == cloud.tobytes()
        assert reader.load(source, "normals").tobytes() == (cloud / 100).tobytes()
    assert found[0].arrays == ("points",)
    assert [source.capture for source in Hdf5(root=tmp_path, files="test_files.txt").scan()] == [found[0].capture]


@pytest.mark.slow
def test_normals_asked_for_later_are_not_put_beside_points_that_were_thinned_before(tmp_path, faces):
    clouds, who = faces
    write_modelnet(tmp_path / "h5", "train", clouds, who, normals=clouds / 100)
    for fields in (["points"], ["points", "normals"]):
        source = {"reader": "hdf5", "root": str(tmp_path / "h5"), "fields": fields}
        thin = {"id": "thin", "stage": "subsample", "from": "h5", "with": {"n_points": 50}}
        raw = {"name": "x", "sources": {"h5": source}, "steps": [thin],
               "datasets": {"x": {"from": "thin", "fields": fields}}}  # fmt: skip
        made = run(make_pipeline(raw, tmp_path), tmp_path / "work", engine="serial").datasets["x"]
        assert Dataset(made).info["shapes"] == {name: [50, 3] for name in fields}


def test_faces_with_pid_and_one_file_as_root(tmp_path, faces):
    clouds, who = faces
    write_face_h5(tmp_path / "a.h5", clouds, who * 100_000, who + 1)
    expected = [(f"{code:05d}", f"a_{row:06d}") for row, code in enumerate((who * 100_000).tolist())]
    assert rows_of(Hdf5(root=tmp_path / "a.h5")) == rows_of(Hdf5(root=tmp_path)) == expected
    assert [person for person, _ in rows_of(Hdf5(root=tmp_path, person="class"))] == [f"{n + 1:05d}" for n in who]
    reader = Hdf5(root=tmp_path, up="-y")
    for source, cloud in zip(reader.scan(), clouds, strict=True):
        assert np.array_equal(reader.load(source, "points"), cloud)
    assert "has no label" in only_problem(Hdf5(root=tmp_path, person="label"))[1]


def test_our_shards_bring_person_capture_and_unit(tmp_path, faces):
    clouds, who = faces
    names = [f"lab/p {n}" for n in who]
    write_shard(tmp_path / "a.h5", clouds / 10, names, ["c/0", "c1"] * 3)
    write_shard(tmp_path / "b.h5", clouds, names, ["c2", "c3"] * 3, normalize=True)
    reader = Hdf5(root=tmp_path, up="-y")
    found = list(reader.scan())
    assert (found[0].person, found[0].capture, found[6].capture) == ("lab__p%200", "c%2F0", "c2")
    for source, cloud in zip(found[:6], clouds, strict=True):
        assert np.array_equal(reader.load(source, "points"), cloud / np.float32(10))
    for source, cloud in zip(found[6:], clouds, strict=True):
        assert np.abs(reader.load(source, "points") - cloud).max() < 1e-4


def test_variants_are_listed_unless_asked_for(tmp_path, faces):
    clouds, _ = faces
    write_shard(
        tmp_path / "a.h5", clouds[:3], ["d/p", "d/p", "d/p~mirror"], ["c", "c~mask:kn95.0~1f", "c~mirror~2a"],
        ["plain", "mask:kn95.0", "mirror"],
    )  # fmt: skip
    assert only_problem(Hdf5(root=tmp_path), 2) == ("variant", "a.h5: row 1 is 'mask:kn95.0' of another row")
    found = list(Hdf5(root=tmp_path, variants=True).scan())
    assert [(source.person, source.capture, source.tags) for source in found] == [
        ("d__p", "c", {}),
        ("d__p", "c%7Emask%3Akn95%2E0%7E1f", {"shard_variant": "mask:kn95.0"}),
        ("d__p%7Emirror", "c%7Emirror%7E2a", {"shard_variant": "mirror"}),
    ]
    check_reader(Hdf5(root=tmp_path, variants=True))


def test_other_arrays_of_our_shards(tmp_path, faces):
    clouds, _ = faces
    write_shard(tmp_path / "a.h5", clouds[:2], ["d/p", "d/q"], ["c", "c"])
    color = np.arange(2 * 4 * 5 * 3, dtype="u1").reshape(2, 4, 5, 3)
    marks = np.arange(30, dtype="f2").reshape(2, 5, 3)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["color"], file["landmarks_3d"] = color, marks
    reader = Hdf5(root=tmp_path, fields=("points", "color", "landmarks_3d"), up="y")
    source = next(reader.scan())
    assert source.arrays == reader.provides() == ("points", "color", "landmarks_3d")
    assert np.array_equal(reader.load(source, "color"), color[0])
    assert np.array_equal(reader.load(source, "landmarks_3d"), marks[0] * [1, -1, -1])
    assert np.array_equal(reader.load(source, "points"), clouds[0] * [1, -1, -1])
    check_reader(reader)
    with pytest.raises(ValueError, match="'points' are needed"):
        Hdf5(root=tmp_path, fields=("color",))


@pytest.mark.parametrize(
    ("divisor", "units", "message"),
    [
        (1000, "mm", "these look like metres: set units: m"),
        (100, "mm", "this looks normalised to a unit sphere: set units to its radius in mm"),
        (1000, "cm", "set units: m"),
    ],
)
def test_wrong_units_are_refused_and_right_ones_taken(tmp_path, faces, divisor, units, message):
    clouds, who = faces
    write_face_h5(tmp_path / "a.h5", clouds / divisor, who)
    reader = Hdf5(root=tmp_path, units=units)
    found = list(reader.scan())
    with pytest.raises(Unreadable, match=rf"wrong_units: a\.h5: row 0: .*{message}"):
        reader.load(found[0], "points")
    with pytest.raises(UserError, match=f"hdf5: .*{message}"):
        reader.survey(found)
    right = Hdf5(root=tmp_path, units=float(divisor), up="-y")
    assert np.allclose(right.load(found[0], "points"), clouds[0], atol=1e-3)
    right.survey(found)


@pytest.mark.slow
def test_orientation_of_every_kind(tmp_path, faces):
    tiny_hdf5.write(tmp_path)
    reader = tiny_hdf5.reader(tmp_path)
    for source in list(reader.scan())[::4]:
        check_orientation(reader.load(source, "points"))
    clouds, who = faces
    write_face_h5(tmp_path / "up" / "a.h5", clouds * [1, -1, -1], who)
    up = Hdf5(root=tmp_path / "up", up="y")
    source = next(up.scan())
    assert np.array_equal(up.load(source, "points"), clouds[0])


def broken(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file["class" if name == "klass" else name] = values
    return path.parent


CLOUD = np.ones((2, 9, 3), "f4")
BAD_FILES = {
    "no_data": ({"label": [0, 1]}, "unreadable", "contains no 'data'"),
    "flat": ({"data": CLOUD[0], "label": [0] * 9}, "unreadable", r"'data' is float32 \(9, 3\), expected float"),
    "columns": ({"data": CLOUD[..., :2], "label": [0, 1]}, "unreadable", r"expected float numbers \(2, N, 3\)"),
    "whole": (
        {"data": CLOUD.astype("i4"), "label": [0, 1]},
        "unreadable",
        r"'data' is int32 \(2, 9, 3\), expected float numbers \(2",
    ),
    "nobody": (
        {"data": CLOUD},
        "unreadable",
        "has no identity, pid, class or label, so the person of a row is unknown",
    ),
    "labels": (
        {"data": CLOUD, "label": [0, 1, 2]},
        "unreadable",
        r"'label' is int64 \(3,\), expected whole numbers or texts \(2\)",
    ),
    "real": ({"data": CLOUD, "pid": [0.5, 1.0]}, "unreadable", "'pid' is float64"),
    "none": ({"data": CLOUD[:, :0], "label": [0, 1]}, "no_points", "rows without points"),
    "normals": ({"data": CLOUD, "label": [0, 1], "normal": CLOUD[:, :5, :2]}, "unreadable", "'normal' is"),
    "text": ({"data": CLOUD, "identity": np.array([b"a", b"\xff"])}, "unreadable", "a text that is not UTF-8"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_read_are_listed_once(tmp_path, name):
    arrays, reason, message = BAD_FILES[name]
    problem = only_problem(Hdf5(root=broken(tmp_path / "a.h5", **arrays)))
    assert problem[0] == reason
    assert problem[1].startswith("a.h5: ")
    assert re.search(message, problem[1]), problem


def test_rows_without_a_name_a_point_or_of_their_own(tmp_path, faces):
    clouds, who = faces
    clouds = clouds.copy()
    clouds[1] = np.nan
    write_modelnet(tmp_path / "a", "train", clouds, who, ["ann", "bob"])
    reader = Hdf5(root=tmp_path, up="-y")
    found = list(reader.scan())
    assert [source.problem and source.problem[0] for source in found] == [None] * 4 + ["no_name"] * 2
    with pytest.raises(Unreadable, match=r"no_points: ply_data_train0\.h5: row 1: no points are finite"):
        reader.load(found[1], "points")
    write_shard(tmp_path / "b" / "x.h5", clouds[:1], ["d/p"], ["c"])
    write_shard(tmp_path / "b" / "y.h5", clouds[:2], ["d/p", "d/~"], ["c", "e"])
    problems = [source.problem for source in Hdf5(root=tmp_path / "b").scan() if source.problem]
    assert problems[0] == ("same_name", "y.h5: row 0: another row is d__p/c: set files")
    assert len({(source.person, source.capture) for source in Hdf5(root=tmp_path / "b").scan()}) == 3


def test_what_lists_name_in_vain_and_roots_without_files(tmp_path, faces):
    clouds, who = faces
    write_modelnet(tmp_path, "train", clouds, who)
    (tmp_path / "train_files.txt").write_text("gone.h5\nelsewhere\\ply_data_train0.h5\n\n")
    assert only_problem(Hdf5(root=tmp_path)) == (
        "missing_file",
        "train_files.txt, line 1: gone.h5 is not a file below the root",
    )
    (tmp_path / "train_files.txt").write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match=r"hdf5: train_files\.txt: line 1: is not UTF-8 text"):
        list(Hdf5(root=tmp_path).scan())
    for options, message in (
        ({"root": tmp_path / "no"}, "neither a folder nor a file"),
        ({"root": tmp_path, "files": "eval_files.txt"}, "no 'eval_files.txt' in"),
    ):
        with pytest.raises(UserError, match=message):
            list(Hdf5(**options).scan())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"expected files that end with \.h5 or \.hdf5"):
        list(Hdf5(root=tmp_path / "empty").scan())


def test_it_keeps_the_contract_and_no_file_open(tmp_path):
    tiny_hdf5.write(tmp_path)
    reader = tiny_hdf5.reader(tmp_path)
    found = check_reader(reader)
    assert len({source.person for source in found}) >= 2
    again = pickle.loads(pickle.dumps(reader))
    assert np.array_equal(again.load(found[0], "points"), reader.load(found[0], "points"))
    (tmp_path / "faces.h5").unlink()
    with pytest.raises(FileNotFoundError):
        reader.load(found[0], "points")


def test_a_row_of_nobody_and_a_listed_file_outside_of_the_root_are_told(tmp_path, faces):
    clouds, who = faces
    write_face_h5(tmp_path / "in" / "a.h5", clouds, np.where(who == 1, -1, who), who)
    (tmp_path / "other.h5").write_bytes(b"not ours")
    (tmp_path / "in" / "train_files.txt").write_text(f"a.h5\n{tmp_path / 'other.h5'}\n")
    found = list(Hdf5(root=tmp_path / "in").scan())
    bad = [source for source in found if source.problem]
    assert [source.problem for source in bad[:-1]] == [
        ("no_name", f"a.h5: row {row}: pid -1 is nobody") for row in np.flatnonzero(who == 1)
    ]
    reason, detail = bad[-1].problem
    assert (reason, bad[-1].files) == ("missing_file", {})
    assert detail.startswith("train_files.txt, line 2: ")
    assert detail.endswith("other.h5 is not a file below the root")


def test_mirrored_faces_of_our_modelnet_files_are_variants_too(tmp_path, faces):
    clouds, who = faces
    write_modelnet(tmp_path, "train", clouds, who, ["d__ann", "d__ann~mirror", "d__cy"])
    bad = [source.problem for source in Hdf5(root=tmp_path).scan() if source.problem]
    assert {reason for reason, _ in bad} == {"variant"}
    assert len(bad) == (who == 1).sum()
    tags = [source.tags.get("shard_variant") for source in Hdf5(root=tmp_path, variants=True).scan()]
    assert tags.count("mirror") == len(bad)


@pytest.mark.parametrize("name", ["identity", "pid", "label", "class"])
@pytest.mark.parametrize("kind", ["variable", "fixed", "column"])
def test_people_may_be_texts(tmp_path, faces, name, kind):
    who = ["ann", "bé", "c/d", "ann"] if name != "identity" else ["ann", "Bé Lo", "cy", "ann"]
    values = np.array([text.encode() for text in who]) if kind == "fixed" else np.array(who, object)
    if kind == "column" and name != "identity":
        values = values[:, None]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = faces[0][:4]
        file.create_dataset(name, data=values, dtype=None if kind == "fixed" else h5py.string_dtype())
    people = [source.person for source in Hdf5(root=tmp_path).scan()]
    assert people == [text.replace("/", "%2F") for text in who]
    assert all(source.problem is None for source in Hdf5(root=tmp_path).scan())


def test_a_text_that_names_nobody_is_a_row(tmp_path, faces):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = faces[0][:2]
        file["pid"] = ["ann", ""]
    assert only_problem(Hdf5(root=tmp_path))[0] == "bad_name"


def test_normals_that_are_all_zero_are_left_aside_with_a_remark(tmp_path, faces):
    clouds, who = faces
    write_modelnet(tmp_path / "a", "train", clouds, who, normals=np.zeros_like(clouds))
    reader, heard = Hdf5(root=tmp_path / "a", up="-y"), []
    found = list(reader.scan())
    assert {source.arrays for source in found} == {("points",)}
    with remarks_into(heard):
        assert reader.load(found[0], "points").tobytes() == clouds[0].tobytes()
    assert heard == ["ply_data_train0.h5: its normals have no direction: they are ignored"]
    some = np.zeros_like(clouds)
    some[-1, 5] = [0, 0, 1]
    write_modelnet(tmp_path / "b", "train", clouds, who, normals=some)
    assert {source.arrays for source in Hdf5(root=tmp_path / "b").scan()} == {("points", "normals")}


@pytest.mark.parametrize(
    ("text", "people"), [("ann\n\ncy\n", ["ann", None, "cy"]), ("\nbob\ncy\n\n", [None, "bob", "cy"])]
)
def test_a_line_without_a_name_keeps_its_place(tmp_path, faces, text, people):
    clouds, who = faces
    write_modelnet(tmp_path, "train", clouds, who)
    (tmp_path / "shape_names.txt").write_text(text)
    found = list(Hdf5(root=tmp_path, up="-y").scan())
    assert [None if source.problem else source.person for source in found] == [people[code] for code in who]
    at = people.index(None)
    assert {source.problem for source in found if source.problem} == {
        ("no_name", f"ply_data_train0.h5: row {row}: label {at}, shape_names.txt line {at + 1} is empty")
        for row, code in enumerate(who)
        if code == at
    }
