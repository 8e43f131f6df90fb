"""Every reader and stage of the registry, held to the contract. A new one is checked without a line being added here.

A stage whose defaults do not suit a tiny face gets an entry below; a reader has one, or calls `check_reader` in its own
test file.
"""

from pathlib import Path

import pytest

from face3d_data.readers.image_folder import ImageFolder
from face3d_data.registry import components
from face3d_data.stages.subsample import Subsample
from face3d_data.testing import tiny_sample, write_tiny_images, write_tiny_npy, write_tiny_rgbd
from face3d_data.testing.contract import check_component, check_reader, check_stage

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


TABLES = {"label": {"file": Path(__file__), "tags": ["expression"]}}
READERS = {
    "image_folder": lambda root: {"root": write_tiny_images(root, 2, 2)},
    "rgbd_folder": lambda root: {"root": write_tiny_rgbd(root, 2, 2)},
    "rgbd_npy": npy,
    "synthetic": lambda root: {"people": 1, "captures": 2, "width": 64, "height": 48},
}


def ours(kind):
    return {name: cls for name, cls in components(kind).items() if cls.__module__.startswith("face3d_data.")}


def stage_cases():
    return [(name, options) for name in ours("stage") for options in STAGES.get(name, [{}])]


@pytest.mark.parametrize(("name", "options"), stage_cases(), ids=lambda value: str(value))
def test_every_stage_keeps_the_contract(name, options):
    check_stage(ours("stage")[name](**options), tiny_sample(width=96, height=72))


@pytest.mark.parametrize("name", ours("reader"))
def test_every_reader_keeps_the_contract(name, tmp_path):
    if name in READERS:
        check_reader(ours("reader")[name](**READERS[name](tmp_path)))
        return
    own_test = Path(__file__).parents[1] / "readers" / f"test_{name}.py"
    has_check = own_test.is_file() and "check_reader(" in own_test.read_text()
    assert has_check, f"call check_reader in {own_test.name}, or add to READERS how a collection of {name!r} is made"


@pytest.mark.parametrize("name", ours("table"))
def test_every_table_step_keeps_the_contract(name):
    cls = ours("table")[name]
    check_component(cls(**TABLES.get(name, {})))


def test_the_entries_above_are_of_components_that_exist():
    assert STAGES.keys() <= ours("stage").keys()
    assert READERS.keys() <= ours("reader").keys()
    assert Subsample.name in ours("stage")
    assert ImageFolder.name in ours("reader")
