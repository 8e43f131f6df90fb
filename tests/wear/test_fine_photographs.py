"""Photographs of fine pixels: painted by fewer rays, they look as if by all."""

import cv2
import numpy as np
import pytest

from face3d_data.sample import Sample
from face3d_data.stages.mask import Mask
from face3d_data.synthetic.capture import render_capture
from face3d_data.wear import cover, cover_color, cover_shade, cover_view

SIDE_PX = 640


def photograph(person):
    made = render_capture(21, person, 0, width=320, height=320)
    scale = SIDE_PX / (3.2 * float(np.linalg.norm(made["landmarks"][1] - made["landmarks"][0])))
    shift = SIDE_PX / 2 - scale * made["landmarks"].mean(axis=0)
    to_photo = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    color = cv2.warpAffine(made["color"], to_photo, (SIDE_PX, SIDE_PX), flags=cv2.INTER_CUBIC)
    return Sample.of({"color": color, "landmarks": (scale * made["landmarks"] + shift).astype(np.float32)})


@pytest.mark.slow
@pytest.mark.parametrize("style", ["surgical", "cloth_pattern", "ffp2_valve"])
def test_fine_pixels_look_as_if_painted_by_all_rays(monkeypatch, style):
    sample, stage = photograph(1), Mask(styles=[style])
    quick = stage.apply_all(sample, 3)[0].arrays["color"].astype(float)
    monkeypatch.setattr(cover_color, "FINE_MM", 0.0)
    monkeypatch.setattr(cover_shade, "LATTICE_MM", 0.0)
    monkeypatch.setattr(cover_shade, "WIDE_PX", np.inf)
    monkeypatch.setattr(cover, "MANY_PIXELS", 10**9)
    monkeypatch.setattr(cover_view, "FEW_RAYS", 10**9)
    slow = stage.apply_all(sample, 3)[0].arrays["color"].astype(float)
    covered = (slow != sample.arrays["color"]).any(axis=-1)
    assert covered.sum() > 20_000
    assert (quick == slow).all(axis=-1)[~covered].mean() > 0.999
    assert not (quick == slow)[covered].all(), "the quick way is another one"
    apart = np.abs(quick - slow)[covered]
    assert apart.mean() < 2.0
    assert np.percentile(apart, 99) < 20


@pytest.mark.slow
def test_rays_that_are_spared_change_no_byte(monkeypatch):
    sample, stage = photograph(2), Mask(styles=["n95"])
    spared = stage.apply_all(sample, 3)[0].arrays["color"]
    monkeypatch.setattr(cover, "MANY_PIXELS", 10**9)
    monkeypatch.setattr(cover_view, "FEW_RAYS", 10**9)
    assert np.array_equal(stage.apply_all(sample, 3)[0].arrays["color"], spared)
