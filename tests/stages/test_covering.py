"""What `mask` and `occlude` share: what they declare to make, so that planning is right."""

import numpy as np
import pytest
from face_scans import face_sample

from face3d_data.errors import Reject
from face3d_data.stages.mask import Mask
from face3d_data.stages.occlude import NAMES, Occlude
from face3d_data.stages.to_cloud import ToCloud


@pytest.mark.parametrize("stage", [Mask, Occlude])
def test_labels_of_points_are_made_and_nothing_else(stage):
    assert stage().created() == {"occlusion"}


@pytest.mark.slow
@pytest.mark.parametrize("unknown", range(5))
@pytest.mark.parametrize("kind", NAMES)
def test_one_unknown_landmark_is_no_trouble(kind, unknown):
    cloud = ToCloud().apply(face_sample(noise_mm=0.5)).without("depth", "color")
    landmarks = cloud.arrays["landmarks_3d"].copy()
    landmarks[unknown] = np.nan
    covered = Occlude(kinds=[kind]).apply(cloud.with_arrays(landmarks_3d=landmarks))
    assert np.isfinite(covered.arrays["points"]).all()


def test_a_sample_with_a_camera_that_is_none_is_rejected():
    sample = face_sample()
    with pytest.raises(Reject, match="bad_camera"):
        Mask().apply(sample.with_arrays(intrinsics=np.zeros(4)))


def test_the_visible_ratio_counts_what_was_worn_before():
    cloud = ToCloud().apply(face_sample(noise_mm=0.5)).without("depth", "color")
    masked = Mask(styles=["surgical"]).apply(cloud)
    again = Mask(styles=["surgical"], already_masked="cover").apply(masked).tags["visible_ratio"]
    glasses = Occlude(kinds=["sunglasses"])
    both, alone = glasses.apply(masked).tags["visible_ratio"], glasses.apply(cloud).tags["visible_ratio"]
    before = masked.tags["visible_ratio"]
    assert before - 0.1 < again <= before
    assert before + alone - 1.05 < both < min(before, alone) - 0.05


def test_without_points_the_visible_ratios_multiply():
    photo = face_sample().without("depth", "intrinsics")
    glasses = Occlude(kinds=["glasses"])
    alone = glasses.apply(photo).tags["visible_ratio"]
    assert glasses.apply(photo.with_tags(visible_ratio=0.5)).tags["visible_ratio"] == pytest.approx(alone / 2, abs=1e-4)
