"""Reader `iiitd_kinect`."""

import shutil

import numpy as np
import pytest
import tiny_iiitd_kinect
from scans import face_scan
from write_iiitd_kinect import FAR_MM, NEAR_MM, write_iiitd_kinect

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image import read_color
from face3d_data.readers.iiitd_kinect import IiitdKinect
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.testing.write import write_image

DEPTH = {"depth_range_mm": [NEAR_MM, FAR_MM]}


@pytest.fixture
def root(tmp_path):
    return write_iiitd_kinect(tmp_path / "db", people=2, captures=3, folds=3)


def reader(root, **options) -> IiitdKinect:
    return build(IiitdKinect, {"root": root, **options}, "source 'x'")


def found_in(root, **options):
    return {f"{source.person}/{source.capture}": source for source in reader(root, **options).scan()}


def test_it_keeps_the_contract(tmp_path):
    tiny_iiitd_kinect.write(tmp_path)
    assert len(check_reader(tiny_iiitd_kinect.reader(tmp_path))) == 6


def test_a_picture_of_several_folds_is_one_capture_with_its_folds_as_tags(root):
    found = found_in(root)
    assert list(found) == ["1/1", "1/2", "1/3", "2/1", "2/2", "2/3"]
    assert found["2/3"].tags == {
        "number": 3, "sensor": "Kinect v1", "fold1": "training", "fold2": "testing", "fold3": "training",
    }  # fmt: skip
    assert found["2/3"].files == {"color": root / "fold1/training/2/RGB/3.jpg"}
    assert found["2/3"].arrays == ("color",)


def test_each_file_can_be_a_capture_of_its_own(root):
    found = found_in(root, pictures="per_fold", folds=[1, 3])
    assert len(found) == 12
    assert found["1/fold3_testing_2"].tags["fold3"] == "testing"
    assert "fold1" not in found["1/fold3_testing_2"].tags


def test_colour_and_depth_are_those_of_the_files(root):
    iiitd, scan = reader(root, use="both", intrinsics=[100, 100, 20, 20], **DEPTH), face_scan(1, 1, 48)
    source = found_in(root, use="both", intrinsics=[100, 100, 20, 20], **DEPTH)["2/2"]
    assert source.arrays == ("color", "depth", "intrinsics")
    assert source.tags["lossy_depth"] is True
    iiitd.inspect(source)
    grey = read_color(root / "fold1/testing/2/Depth/2.jpg")[..., 0].astype(np.float32)
    depth = iiitd.load(source, "depth")
    assert np.array_equal(depth > 0, grey > 0)
    np.testing.assert_allclose(depth[grey > 0], NEAR_MM + grey[grey > 0] / 255 * (FAR_MM - NEAR_MM), rtol=1e-6)
    inside = (scan.depth > 0) & (np.abs(depth - scan.depth) < 20)
    assert inside.sum() > 0.8 * (scan.depth > 0).sum()
    assert np.array_equal(iiitd.load(source, "color"), read_color(root / "fold1/testing/2/RGB/2.jpg"))
    assert iiitd.load(source, "intrinsics").tolist() == [100, 100, 20, 20]


@pytest.mark.slow
def test_depth_comes_out_upright(root):
    """Where the camera is known: 8 bits and JPEG leave steps of 3 mm, and a face all the same."""
    scan = face_scan(0, 0, 48)
    iiitd = reader(root, use="depth", intrinsics=scan.intrinsics.tolist(), **DEPTH)
    depth = iiitd.load(next(iiitd.scan()), "depth")
    v, u = np.nonzero((depth > 0) & (np.abs(depth - scan.depth) < 20))
    fx, fy, cx, cy = iiitd.load(next(iiitd.scan()), "intrinsics")
    z = depth[v, u]
    check_orientation(np.column_stack([(u - cx) / fx * z, (v - cy) / fy * z, z]))


