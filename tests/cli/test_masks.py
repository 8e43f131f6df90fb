"""`face3d masks`: a row for each style, on a capture, a photo or a synthetic face; mistakes in one line."""

import json
import shutil

import cv2
import numpy as np
import pytest

from face3d_data.cli.main import main
from face3d_data.pictures.mask_sheet import COLUMNS, GAP_PX, HEAD_PX, LABEL_RGB, LABEL_WIDTH_PX, look_at, panels
from face3d_data.pipeline.build import load_pipeline
from face3d_data.sheets.mask_styles_sheet import mask_stages, write_mask_sheet
from face3d_data.sheets.mask_subjects import captured, photographed
from face3d_data.synthetic.write import write_people
from face3d_data.wear.mask_style import mask_styles
from face3d_data.wear.wearing import find_face

SIZE = 64
STEP = SIZE + GAP_PX
STYLE = "outline: [[0, 20], [55, 0], [70, -50], [0, -98]]\ncolors: {lime: '#80ff20'}\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("masks") / "captures"
    list(write_people(root, 1, 1, seed=4, width=320, height=240))
    return root


@pytest.fixture(scope="module")
def color_file(root):
    return root / "person_000" / "capture_00_color.png"


@pytest.fixture(scope="module")
def subject(color_file):
    return captured(color_file)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["masks", "--size", str(SIZE), *map(str, arguments)])
    said = capsys.readouterr()
    return stopped.value.code, said.out.splitlines(), said.err.splitlines()


def cells(path):
    """Return the pictures of a sheet, (row, column, size, size, 3)."""
    image = cv2.imread(str(path))[..., ::-1]
    rows = (image.shape[0] - HEAD_PX) // STEP
    assert image.shape == (HEAD_PX + rows * STEP, LABEL_WIDTH_PX + len(COLUMNS) * STEP, 3)
    grid = image[HEAD_PX:, LABEL_WIDTH_PX:].reshape(rows, STEP, len(COLUMNS), STEP, 3)
    return grid.swapaxes(1, 2)[:, :, :SIZE, :SIZE]


def changed(a, b, levels=25):
    return (np.abs(a.astype(int) - b).max(axis=-1) > levels).mean()


