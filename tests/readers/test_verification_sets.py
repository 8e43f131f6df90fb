"""Reader `verification_sets`: layouts, tags, and pairs that are held against the images."""

import cv2
import numpy as np
import pandas as pd
import pytest
import tiny_verification_sets
from write_verification_sets import NAMES, picture, write_calfw, write_cfp, write_cplfw, write_lfw, write_query_gallery

from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.verification_sets import VerificationSets, pairs_as_text
from face3d_data.tables.pairs_file import read_pairs
from face3d_data.testing.contract import check_reader


def listed(reader):
    return [(source.person, source.capture, dict(source.tags)) for source in reader.scan()]


def problems(reader):
    return [source.problem for source in reader.scan() if source.problem]


@pytest.mark.slow
def test_lfw(tmp_path):
    write_lfw(tmp_path)
    reader = VerificationSets(root=tmp_path, pairs=tmp_path / "pairs.txt")
    assert listed(reader) == [(name, f"{name}_{n:04d}", {}) for name in sorted(NAMES) for n in (1, 2, 3)]
    source = next(reader.scan())
    path = tmp_path / NAMES[0] / f"{NAMES[0]}_0001.jpg"
    assert np.array_equal(reader.load(source, "color"), cv2.imread(str(path))[..., ::-1])
    check_reader(reader)


@pytest.mark.parametrize(("layout", "write", "digits"), [("calfw", write_calfw, 4), ("cplfw", write_cplfw, 1)])
def test_flat_folders(tmp_path, layout, write, digits):
    write(tmp_path)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (pairs,) = tmp_path.glob("*.txt")
    reader = VerificationSets(root=folder, layout=layout, pairs=pairs)
    expected = [(name, f"{name}_{n:0{digits}d}", {"number": n}) for name in sorted(NAMES) for n in (1, 2)]
    assert sorted(listed(reader), key=str) == sorted(expected, key=str)
    check_reader(reader)


def test_cfp(tmp_path):
    write_cfp(tmp_path)
    reader = VerificationSets(root=tmp_path, layout="cfp", pairs=tmp_path / "Protocol")
    assert listed(reader)[:3] == [
        ("001", "frontal_01", {"pose": "frontal"}),
        ("001", "frontal_02", {"pose": "frontal"}),
        ("001", "profile_01", {"pose": "profile"}),
    ]
    assert len(check_reader(reader)) == 9
    (tmp_path / "Data/Images/001/frontal").rename(tmp_path / "Data/Images/001/side")
    found = problems(reader)
    assert found[0] == ("name_not_matched", "01: folder 'side' is none of frontal, profile")
    assert ("missing_image", "FF/01/same.txt, line 1 and 3 more lines: there is no image frontal_01 of 001") in found


@pytest.mark.parametrize("suffixes", [False, True])
def test_query_and_gallery(tmp_path, suffixes):
    write_query_gallery(tmp_path, suffixes=suffixes)
    found = list(check_reader(VerificationSets(root=tmp_path, layout="pku_masked_face")))
    assert {source.person for source in found} == {"0", "1", "2"}
    tags = {(source.tags["role"], source.tags.get("mask")) for source in found}
    assert tags == {("gallery", None), ("query", "worn")}
    if not suffixes:
        plain = listed(VerificationSets(root=tmp_path, layout="query_gallery"))
        assert plain[0] == ("0", "gallery_0", {"role": "gallery"})
        assert not any("mask" in tags for _, _, tags in plain)
        both = VerificationSets(root=tmp_path, layout="query_gallery", masked=("query", "gallery"))
        assert all(tags["mask"] == "worn" for _, _, tags in listed(both))
    source = found[0]
    reader = VerificationSets(root=tmp_path, layout="pku_masked_face")
    assert np.array_equal(reader.load(source, "color"), picture(0, 0))


def test_images_that_pairs_name_and_that_are_not_there(tmp_path):
    write_lfw(tmp_path)
    a, b, _ = NAMES
    (tmp_path / b / f"{b}_0001.jpg").unlink()
    (tmp_path / a / f"{a}_0002.jpg").unlink()
    reader = VerificationSets(root=tmp_path, pairs=tmp_path / "pairs.txt")
    assert problems(reader) == [
        ("missing_image", f"pairs.txt, line 2: there is no image {a}_0002 of {a}"),
        ("missing_image", f"pairs.txt, line 3 and 1 more line: there is no image {b}_0001 of {b}"),
    ]
    check_reader(reader)
    assert problems(VerificationSets(root=tmp_path)) == []


