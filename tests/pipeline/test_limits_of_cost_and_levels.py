"""Bad captures stop no run; files too large, small runs that lose most and roots at the wrong level are said."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scans import face_scan
from write_realsense import write_recording

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.judge import shortened
from face3d_data.pipeline.run import run
from face3d_data.testing import write_tiny_rgbd


def pipeline(steps=(), **source):
    with_steps = [{"id": "few", "stage": "subsample", "from": "c", "with": {"n_points": 64}}, *steps]
    datasets = {"s": {"from": "few", "fields": ["points"]}}
    return make_pipeline({"name": "t", "sources": {"c": source}, "steps": with_steps, "datasets": datasets}, Path())


def test_a_long_detail_keeps_its_remedy():
    detail = "the face is seen " + "x" * 300 + ": try up: z"
    short = shortened(detail)
    assert len(short) <= 240
    assert (short[:16], short[-12:]) == ("the face is seen", ": try up: z"[-12:].rjust(12, "x"))
    assert shortened("brief") == "brief"


def cloud(folder, name, points):
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", points)


def good(seed):
    return np.random.default_rng(seed).uniform(-90, 90, (300, 3)).astype(np.float32)


BAD = {
    "two points": np.zeros((2, 3), np.float32),
    "a line": np.outer(np.linspace(0, 100, 50), [1, 0, 0]).astype(np.float32),
    "one place": np.full((40, 3), 7, np.float32),
    "a speck": good(0) * 1e-9,
}


@pytest.mark.parametrize("what", BAD)
def test_degenerate_captures_where_the_survey_looks_stop_nothing(tmp_path, what):
    for i in range(41):
        cloud(tmp_path / "clouds" / f"p{i // 3:02d}", f"c{i:02d}", BAD[what] if i in (0, 10, 20) else good(i))
    said = []
    result = run(pipeline(reader="cloud_folder", root=str(tmp_path / "clouds")), tmp_path / "w", engine="serial",
                 say=said.append)  # fmt: skip
    assert len(result.entries("few")) == 38
    assert len(result.steps["c"].dirty) == 3


def test_another_unit_is_still_refused_as_a_whole(tmp_path):
    for i in range(9):
        cloud(tmp_path / "clouds" / "p", f"c{i}", good(i) / 1000 if i else BAD["one place"])
    with pytest.raises(UserError, match="these look like metres: set units: m"):
        run(pipeline(reader="cloud_folder", root=str(tmp_path / "clouds")), tmp_path / "w", engine="serial")


def test_what_fits_no_unit_is_refused_only_where_nothing_else_is_there(tmp_path):
    for i in range(5):
        cloud(tmp_path / "clouds" / "p", f"c{i}", BAD["a speck"])
    with pytest.raises(UserError, match="set units to the millimetres per unit"):
        run(pipeline(reader="cloud_folder", root=str(tmp_path / "clouds")), tmp_path / "w", engine="serial")


def test_a_small_run_that_loses_most_says_so(tmp_path):
    for i in range(12):
        cloud(tmp_path / "clouds" / "p", f"c{i:02d}", good(i)[: 300 if i < 4 else 20])
    said = []
    step = {"id": "clean", "stage": "clean", "from": "few"}
    run(pipeline([step], reader="cloud_folder", root=str(tmp_path / "clouds")), tmp_path / "w", engine="serial",
        say=said.append)  # fmt: skip
    note = next(line.strip() for line in said if "are the options right?" in line)
    assert note.startswith("8 of 12 rejected (too_few_points 8): are the options right? too_few_points: ")


def test_a_file_that_was_too_large_is_read_when_the_limit_is_lifted(tmp_path):
    for i in range(4):
        cloud(tmp_path / "clouds" / "p", f"c{i}", good(i))
    cloud(tmp_path / "clouds" / "p", "large", np.repeat(good(9), 3, axis=0))
    source = {"reader": "cloud_folder", "root": str(tmp_path / "clouds")}
    first = run(pipeline(**source, limits={"max_points": 500}), tmp_path / "w", engine="serial")
    (dirty,) = first.steps["c"].dirty
    assert (dirty.reason, dirty.status) == ("too_large", "reject")
    assert dirty.detail == "large.npy: 900 points, limits: max_points is 500"
    second = run(pipeline(**source), tmp_path / "w", engine="serial")
    assert len(second.entries("few")) == 5
    assert second.steps["few"].report.inputs == 1, "the others are not done again"


@pytest.mark.parametrize("reader", ["rgbd_folder", "image_folder", "realsense", "cloud_folder"])
def test_a_root_at_the_wrong_level_is_refused_with_the_one_that_fits(tmp_path, reader):
    root = tmp_path / "data" / "set"
    if reader == "realsense":
        write_recording(root / "ann", [face_scan(0, 0)])
        inside = root / "ann" / "color"
    elif reader == "cloud_folder":
        cloud(root / "ann", "a", good(0))
        inside = root / "ann"
    else:
        write_tiny_rgbd(root, people=1, captures=1)
        inside = root / "person_0000"
        if reader == "image_folder":
            for path in inside.glob("*_depth.png"):
                path.unlink()
    for wrong, said in ((root.parent, f"captures lie a level deeper: set root to {root}, or pattern"),
                        (root.parent.parent, f"deeper: set root to {root}"),
                        (inside, f"deep: set root to {root}, or pattern")):  # fmt: skip
        if reader == "realsense":
            if wrong != root.parent.parent:
                continue  # a level above, the set is a person; inside, there is no recording at all
            said = f"captures lie a level deeper: set root to {root.parent}, or pattern"
        options = {"reader": reader, "root": str(wrong)}
        made = make_pipeline({"name": "t", "sources": {"c": options}, "steps": [], "datasets": {}}, Path())
        with pytest.raises(UserError) as caught:
            run(made, tmp_path / "w", engine="serial")
        assert said in str(caught.value), reader
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
