"""Reader `bosphorus`: names and tags of every class, points and landmarks exact and upright, filters, broken scans."""

import shutil

import numpy as np
import pytest
import tiny_bosphorus
from scans import face_scan
from write_bosphorus import bosphorus_scan, write_bosphorus, write_lm2, write_lm3

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.bosphorus import Bosphorus, five_points, texture_colors
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation

EVERY_ARRAY = ("grid", "landmarks_3d", "grid_color", "color", "landmarks")
CORNERS = [
    ["Outer left eye corner", "Inner left eye corner"],
    ["Outer right eye corner", "Inner right eye corner"],
    ["Nose tip"],
    ["Left mouth corner"],
    ["Right mouth corner"],
]
NAMES = {
    "N_N_0": ("N", "N_N", 0, "neutral", "frontal", "none"),
    "N_N_3": ("N", "N_N", 3, "neutral", "frontal", "none"),
    "E_SURPRISE_0": ("E", "E_SURPRISE", 0, "surprise", "frontal", "none"),
    "LFAU_12LW_0": ("LFAU", "LFAU_12LW", 0, "lfau_12lw", "frontal", "none"),
    "UFAU_1_0": ("UFAU", "UFAU_1", 0, "ufau_1", "frontal", "none"),
    "CAU_A26A12lw_0": ("CAU", "CAU_A26A12lw", 0, "cau_a26a12lw", "frontal", "none"),
    "YR_R10_0": ("YR", "YR_R10", 0, "neutral", "yaw_r10", "none"),
    "YR_L90_0": ("YR", "YR_L90", 0, "neutral", "yaw_l90", "none"),
    "PR_SU_0": ("PR", "PR_SU", 0, "neutral", "pitch_su", "none"),
    "CR_RD_0": ("CR", "CR_RD", 0, "neutral", "cross_rd", "none"),
    "O_GLASSES_0": ("O", "O_GLASSES", 0, "neutral", "frontal", "glasses"),
    "O_EYE_1": ("O", "O_EYE", 1, "neutral", "frontal", "eye"),
    "IGN_x_0": ("IGN", "IGN_x", 0, None, None, None),
}