def test_a_literal_file_means_what_the_range_says(root):
    """A JPEG of one flat grey holds it exactly: value 100 of the range 500 to 1010 mm is 700 mm."""
    for fold, part in ((1, "training"), (2, "testing"), (3, "training")):
        write_image(root / f"fold{fold}/{part}/1/Depth/1.jpg", np.full((16, 16), 100, np.uint8))
    iiitd = reader(root, use="depth", depth_range_mm=[500, 1010])
    source = next(iiitd.scan())
    assert iiitd.load(source, "depth").tolist() == [[700.0] * 16] * 16
    assert source.arrays == ("depth",)


def test_without_a_range_there_is_no_depth(root):
    assert reader(root).provides() == ("color",)
    for use in ("depth", "both"):
        with pytest.raises(UserError, match=f"use: {use} needs depth_range_mm"):
            reader(root, use=use)
    with pytest.raises(UserError, match="two different depths"):
        reader(root, depth_range_mm=[5, 5])
    with pytest.raises(UserError, match="must be above 0"):
        reader(root, intrinsics=[0, 1, 2, 3])


def test_missing_twins_copies_that_differ_and_both_parts_are_listed(root):
    for fold, part in ((1, "training"), (2, "testing"), (3, "training")):
        (root / f"fold{fold}/{part}/1/Depth/1.jpg").unlink()
        (root / f"fold{fold}/{part}/1/RGB/3.jpg").unlink()
    write_image(root / "fold2/training/2/RGB/2.jpg", np.zeros((9, 9, 3), np.uint8))
    shutil.copy(root / "fold1/training/2/RGB/1.jpg", root / "fold1/testing/2/RGB/1.jpg")
    found = found_in(root, use="both", **DEPTH)
    reasons = {name: source.problem[0] for name, source in found.items() if source.problem}
    assert reasons == {"1/1": "no_depth", "1/3": "no_color", "2/1": "in_both_parts", "2/2": "copies_differ"}
    assert "per_fold" in found["2/2"].problem[1]
    assert {name for name, source in found_in(root).items() if source.problem} == {"1/3", "2/1", "2/2"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fold10/training/1/RGB/1.jpg", "fold10 is none of fold1 to fold9"),
        ("fold1/training/1/RGB/a.jpg", "expected fold1/training/1/RGB/1.jpg"),
        ("fold1/training/1/RGB/1.png", "expected fold1/training/1/RGB/1.jpg"),
        ("fold1/training/a~b/RGB/1.jpg", "person 'a~b'"),
    ],
)
def test_a_name_that_does_not_fit_is_listed(root, name, said):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"x")
    (bad,) = [source.problem for source in found_in(root).values() if source.problem]
    assert bad[0] == "name_not_matched"
    assert said in bad[1]


def test_images_that_do_not_go_together_are_refused(root):
    for fold, part in ((1, "training"), (2, "testing"), (3, "training")):
        write_image(root / f"fold{fold}/{part}/1/Depth/1.jpg", np.zeros((9, 9), np.uint8))
        bright = np.zeros((40, 40, 3), np.uint8)
        bright[..., 0] = 255
        write_image(root / f"fold{fold}/{part}/1/Depth/3.jpg", bright)
    iiitd = reader(root, use="both", **DEPTH)
    found = found_in(root, use="both", **DEPTH)
    with pytest.raises(Unreadable, match="size_mismatch"):
        iiitd.inspect(found["1/1"])
    with pytest.raises(Unreadable, match="depth_not_grey"):
        iiitd.load(found["1/3"], "depth")


def test_filters_and_wrong_roots(root, tmp_path):
    assert found_in(root, folds=[2])["1/1"].files == {"color": root / "fold2/testing/1/RGB/1.jpg"}
    for folds in ([0], [10]):
        with pytest.raises(UserError, match="folds"):
            reader(root, folds=folds)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="expected files as fold1/training/1/RGB"):
        list(reader(tmp_path / "empty").scan())
