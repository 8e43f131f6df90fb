"""Every data component of the registry, held to the contract of its kind; networks are in `test_network_contract.py`.

A new stage, occluder or table step is checked without a line being added here, unless its defaults do not suit a tiny
face. A reader has an entry below, or calls `check_reader` in its own test file; an augmentation has strengths below,
and a detector an image.
"""

from pathlib import Path

import pytest
from face_scans import face_sample

from face3d_data.readers.image_folder import ImageFolder
from face3d_data.registry import COMPONENTS, components
from face3d_data.sample import PER_POINT
from face3d_data.stages.align_3d import Align3d
from face3d_data.stages.subsample import Subsample
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.testing import tiny_sample, write_tiny_images, write_tiny_npy, write_tiny_rgbd
from face3d_data.testing.contract import (
    check_augmentation,
    check_detector,
    check_occluder,
    check_reader,
    check_stage,
    check_table,
)
from face3d_data.testing.contract_augmentation import tiny_arrays
from face3d_data.testing.contract_table import tiny_rows

STAGES = {
    "augment": [
        {"view_yaw_deg": 30, "sensors": ["d415"]},
        {"brightness": 0.2, "jpeg_quality": 50, "low_quality_mm": 4},
        {"yaw_deg": 15, "jitter_mm": 0.5, "copies": 2},
        {"mirror_p": 1},
        {"dropout": 0.3, "resample_points": 64},
    ],
    "clean": [{"min_points": 100}],
    "crop": [{}, {"align": "similarity"}],
    "detect": [{"detector": "given"}],
    "normals": [{}, {"curvature": True}],
    "subsample": [
        {"n_points": 64, "method": method} for method in ("exact", "fast", "curvature", "poisson", "voxel", "random")
    ],
    "to_cloud": [{"min_points": 100}, {"min_points": 100, "keep_colors": True}],
}


def npy(root: Path) -> dict:
    write_tiny_npy(root, 2, 2)
    return {"root": root, "intrinsics": root / "intrinsics.json", "depth_scale": 0.001}


LABELS = "identity,expression\ntiny/person_0000,smile\n"
TABLES = {
    "combine": {"frames": 2},
    "label": {"file": "labels.csv", "tags": ["expression"]},
    "limit": {"captures_per_person": 2, "frames": 2},
    "select": {"query": "mask == 'none'"},
    "split": {"stratify": ["masked"], "frames": 2},
}
"""Options of table steps that have to have some; `frames`: upstreams, each of another data set."""
AUGMENTATIONS = {
    "blur": {"blur_px": 3.0, "motion_blur_px": 9.0},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue_deg": 30.0},
    "depth_noise": {"depth_noise_mm": 2.0},
    "dropout": {"dropout": 0.5},
    "erasing": {"erase_p": 1.0},
    "flip": {"flip_p": 1.0},
    "holes": {"holes": 8, "hole_radius_mm": 20.0},
    "jitter": {"jitter_mm": 0.5},
    "jpeg": {"jpeg_quality": 10},
    "low_quality": {"low_quality_mm": 4.0},
    "mirror": {"mirror_p": 1.0},
    "resampling": {"resample_points": 300},
    "rotation": {"yaw_deg": 20.0, "pitch_deg": 10.0, "roll_deg": 5.0},
    "scale": {"scale": 0.1},
    "sensor": {"sensors": ("kinect_v1", "d415", "structured_light")},
    "translation": {"translation_mm": 10.0},
    "virtual_view": {"view_yaw_deg": 40.0, "view_pitch_deg": 10.0, "view_distance_mm": 100.0},
}
"""Strengths at which each operation does something to a tiny capture."""
PHOTOGRAPHS = ("flip",)
"""Operations that change nothing of a capture with a shape."""


def photograph():
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image (extra: dev)")
    return data.astronaut()


DETECTORS = {"facemesh": photograph, "mtcnn": photograph}
"""An image in which each detector finds a face."""
READERS = {
    "image_folder": lambda root: {"root": write_tiny_images(root, 2, 2)},
    "rgbd_folder": lambda root: {"root": write_tiny_rgbd(root, 2, 2)},
    "rgbd_npy": npy,
    "synthetic": lambda root: {"people": 1, "captures": 2, "width": 64, "height": 48},
}


def aligned_face():
    """A scan in the face frame, for stages that take no other."""
    return Align3d().apply(ToCloud().apply(face_sample(noise_mm=0.5)))


def ours(kind):
    return {name: cls for name, cls in components(kind).items() if cls.__module__.startswith("face3d_data.")}


def stage_cases():
    return [(name, options) for name in ours("stage") for options in STAGES.get(name, [{}])]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), stage_cases(), ids=lambda value: str(value))
def test_every_stage_keeps_the_contract(name, options):
    stage = ours("stage")[name](**options)
    check_stage(stage, aligned_face() if stage.frame == "face" else tiny_sample(width=96, height=72))


@pytest.mark.parametrize("name", ours("reader"))
def test_every_reader_keeps_the_contract(name, tmp_path):
    if name in READERS:
        check_reader(ours("reader")[name](**READERS[name](tmp_path)))
        return
    own_test = Path(__file__).parents[1] / "readers" / f"test_{name}.py"
    has_check = own_test.is_file() and "check_reader(" in own_test.read_text()
    assert has_check, f"call check_reader in {own_test.name}, or add to READERS how a collection of {name!r} is made"


@pytest.mark.parametrize("name", ours("table"))
def test_every_table_step_keeps_the_contract(name, tmp_path, monkeypatch):
    (tmp_path / "labels.csv").write_text(LABELS)
    monkeypatch.chdir(tmp_path)
    options = dict(TABLES.get(name, {}))
    frames = [tiny_rows(dataset=dataset) for dataset in ("tiny", "other")[: options.pop("frames", 1)]]
    check_table(ours("table")[name](**options), frames)


@pytest.mark.parametrize("name", ours("augmentation"))
def test_every_augmentation_keeps_the_contract(name):
    assert name in AUGMENTATIONS, f"add to AUGMENTATIONS strengths at which {name!r} changes a tiny capture"
    shape = ("points", "depth", "grid", "grid_color", "map", *PER_POINT) if name in PHOTOGRAPHS else ()
    arrays = {key: array for key, array in tiny_arrays().items() if key not in shape}
    check_augmentation(ours("augmentation")[name](**AUGMENTATIONS[name]), arrays)


@pytest.mark.parametrize("name", ours("occluder"))
def test_every_occluder_keeps_the_contract(name):
    check_occluder(ours("occluder")[name]())


@pytest.mark.parametrize("name", ours("detector"))
def test_every_detector_keeps_the_contract(name):
    assert name in DETECTORS, f"add to DETECTORS an image in which {name!r} finds a face"
    check_detector(ours("detector")[name](), DETECTORS[name]())


def test_the_entries_above_are_of_components_that_exist():
    for kind, entries in (
        *(("stage", STAGES), ("reader", READERS), ("table", TABLES)),
        *(("augmentation", AUGMENTATIONS), ("detector", DETECTORS)),
    ):
        assert entries.keys() <= ours(kind).keys(), kind
    assert Subsample.name in ours("stage")
    assert ImageFolder.name in ours("reader")


def test_every_kind_of_data_component_is_checked_here():
    text = Path(__file__).read_text("utf-8")
    for kind in COMPONENTS.kinds:
        assert f'ours("{kind}")' in text, f"write a test here that runs the contract check over ours({kind!r})"