@pytest.fixture
def root(tmp_path):
    tiny_bosphorus.write(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def every_class(tmp_path_factory):
    """One person's scans of every class, by name alone: what is in them does not matter here."""
    folder = tmp_path_factory.mktemp("names") / "bs007"
    folder.mkdir()
    for code in NAMES:
        (folder / f"bs007_{code}.bnt").write_bytes(b"x")
    return folder.parent


def found(root, **options):
    return {source.capture: source for source in Bosphorus(root=root, **options).scan()}


def codes(root, **options):
    return {name.removeprefix("bs007_") for name in found(root, **options)}


def problems(root, **options):
    return {name: source.problem for name, source in found(root, **options).items() if source.problem}


def as_float32(points, turn=1):
    return (np.array(points) * turn).astype(np.float32)


def test_people_captures_and_arrays(root):
    sources = list(Bosphorus(root=root).scan())
    assert [(s.person, s.capture) for s in sources] == [
        ("bs000", "bs000_E_HAPPY_0"),
        ("bs000", "bs000_N_N_0"),
        ("bs001", "bs001_E_HAPPY_0"),
        ("bs001", "bs001_N_N_0"),
    ]
    assert {s.arrays for s in sources} == {EVERY_ARRAY}
    sample = Bosphorus(root=root).sample(sources[1])
    assert (sample.id, sample.identity) == ("bosphorus/bs000/bs000_N_N_0", "bosphorus/bs000")
    assert sample.tags["mask"] == "none"


@pytest.mark.slow
@pytest.mark.parametrize(("person", "capture"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_points_landmarks_and_colours_are_those_that_were_written(root, person, capture):
    made = bosphorus_scan(person, capture, 36, (64, 48))
    reader = Bosphorus(root=root)
    source = found(root)[f"bs00{person}_{tiny_bosphorus.CODES[capture]}"]
    got = {name: reader.load(source, name) for name in EVERY_ARRAY}
    turn = [1, -1, -1]
    assert np.array_equal(got["grid"], as_float32(made.points, turn), equal_nan=True)
    assert np.array_equal(got["color"], made.color)
    points = [np.mean([made.marks_3d[label] for label in labels], axis=0) for labels in CORNERS]
    assert np.array_equal(got["landmarks_3d"], as_float32(points, turn))
    pixels = [np.mean([made.marks[label] for label in labels], axis=0) for labels in CORNERS]
    np.testing.assert_allclose(got["landmarks"], pixels, atol=1e-3)
    seen = np.isfinite(made.points[..., 0])
    u, v = np.floor(made.texture[seen] * [64, 48]).astype(int).T
    assert np.array_equal(got["grid_color"][seen], made.color[v, u])
    assert not got["grid_color"][~seen].any()
    check_orientation(got["grid"], got["landmarks_3d"])
    check_orientation(got["grid"])


def test_every_point_has_the_colour_that_it_was_scanned_with(tmp_path):
    write_bosphorus(tmp_path, people=1, rows=36, texture=(160, 120))
    (source,) = Bosphorus(root=tmp_path).scan()
    seen = np.isfinite(face_scan(0, 0, 36).grid[..., 0])
    colors = Bosphorus(root=tmp_path).load(source, "grid_color")
    assert np.array_equal(colors[seen], face_scan(0, 0, 36).color[seen])


def test_the_nose_is_below_the_eyes_in_the_picture_and_in_rows_of_the_grid(root):
    reader = Bosphorus(root=root)
    source = found(root)["bs000_N_N_0"]
    landmarks, grid, nose = (reader.load(source, name) for name in ("landmarks", "grid", "landmarks_3d"))
    assert landmarks[0, 0] < landmarks[1, 0]
    assert landmarks[2, 1] > landmarks[:2, 1].max()
    nearest = np.nanargmin(np.linalg.norm(grid - nose[2], axis=2))
    eyes = np.nanargmin(np.linalg.norm(grid - nose[:2].mean(0), axis=2))
    assert nearest // grid.shape[1] > eyes // grid.shape[1]


def test_names_of_every_class_become_tags(every_class):
    names = ("category", "code", "number", "expression", "pose", "occlusion")
    got = {code: found(every_class)[f"bs007_{code}"].tags for code in NAMES}
    assert {code: tuple(tags.get(name) for name in names) for code, tags in got.items()} == NAMES


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, set(NAMES)),
        ({"subset": "frontal_neutral"}, {"N_N_0", "N_N_3"}),
        ({"categories": ["YR", "O"]}, {"YR_R10_0", "YR_L90_0", "O_GLASSES_0", "O_EYE_1"}),
        ({"expressions": ["surprise", "lfau"]}, {"E_SURPRISE_0", "LFAU_12LW_0"}),
        ({"expressions": ["lfau_12lw", "ufau_2"]}, {"LFAU_12LW_0"}),
        ({"expressions": ["neutral"], "poses": ["frontal"], "occlusions": ["none"]}, {"N_N_0", "N_N_3"}),
        ({"poses": ["yaw_l90", "cross_rd"]}, {"YR_L90_0", "CR_RD_0"}),
        ({"occlusions": ["eye"]}, {"O_EYE_1"}),
    ],
)
def test_filters_select_and_what_they_leave_out_is_not_dirty(every_class, options, wanted):
    assert codes(every_class, **options) == wanted
    assert not problems(every_class, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subset": "frontal"}, "'frontal_neutral'"),
        ({"categories": ["X"]}, "'LFAU'"),
        (
            {"expressions": ["smile"]},
            "'smile' is none of neutral, anger, disgust, fear, happy, sadness, surprise, lfau",
        ),
        ({"poses": ["yaw_r15"]}, "'yaw_r20'"),
        ({"occlusions": ["hat"]}, "'glasses'"),
    ],
)
def test_a_filter_that_the_database_does_not_know_is_refused_naming_those_it_knows(every_class, options, said):
    with pytest.raises(UserError, match=said):
        build(Bosphorus, {"root": every_class, **options}, "source 'b'")


