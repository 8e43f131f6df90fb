"""RGB-D capture folders: what is found, what each bad file is called, and what enters a capture's record."""

import json
import os
import shutil

import numpy as np
import pytest

from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.testing import add_tiny_capture, tiny_capture, write_tiny_rgbd
from face3d_data.testing.write import write_image, write_intrinsics, write_rgbd_pair


@pytest.fixture
def root(tmp_path):
    return write_tiny_rgbd(tmp_path / "data", people=2, captures=2)


def sources(root, **options):
    return {f"{s.person}/{s.capture}": s for s in RgbdFolder(root=root, **options).scan()}


def problems(root, **options):
    return {name: source.problem[0] for name, source in sources(root, **options).items() if source.problem}


def load_problem(root, name):
    reader = RgbdFolder(root=root)
    source = sources(root)[name]
    with pytest.raises(Unreadable) as caught:
        reader.sample(source).arrays["depth"]
    assert caught.value.reason in reader.reasons
    return caught.value


def test_captures_are_found_in_order_with_all_their_arrays(root):
    found = list(RgbdFolder(root=root).scan())
    assert [(s.person, s.capture) for s in found] == [
        ("person_0000", "capture_00"),
        ("person_0000", "capture_01"),
        ("person_0001", "capture_00"),
        ("person_0001", "capture_01"),
    ]
    assert not problems(root)
    made = tiny_capture(0, 1)
    sample = RgbdFolder(root=root).sample(found[1], dataset="tiny")
    assert (sample.id, sample.identity) == ("tiny/person_0000/capture_01", "tiny/person_0000")
    assert sample.tags == {"mask": "none", "expression": "neutral"}
    assert np.array_equal(sample.arrays["color"], made.color)
    assert np.array_equal(sample.arrays["depth"], made.depth_mm)
    assert np.array_equal(sample.arrays["intrinsics"], made.intrinsics)
    np.testing.assert_allclose(sample.arrays["landmarks"], made.landmarks, atol=1e-3)


def test_depth_is_in_millimetres_and_holes_are_zero(tmp_path):
    made = tiny_capture(0, 0)
    (tmp_path / "p").mkdir()
    write_image(tmp_path / "p" / "c_color.png", made.color)
    depth = np.zeros((24, 32), np.uint16)
    depth[3, 4] = 25
    write_image(tmp_path / "p" / "c_depth.png", depth)
    write_intrinsics(tmp_path / "intrinsics.json", 32, 24, depth_scale=0.00025)
    reader = RgbdFolder(root=tmp_path)
    (source,) = reader.scan()
    got = reader.load(source, "depth")
    assert got[3, 4] == np.float32(6.25)
    assert got.sum() == got[3, 4]
    assert source.arrays == ("color", "depth", "intrinsics")  # no landmarks.json


def test_the_nearest_intrinsics_are_taken(root):
    write_intrinsics(root / "person_0000" / "intrinsics.json", 32, 24, fx=50)
    write_intrinsics(root / "person_0000" / "capture_01_intrinsics.json", 32, 24, fx=60)
    reader = RgbdFolder(root=root)
    assert [reader.load(s, "intrinsics")[0] for s in reader.scan()] == [50, 60, 72, 72]


def test_a_capture_without_intrinsics_anywhere_is_listed(root):
    (root / "intrinsics.json").unlink()
    write_intrinsics(root / "person_0001" / "intrinsics.json", 32, 24)
    assert problems(root) == dict.fromkeys(["person_0000/capture_00", "person_0000/capture_01"], "no_intrinsics")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depth_scale": 0.5}, "depth_scale = 0.5 must be metres per unit"),
        ({"fx": None}, "key 'fx' is missing"),
    ],
)
def test_wrong_intrinsics_of_the_whole_collection_stop_the_scan(root, changes, said):
    write_intrinsics(root / "intrinsics.json", 32, 24, **changes)
    with pytest.raises(UserError, match=f"{root / 'intrinsics.json'}: {said}"):
        list(RgbdFolder(root=root).scan())


def test_wrong_intrinsics_of_one_person_cost_only_that_persons_captures(root):
    write_intrinsics(root / "person_0001" / "intrinsics.json", 32, 24, depth_scale=2)
    assert problems(root) == dict.fromkeys(["person_0001/capture_00", "person_0001/capture_01"], "bad_intrinsics")
    detail = sources(root)["person_0001/capture_00"].problem[1]
    assert detail.startswith("person_0001/intrinsics.json: depth_scale = 2 ")  # no path of this machine