@pytest.mark.parametrize(
    ("layout", "text", "message"),
    [
        ("lfw", "1\t1\nA\t1\t1\nA\t1\tB\t1\n", "line 2: pairs an image with itself"),
        ("lfw", "A\t1\tA\t2\n", "line 1: calls A and A two people"),
        ("calfw", "A_0001.jpg 1\nB_0001.jpg 1\n", "line 1: calls A and B one person"),
        ("cplfw", "A.jpg 1\nA_2.jpg 1\n", "line 1: 'A.jpg' names no image"),
        ("query_gallery", "", "layout query_gallery has no pairs"),
        ("cfp", "", "cannot be read"),
    ],
)
def test_lists_that_contradict_themselves(tmp_path, layout, text, message):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(UserError, match=f"verification_sets: pairs: .*{message}"):
        list(VerificationSets(root=tmp_path, layout=layout, pairs=tmp_path / "pairs.txt").scan())


def table_of(reader, dataset):
    sources = [source for source in reader.scan() if not source.problem]
    ids = [f"{dataset}/{source.person}/{source.capture}" for source in sources]
    people = [f"{dataset}/{source.person}" for source in sources]
    columns = {"id": ids, "sample_id": ids, "name": people, "identity": people, "origin_id": ids}
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("layout", "write", "folder", "pairs", "folds"),
    [
        ("lfw", write_lfw, "", "pairs.txt", [0, 0, 1, 1]),
        ("calfw", write_calfw, "aligned images", "pairs_CALFW.txt", None),
        ("cplfw", write_cplfw, "images", "pairs_CPLFW.txt", None),
        ("cfp", write_cfp, "", "Protocol", [0, 0, 1, 1]),
    ],
)
def test_pairs_reach_the_evaluation(tmp_path, layout, write, folder, pairs, folds):
    write(tmp_path)
    table = table_of(VerificationSets(root=tmp_path / folder, layout=layout), layout)
    text = pairs_as_text(layout, tmp_path / pairs)
    (tmp_path / "for_evaluate.txt").write_text(text)
    read = read_pairs(tmp_path / "for_evaluate.txt", table)
    people = table["identity"]
    assert [people[a] == people[b] for a, b in zip(read.first, read.second, strict=True)] == read.same.tolist()
    assert (None if read.fold is None else read.fold.tolist()) == folds
    if layout == "lfw":
        official = read_pairs(tmp_path / "pairs.txt", table)
        assert np.array_equal(official.first, read.first)
        assert np.array_equal(official.second, read.second)
    if layout == "cfp":
        poses = table["sample_id"].str.contains("frontal")
        assert poses[read.first].all()
        assert not poses[read.second].any()


def test_files_that_fit_no_layout_and_roots_without_images(tmp_path):
    write_cplfw(tmp_path)
    (tmp_path / "images" / "notes.jpg").write_bytes(b"x")
    reader = VerificationSets(root=tmp_path / "images", layout="cplfw")
    assert problems(reader)[0][0] == "name_not_matched"
    (tmp_path / "images" / f"{NAMES[0]}_1.jpg").write_bytes(b"\xff\xd8\xff")
    source = next(source for source in reader.scan() if not source.problem)
    with pytest.raises(Unreadable, match="unreadable"):
        reader.inspect(source)
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match=r"no image in .*: layout cfp wants Data/Images/\{identity\}/\{pose\}"):
        list(VerificationSets(root=tmp_path / "none", layout="cfp").scan())
    with pytest.raises(UserError, match="is not a folder"):
        list(VerificationSets(root=tmp_path / "absent").scan())


def test_a_pattern_of_one_s_own(tmp_path):
    write_query_gallery(tmp_path / "x")
    reader = VerificationSets(root=tmp_path, pattern="x/{role}/{identity}/{capture}", masked=("query",))
    assert listed(reader)[0] == ("0", "gallery_0", {"role": "gallery"})
    assert reader.declared_tags() == ("pose", "role")


def test_the_tiny_collection(tmp_path):
    tiny_verification_sets.write(tmp_path)
    assert len(check_reader(tiny_verification_sets.reader(tmp_path))) == 9