def test_filters_that_select_nothing_are_said(root):
    with pytest.raises(UserError, match=r"none of 4 captures in .* is selected: see subset"):
        found(root, categories=["O"])


def test_options_that_select_do_not_enter_the_fingerprint(root):
    assert Bosphorus(root=root, subset="frontal_neutral").fingerprint() == Bosphorus(root=root).fingerprint()


def test_what_a_capture_lacks_is_not_given(root):
    folder = root / "bs000"
    (folder / "bs000_N_N_0.png").unlink()
    (folder / "bs000_E_HAPPY_0.lm3").unlink()
    (root / "bs001" / "bs001_N_N_0.lm2").unlink()
    got = {name: source.arrays for name, source in found(root).items()}
    assert got["bs000_N_N_0"] == ("grid", "landmarks_3d")
    assert got["bs000_E_HAPPY_0"] == ("grid", "grid_color", "color", "landmarks")
    assert got["bs001_N_N_0"] == ("grid", "landmarks_3d", "grid_color", "color")
    assert not problems(root)


def test_landmarks_without_a_range_image_are_listed(root):
    (root / "bs000" / "bs000_N_N_0.bnt").unlink()
    assert problems(root) == {"bs000_N_N_0": ("no_range", "bs000_N_N_0 has no .bnt")}


def test_a_missing_landmark_is_a_row_of_nan_and_too_few_are_no_array(root):
    made = bosphorus_scan(0, 0, 36, (64, 48))
    stem = root / "bs000" / "bs000_N_N_0"
    marks = {label: point for label, point in made.marks_3d.items() if label != "Inner left eye corner"}
    write_lm3(stem.with_suffix(".lm3"), marks)
    write_lm2(stem.with_suffix(".lm2"), {label: made.marks[label] for label in marks})
    source = found(root)["bs000_N_N_0"]
    assert source.arrays == ("grid", "landmarks_3d", "grid_color", "color")
    landmarks = Bosphorus(root=root).load(source, "landmarks_3d")
    assert np.isnan(landmarks).all(axis=1).tolist() == [True, False, False, False, False]
    three = {label: marks[label] for label in ("Nose tip", "Left mouth corner", "Right mouth corner")}
    write_lm3(stem.with_suffix(".lm3"), three)
    assert "landmarks_3d" in found(root)["bs000_N_N_0"].arrays
    write_lm3(stem.with_suffix(".lm3"), {label: marks[label] for label in ("Nose tip", "Left mouth corner")})
    assert "landmarks_3d" not in found(root)["bs000_N_N_0"].arrays


def test_of_a_pair_the_one_at_the_smaller_x_comes_first():
    marks = {"Left mouth corner": (9.0, 1.0), "Right mouth corner": (3.0, 2.0)}
    assert five_points(marks, 2)[3:].tolist() == [[3, 2], [9, 1]]
    del marks["Left mouth corner"]
    assert np.array_equal(five_points(marks, 2)[3:], [[np.nan, np.nan], [3, 2]], equal_nan=True)


def test_colours_come_from_the_pixel_under_u_and_v_counted_from_the_top():
    color = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    texture = np.array([[[0.0, 0.0], [0.99, 0.0], [1.0, 1.0]], [[0.3, 0.6], [np.nan, np.nan], [0.0, 1.0]]])
    want = [[color[0, 0], color[0, 3], color[1, 3]], [color[1, 1], [0, 0, 0], color[1, 0]]]
    assert np.array_equal(texture_colors(texture, color), want)


@pytest.mark.parametrize("name", ["bs000_N_N.bnt", "bs000_X_Y_0.bnt", "Bs000_N_N_1.png", "bs001_N_N_7.bnt"])
def test_names_that_fit_nothing_are_listed(root, name):
    (root / "bs000" / name).write_bytes(b"x")
    (problem,) = problems(root).values()
    assert problem[0] == "name_not_matched"
    assert name[:-4] in problem[1]


