"""Whatever the cloud or depth image, a stage gives outputs that hold, or rejects it for a declared reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.errors import Reject
from face3d_data.registry import components
from face3d_data.sample import PER_POINT, Sample
from face3d_data.testing.strategies import depth_images, point_clouds

SETTINGS = settings(max_examples=30, deadline=None, derandomize=True)
CLOUD_STAGES = [
    ("align_3d", {"max_rmse_mm": 1e9, "min_inlier_share": 0.0}),
    ("clean", {"min_points": 1}),
    ("normals", {"curvature": True}),
    *[
        ("subsample", {"n_points": 16, "method": m})
        for m in ("exact", "fast", "curvature", "poisson", "voxel", "random")
    ],
    ("subsample", {"n_points": 16, "pad": True}),
]


def outputs_or_declared_reject(stage, sample):
    try:
        outputs = stage.apply_all(sample)
    except Reject as error:
        if error.reason not in stage.reasons:
            raise
        return []
    for output in outputs:
        for name in ("points", *PER_POINT):
            if name in output.arrays.own:
                assert np.isfinite(output.arrays[name]).all() or name not in stage.outputs, name
    return outputs


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), CLOUD_STAGES, ids=str)
@SETTINGS
@given(points=point_clouds())
def test_any_cloud_is_used_or_rejected(name, options, points):
    marks = np.array([[-30, -35, 0], [30, -35, 0], [0, 0, -25], [-25, 40, 0], [25, 40, 0]], np.float32)
    arrays = {"points": points, "landmarks_3d": marks + np.float32(600) * np.array([0, 0, 1], np.float32)}
    arrays["normals"] = np.tile(np.array([0, 0, -1], np.float32), (len(points), 1))
    for output in outputs_or_declared_reject(components("stage")[name](**options), Sample.of(arrays)):
        if name == "subsample":
            assert len(output.arrays["points"]) == len(output.arrays["normals"]) == 16


@SETTINGS
@given(depth=depth_images(), where=st.tuples(st.floats(-50, 90), st.floats(-50, 90)), focal=st.floats(1, 2000))
def test_any_depth_image_becomes_points_or_is_rejected(depth, where, focal):
    marks = np.array([[-4, -4], [4, -4], [0, 0], [-3, 5], [3, 5]], np.float32) + np.array(where, np.float32)
    arrays = {"depth": depth, "intrinsics": np.array([focal, focal, 20, 20]), "landmarks": marks}
    stage = components("stage")["to_cloud"](min_points=1)
    for output in outputs_or_declared_reject(stage, Sample.of(arrays)):
        assert len(output.arrays["points"]) >= 1
        assert np.isfinite(output.arrays["landmarks_3d"]).all()


@SETTINGS
@given(
    depth=depth_images(),
    where=st.tuples(st.floats(-50, 90), st.floats(-50, 90)),
    align=st.sampled_from(["box", "similarity"]),
)
def test_any_image_is_cropped_or_rejected(depth, where, align):
    marks = np.array([[-4, -4], [4, -4], [0, 0], [-3, 5], [3, 5]], np.float32) + np.array(where, np.float32)
    box = np.array([marks[:, 0].min(), marks[:, 1].min(), marks[:, 0].max(), marks[:, 1].max()], np.float32)
    color = np.repeat((depth / 16).astype(np.uint8)[..., None], 3, axis=2)
    arrays = {
        "depth": depth,
        "color": color,
        "intrinsics": np.array([50.0, 50, 20, 20]),
        "landmarks": marks,
        "box": box,
    }
    options = {"size_px": 24, "margin_px": 4} if align == "box" else {"align": align, "size_px": 24}
    for output in outputs_or_declared_reject(components("stage")["crop"](**options), Sample.of(arrays)):
        assert output.arrays["color"].shape == (24, 24, 3)
        assert output.arrays["depth"].shape == (24, 24)