@pytest.mark.slow
def test_every_style_has_a_line_and_a_row_in_which_the_lower_face_alone_is_covered(color_file, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    code, lines, _ = run(capsys, "--out", out, "--capture", color_file)
    assert code == 0
    assert [line.split(":")[0] for line in lines[:-1]] == list(mask_styles())
    assert all(0.3 < float(line.split()[-1]) < 0.7 for line in lines[:-1])
    assert lines[-1] == str(out)
    plain, *worn = cells(out)
    assert len(worn) == len(mask_styles())
    for row in worn:
        for column in (0, 2):  # colour and depth: the mouth is covered, the forehead is as it was
            assert changed(row[column][34:44, 24:40], plain[column][34:44, 24:40], levels=6) > 0.5
            assert changed(row[column][:12, 24:40], plain[column][:12, 24:40], levels=6) == 0
        for column in (1, 3, 4, 5):
            assert changed(row[column], plain[column]) > 0.02


@pytest.mark.slow
def test_how_they_are_worn_and_styles_of_ones_own(color_file, tmp_path, capsys):
    own = tmp_path / "mine.yaml"
    own.write_text(STYLE)
    arguments = ("--styles", "surgical,mine", "--style-file", own, "--worn", "proper,below_nose")
    code, lines, _ = run(capsys, "--out", tmp_path / "sheet.png", "--capture", color_file, *arguments)
    assert code == 0
    assert [line.split(":")[0] for line in lines[:-1]] == [
        "surgical",
        "surgical, below_nose",
        "mine",
        "mine, below_nose",
    ]
    ratio = [float(line.split()[-1]) for line in lines[:-1]]
    assert ratio[1] > ratio[0]
    assert ratio[3] > ratio[2]
    mine = cells(tmp_path / "sheet.png")[3, 0][36:44, 26:38].reshape(-1, 3).mean(axis=0)
    assert mine[1] > mine[0] > mine[2]  # lime


def test_all_styles_and_the_users_own_are_drawn_where_none_is_named(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(STYLE)
    assert [title for title, _ in mask_stages(None, "proper", (own,))] == [*mask_styles(), "mine"]


@pytest.mark.slow
def test_the_seed_decides_the_draw(subject, tmp_path):
    def lines(seed):
        said = []
        path = write_mask_sheet(
            tmp_path / f"{len(list(tmp_path.iterdir()))}.png", subject, stages, seed, SIZE, said.append
        )
        return path.read_bytes(), said

    stages = mask_stages("cloth_pattern", "proper", ())
    assert lines(1) == lines(1)
    assert lines(1)[0] != lines(2)[0]


@pytest.mark.slow
def test_a_folder_gives_its_first_capture(root, subject):
    for folder in (root, root / "person_000"):
        found = captured(folder)
        assert found.sample.key == subject.sample.key
    assert subject.sample.arrays["intrinsics"][0] == pytest.approx(307.5)


@pytest.mark.slow
def test_the_camera_may_lie_beside_the_capture_or_far_above(root, subject, tmp_path):
    for folder, camera in (("a/b/c", "."), ("p", "p")):
        (tmp_path / folder).mkdir(parents=True)
        for ending in ("color", "depth"):
            name = f"capture_00_{ending}.png"
            (tmp_path / folder / name).write_bytes((root / "person_000" / name).read_bytes())
        (tmp_path / camera / "intrinsics.json").write_bytes((root / "intrinsics.json").read_bytes())
        found = captured(tmp_path / folder / "capture_00_color.png").sample
        np.testing.assert_array_equal(found.arrays["points"], subject.sample.arrays["points"])
        (tmp_path / camera / "intrinsics.json").unlink()


@pytest.mark.slow
def test_a_capture_seen_through_a_lens_is_undistorted(root, subject, tmp_path):
    shutil.copytree(root / "person_000", tmp_path / "person_000")
    path = root / "intrinsics.json"
    lens = {"model": "brown_conrady", "coeffs": [0.05, 0, 0, 0, 0]}
    (tmp_path / "camera.json").write_text(json.dumps(json.loads(path.read_text()) | lens))
    sample = captured(tmp_path / "person_000").sample
    assert "distortion" not in sample.arrays
    assert not np.array_equal(sample.arrays["depth"], subject.sample.arrays["depth"])


@pytest.mark.slow
def test_a_photo_is_shown_as_its_colour_alone_is_masked(color_file, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    photo.write_bytes(color_file.read_bytes())
    subject = photographed(photo)
    assert set(subject.photo.arrays) == {"color", "box", "landmarks", "landmarks_68", "landmarks_dense"}
    stage = mask_stages("kn95", "proper", ())[0][1]
    seen, lent = stage.apply(subject.photo), stage.apply(subject.sample)
    assert {**seen.tags, "visible_ratio": 0} == {**lent.tags, "visible_ratio": 0}
    code, lines, _ = run(capsys, "--out", tmp_path / "sheet.png", "--photo", photo, "--styles", "kn95")
    assert code == 0
    assert lines[0] == f"kn95: visible_ratio {seen.tags['visible_ratio']:.2f}"
    plain, worn = cells(tmp_path / "sheet.png")
    assert changed(worn[0][34:44, 24:40], plain[0][34:44, 24:40]) > 0.5


@pytest.mark.slow
def test_a_photo_is_lent_the_depth_of_a_face_that_fits_its_landmarks(color_file):
    arrays = photographed(color_file).sample.arrays
    depth = arrays["depth"]
    column, row = np.rint(arrays["landmarks"]).astype(int).T
    left, right, nose = depth[row, column][:3]
    assert nose < min(left, right) - 10
    assert nose < depth[row[3:], column[3:]].min()
    assert (depth == 0).mean() > 0.3
    eyes = arrays["landmarks_3d"][1] - arrays["landmarks_3d"][0]
    assert 50 < np.linalg.norm(eyes) < 75


def test_the_nose_points_to_the_side_that_the_camera_saw_less_of():
    """A head in the face frame with a spike for a nose, seen by a camera at either side of it."""
    spread = np.stack(np.meshgrid(np.linspace(-60, 60, 60), np.linspace(-80, 60, 60)), axis=-1).reshape(-1, 2)
    points = np.column_stack([spread, np.full(len(spread), -60.0)])
    points[np.hypot(*spread.T) < 8, 2] = 20.0
    arrays = {"points": points.astype("f4"), "normals": np.tile(np.float32([0, 0, 1]), (len(points), 1))}
    for side in (-1, 1):
        pose = np.diag([1.0, -1.0, -1.0, 1.0])
        turn = np.deg2rad(20.0 * side)
        pose[:3, :3] = [[np.cos(turn), 0, -np.sin(turn)], [0, -1, 0], [-np.sin(turn), 0, -np.cos(turn)]]
        pose[:3, 3] = 600 * np.array([np.sin(turn), 0, np.cos(turn)])
        look = look_at(pose)
        assert np.sign(look.side_deg) == side
        flat = np.full((60, 80), 600.0, np.float32)
        camera = {"depth": flat, "color": np.zeros((60, 80, 3), "u1"), "intrinsics": np.array([70.0, 70, 39.5, 29.5])}
        picture = panels({**arrays, "pose": pose, **camera}, look, SIZE)[5]
        columns = np.nonzero((picture.max(axis=2) > 60).any(axis=0))[0]
        nose_mm = (columns.min() if side > 0 else columns.max()) - (SIZE - 1) / 2
        assert np.sign(nose_mm) == -side
        assert abs(nose_mm) > 15


@pytest.mark.slow
def test_points_are_coloured_by_what_they_are_of(subject):
    worn = mask_stages("surgical", "proper", ())[0][1].apply(subject.sample)
    to_face = find_face(subject.sample.arrays).view.to_face
    picture = panels(worn.arrays, look_at(to_face), SIZE)[4].astype(float)
    redness = [np.subtract(*LABEL_RGB[label][[0, 2]]) for label in (0, 1)]
    for row, expected in zip((20, 40), redness, strict=True):
        shown = picture[row - 2 : row + 3, 29:35].reshape(-1, 3).mean(axis=0)
        assert np.sign(shown[0] - shown[2]) == np.sign(expected)
        assert abs(shown[0] - shown[2]) > 15


@pytest.mark.slow
def test_a_synthetic_face_is_the_default_and_other_occluders_can_be_added(tmp_path, capsys):
    from face3d_data.stages.occlude import NAMES

    code, lines, _ = run(capsys, "--out", tmp_path / "sheet.png", "--styles", "n95", "--occluders", "--person", 2)
    assert code == 0
    assert [line.split(":")[0] for line in lines[:-1]] == ["n95", *NAMES]
    assert len(cells(tmp_path / "sheet.png")) == 2 + len(NAMES)


@pytest.mark.slow
def test_what_cannot_be_worn_is_said_and_left_out(subject, tmp_path):
    said = []
    strict = [
        (title, stage.model_copy(update={"min_points": 10**6})) for title, stage in mask_stages("kn95", "proper", ())
    ]
    stages = [*strict, *mask_stages("surgical", "proper", ())]
    path = write_mask_sheet(tmp_path / "sheet.png", subject, stages, 0, SIZE, said.append)
    assert said[0].startswith("kn95: not drawn: too_few_points: ")
    assert said[1].startswith("surgical: visible_ratio 0.")
    assert len(cells(path)) == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--out", "x.jpg"], "--out x.jpg: give the name of a .png file"),
        (["--out", "text.png/x.png", "--photo", "none.png"], "--out text.png/x.png: "),
        (["--photo", "none.png"], "--photo none.png: cannot be read"),
        (["--photo", "text.png"], "--photo text.png: text.png: not a PNG, JPEG or BMP: it starts with"),
        (["--photo", "empty.png"], "--photo empty.png: no_face"),
        (["--photo", "empty.png", "--capture", "."], "give --capture or --photo, not both"),
        (["--capture", "none"], "--capture none: not a capture: give a file that ends with _color.png"),
        (["--capture", "empty.png"], "--capture empty.png: not a capture"),
        (["--capture", "half_color.png"], "--capture half_color.png: no_depth"),
        (["--styles", "surgical,plague"], "'plague' is none of surgical, "),
        (["--styles", ""], "'' is none of"),
        (["--worn", "on_the_head"], "on_the_head"),
        (["--styles", "surgcal"], "respirator: did you mean 'surgical'?"),
        (
            ["--style-file", "none.yaml"],
            "none.yaml: cannot be read (No such file or directory)",
        ),
        (["--style-file", "n95.yaml"], "n95.yaml']: 'n95' is a style of the package: rename the file"),
        (["--style-file", "bad.yaml"], "bad.yaml: unknown option 'wrinkles'"),
        (["--size", "1"], "--size"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "bad.yaml").write_text(STYLE + "wrinkles: 3\n")
    for name in ("empty.png", "half_color.png"):
        cv2.imwrite(name, np.full((96, 128, 3), 127, np.uint8))
    there = sorted(path.name for path in tmp_path.iterdir())
    code, out, error = run(capsys, *arguments, *([] if "--out" in arguments else ["--out", "sheet.png"]))
    assert code == 2
    assert line in " ".join(error)
    assert (len(error), out) == (1, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == there


@pytest.mark.slow
def test_a_photo_of_few_pixels_is_asked_for_in_larger(color_file, tmp_path, capsys):
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.resize(cv2.imread(str(color_file)), None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA))
    code, _, error = run(capsys, "--out", tmp_path / "sheet.png", "--photo", small)
    assert code == 2
    assert "too_few_points" in error[0]
    assert "give a larger picture of one face" in error[0]


@pytest.mark.slow
def test_a_capture_without_a_face_is_refused(tmp_path, capsys, root):
    shutil.copytree(root, tmp_path / "captures")
    file = tmp_path / "captures" / "person_000" / "capture_00_color.png"
    cv2.imwrite(str(file), np.full((240, 320, 3), 127, np.uint8))
    cv2.imwrite(str(file.with_name("capture_00_depth.png")), np.full((240, 320), 900, np.uint16))
    code, _, error = run(capsys, "--out", tmp_path / "sheet.png", "--capture", file)
    assert code == 2
    assert "no_face" in error[0]
    assert not (tmp_path / "sheet.png").exists()


def test_a_chain_takes_files_of_styles_wherever_it_is_saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(STYLE)
    (tmp_path / "elsewhere").mkdir()
    steps = ["detect", "mask", "--style-files", "mine.yaml", "--styles", "mine,kn95"]
    with pytest.raises(SystemExit) as stopped:
        main(["chain", "--save", "elsewhere/p.yaml", "read", "synthetic", *steps, "write", "d", "--fields", "color"])
    assert stopped.value.code == 0
    stage = load_pipeline(tmp_path / "elsewhere" / "p.yaml").step("mask").component
    assert stage.style_files == (tmp_path / "mine.yaml",)
    assert list(stage.styles) == ["mine", "kn95"]