def test_a_missing_twin_is_listed(root):
    (root / "person_0000" / "capture_00_color.png").unlink()
    (root / "person_0001" / "capture_01_depth.png").unlink()
    assert problems(root) == {"person_0000/capture_00": "no_color", "person_0001/capture_01": "no_depth"}
    assert list(sources(root)["person_0000/capture_00"].files) == ["depth"]


def test_sizes_that_differ_are_found_in_the_headers(root):
    made = tiny_capture(0, 0, width=40)
    write_image(root / "person_0000" / "capture_00_depth.png", made.depth)
    write_rgbd_pair(root / "person_0000", "capture_01", made)
    error = load_problem(root, "person_0000/capture_00")
    assert (error.reason, error.detail) == (
        "size_mismatch",
        "colour 32x24, depth 40x24, the camera file 32x24: "
        "depth is not aligned to colour: give depth_to_color, or record aligned frames",
    )
    assert load_problem(root, "person_0000/capture_01").reason == "size_mismatch"


@pytest.mark.parametrize("role", ["color", "depth"])
@pytest.mark.parametrize("fault", ["cut", "cut_inside", "zero", "text", "flipped"])
def test_a_broken_file_is_unreadable(root, role, fault):
    path = root / "person_0000" / f"capture_00_{role}.png"
    data = bytearray(path.read_bytes())
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 16
    whole_end = data[: len(data) // 2] + data[-12:]
    faults = {
        "cut": data[:-30],
        "cut_inside": whole_end,
        "zero": b"",
        "text": b"not a picture\n" * 9,
        "flipped": flipped,
    }
    path.write_bytes(faults[fault])
    reader = RgbdFolder(root=root)
    source = sources(root)["person_0000/capture_00"]
    assert source.problem is None
    with pytest.raises(Unreadable) as caught:
        reader.sample(source).arrays[role]
    assert caught.value.reason == "unreadable"
    assert path.name in caught.value.detail


def test_eight_bit_depth_is_refused_by_its_header(root):
    write_image(root / "person_0000" / "capture_00_depth.png", np.zeros((24, 32), np.uint8))
    assert load_problem(root, "person_0000/capture_00").reason == "depth_8bit"


def test_colour_in_place_of_depth_is_refused_by_its_header(root):
    shutil.copy(root / "person_0000" / "capture_00_color.png", root / "person_0000" / "capture_00_depth.png")
    assert load_problem(root, "person_0000/capture_00").reason in ("depth_8bit", "unreadable")


def test_other_data_files_are_listed_and_notes_are_not(root):
    write_image(root / "stray_color.png", np.zeros((2, 2, 3), np.uint8))
    (root / "person_0000" / "photo.jpg").write_bytes(b"x")
    (root / "person_0000" / "notes.txt").write_text("x")
    (root / "person_0000" / ".hidden_color.png").write_text("x")
    (root / "person_0000" / "more").mkdir()
    write_rgbd_pair(root / "person_0000" / "more", "c", tiny_capture(0, 0))
    os.symlink(root / "nowhere", root / "person_0001" / "gone_depth.png")
    os.symlink(root, root / "person_0001" / "loop")
    assert problems(root) == {
        "./stray_color.png": "name_not_matched",
        "person_0000/photo.jpg": "name_not_matched",
        "person_0000/more/c_color.png": "name_not_matched",
        "person_0000/more/c_depth.png": "name_not_matched",
        "person_0000/.hidden_color.png": "other_format",
        "person_0001/gone_depth.png": "unreadable",
        "person_0001/loop": "linked_folder",
    }


def test_names_with_spaces_and_accents_are_kept(root):
    os.rename(root / "person_0000", root / "Zoë é 1")
    reader = RgbdFolder(root=root)
    source = sources(root)["Zoë é 1/capture_00"]
    sample = reader.sample(source)
    assert sample.arrays["color"].shape == (24, 32, 3)
    assert "landmarks" in sample.arrays


def test_names_that_cannot_be_ids_are_listed(root):
    os.rename(root / "person_0000", root / "a~b")
    raw = os.fsencode(root) + b"/person_0001/bad\xff_depth.png"
    with open(raw, "wb") as stream:
        stream.write(b"x")
    assert problems(root) == {
        **{f"a~b/capture_0{i}_{role}.png": "bad_name" for i in (0, 1) for role in ("color", "depth")},
        "person_0001/bad\\xff_depth.png": "bad_name",
    }


def test_one_capture_more_changes_no_other_captures_record(root):
    before = {name: (source.record, source.tags) for name, source in sources(root).items()}
    add_tiny_capture(root, 0, 2)
    after = {name: (source.record, source.tags) for name, source in sources(root).items()}
    assert after.keys() - before.keys() == {"person_0000/capture_02"}
    assert {name: after[name] for name in before} == before


def test_landmarks_json_gives_tags_and_only_its_own_captures_suffer(root):
    path = root / "person_0000" / "landmarks.json"
    entries = json.loads(path.read_text())
    entries["capture_00"] |= {"masked": True, "yaw_deg": 12.5, "note": [1], "landmarks_3d_mm": {}}
    entries["capture_01"]["landmarks_px"].pop("nose")
    path.write_text(json.dumps(entries))
    (root / "person_0001" / "landmarks.json").write_text("{")
    assert sources(root)["person_0000/capture_00"].tags == {"expression": "neutral", "yaw_deg": 12.5, "mask": "worn"}
    assert problems(root) == dict.fromkeys(
        ["person_0000/capture_01", "person_0001/capture_00", "person_0001/capture_01"], "bad_landmarks"
    )


def test_a_capture_that_landmarks_json_leaves_out_has_none(root):
    path = root / "person_0000" / "landmarks.json"
    path.write_text(json.dumps({"capture_00": None}))
    found = sources(root)
    assert not problems(root)
    assert "landmarks" not in found["person_0000/capture_00"].arrays
    assert "landmarks" not in found["person_0000/capture_01"].arrays


def test_a_pattern_joins_a_masked_folder_to_its_person(root):
    shutil.copytree(root / "person_0000", root / "person_0000_masked")
    options = {"pattern": "{identity}[_{masked:flag}]/{name}_{capture}_depth.png"}
    found = sources(root, **options)
    assert [name for name in found if name.startswith("person_0000/")] == [
        "person_0000/capture_00",
        "person_0000/capture_01",
        "person_0000/masked_capture_00",
        "person_0000/masked_capture_01",
    ]
    assert found["person_0000/masked_capture_00"].tags == {"expression": "neutral", "mask": "worn", "name": "capture"}
    assert {"mask", "name", "expression"} <= set(RgbdFolder(root=root, **options).declared_tags())


def test_a_pattern_that_names_less_than_the_folder_lists_the_rest(root):
    found = problems(root, pattern="{identity}/{x}_{number:int}_color.png")
    assert found == {}
    (root / "person_0000" / "odd_color.png").write_bytes(b"x")
    assert problems(root, pattern="{identity}/{x}_{number:int}_color.png") == {
        "person_0000/odd_color.png": "name_not_matched"
    }


def test_captures_that_a_pattern_cannot_tell_apart_are_listed(root):
    os.rename(root / "person_0001", root / "person_0000_b")
    assert problems(root, pattern="{identity:str}[_b]/{capture}_depth.png") == {
        f"person_0000_b/capture_0{i}_{role}.png": "same_name" for i in (0, 1) for role in ("color", "depth")
    }


def test_other_endings_can_be_named(root):
    folder = root / "person_0000"
    for i in (0, 1):
        os.rename(folder / f"capture_0{i}_color.png", folder / f"capture_0{i}.png")
    shutil.rmtree(root / "person_0001")
    assert list(sources(root, color_suffix=".png")) == ["person_0000/capture_00", "person_0000/capture_01"]
    assert not problems(root, color_suffix=".png")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pattern": "{identity}/{capture}.tif"}, r"it must end with _color\.png or _depth\.png"),
        ({"pattern": "{identity"}, "character 1: '{' is not closed"),
        ({"color_suffix": ".png", "depth_suffix": ".PNG"}, "color_suffix and depth_suffix are both"),
    ],
)
def test_a_wrong_option_is_said_in_one_line(root, options, said):
    with pytest.raises(UserError, match=said):
        list(RgbdFolder(root=root, **options).scan())


def test_a_missing_or_empty_root_is_said(tmp_path):
    with pytest.raises(UserError, match=f"root {tmp_path / 'no'} is not a folder"):
        list(RgbdFolder(root=tmp_path / "no").scan())
    with pytest.raises(UserError, match=r"no capture in .*: expected files named <person>/<capture>_color\.png"):
        list(RgbdFolder(root=tmp_path).scan())


def test_where_and_how_to_select_enter_no_fingerprint(root, tmp_path):
    assert RgbdFolder(root=root).fingerprint() == RgbdFolder(root=tmp_path, pattern="{identity}/").fingerprint()