def test_a_flat_folder_is_read_with_a_pattern(root):
    flat = root / "flat"
    flat.mkdir()
    for path in sorted(root.glob("bs*/*")):
        shutil.move(path, flat / path.name)
    sources = list(Bosphorus(root=flat, pattern="{identity}_{capture}").scan())
    assert [(s.person, s.capture, s.tags["code"]) for s in sources if s.person == "bs001"] == [
        ("bs001", "E_HAPPY_0", "E_HAPPY"),
        ("bs001", "N_N_0", "N_N"),
    ]


@pytest.mark.parametrize(
    ("ending", "name", "said"),
    [
        (".bnt", "grid", "byte 100: the file is truncated"),
        (".lm3", "", "a.lm"),
        (".lm2", "", "a.lm"),
        (".png", "color", "truncated"),
        (".png", "grid_color", "truncated"),
    ],
)
def test_broken_files_have_a_reason(root, ending, name, said):
    path = (root / "bs000" / "bs000_N_N_0").with_suffix(ending)
    path.write_bytes(path.read_bytes()[:100])
    source = found(root)["bs000_N_N_0"]
    if not name:
        assert source.problem[0] == "unreadable"
        assert f"{path.name}: " in source.problem[1]
        return
    with pytest.raises(Unreadable, match=said) as caught:
        Bosphorus(root=root).load(source, name)
    assert caught.value.reason == "unreadable"
    with pytest.raises(Unreadable):
        Bosphorus(root=root).inspect(source)


def test_it_keeps_the_contract(root):
    check_reader(Bosphorus(root=root))


def test_a_tree_of_a_stated_number_of_points_is_made(tmp_path):
    write_bosphorus(tmp_path, people=3, codes=("N_N_0",), points=2000, with_picture=False, faces=2)
    reader = Bosphorus(root=tmp_path)
    grids = [reader.load(source, "grid") for source in reader.scan()]
    assert all(1600 < np.isfinite(grid[..., 0]).sum() < 2400 for grid in grids)
    assert not np.array_equal(grids[0], grids[2], equal_nan=True)


def test_the_people_may_lie_in_folders_as_archives_make_them(tmp_path):
    inner = tmp_path / "Bosphorus" / "BosphorusDB" / "BosphorusDB"
    tiny_bosphorus.write(inner)
    left = tmp_path / "Bosphorus" / "__MACOSX" / "BosphorusDB" / "bs000"
    left.mkdir(parents=True)
    (left / "bs000_N_N_0.png").write_bytes(b"x")
    (inner / "bs000" / "Thumbs.db").write_bytes(b"x")
    above, right = (
        {(s.person, s.capture): s.arrays for s in Bosphorus(root=root).scan()} for root in (tmp_path, inner)
    )
    assert above == right
    assert above
    mine = list(Bosphorus(root=tmp_path, pattern="{identity}/{capture}").scan())
    assert {source.problem[0] for source in mine} == {"name_not_matched"}, "a pattern of one's own is taken as it is"


def test_landmarks_that_lie_apart_keep_no_scan_out(tmp_path):
    tiny_bosphorus.write(tmp_path / "scans")
    apart = tmp_path / "apart" / "bs000"
    apart.mkdir(parents=True)
    shutil.copy(tmp_path / "scans" / "bs000" / "bs000_N_N_0.lm3", apart)
    sources = [(s.capture, s.problem and s.problem[0]) for s in Bosphorus(root=tmp_path).scan() if s.person == "bs000"]
    assert sources[0] == ("bs000_N_N_0", "no_range")
    assert ("bs000_N_N_0", None) in sources[1:]


def test_the_same_person_in_two_copies_is_listed(tmp_path):
    for copy in ("a", "b"):
        tiny_bosphorus.write(tmp_path / copy)
    sources = list(Bosphorus(root=tmp_path).scan())
    good = [(source.person, source.capture) for source in sources if not source.problem]
    assert len(good) == len(set(good))
    assert {source.problem[0] for source in sources if source.problem} == {"same_name"}
