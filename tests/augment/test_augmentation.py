"""Several operations as one: their order, their options, and what they are not allowed to load."""

import json
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
from augment_examples import STRONG, same
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.augment.augmentation import OPERATIONS, Augmentation
from face3d_data.augment.blur import Blur
from face3d_data.augment.flip import Flip
from face3d_data.augment.jitter import Jitter
from face3d_data.augment.rotation import Rotation
from face3d_data.errors import UserError
from face3d_data.sample import MAPS, PER_POINT, check_array
from face3d_data.testing.contract_augmentation import tiny_arrays

EVERYTHING = {name: value for kind, options in STRONG.items() if kind != "flip" for name, value in options.items()}
"""All that can be on at once."""


def test_only_what_is_on_is_kept_in_the_fixed_order():
    assert Augmentation.of().operations == ()
    assert Augmentation.of(hole_radius_mm=5.0).operations == ()
    made = Augmentation.of(yaw_deg=15, jitter_mm=0.5)
    assert made.operations == (Jitter(jitter_mm=0.5), Rotation(yaw_deg=15))
    everything = [type(operation) for operation in Augmentation.of(**EVERYTHING).operations]
    assert everything == [kind for kind in OPERATIONS if kind is not Flip]
    assert Augmentation.of(blur_px=1, flip_p=1).operations == (Flip(flip_p=1), Blur(blur_px=1))


def test_nothing_on_changes_nothing():
    assert Augmentation.of().draw(np.random.default_rng(0)) == {}
    assert same(Augmentation.of().apply(tiny_arrays(), {}), tiny_arrays())


def test_it_is_its_operations_one_after_the_other():
    augmentation, arrays = Augmentation.of(**EVERYTHING), tiny_arrays()
    record = augmentation.draw(np.random.default_rng(3))
    by_hand = dict(arrays)
    for operation in augmentation.operations:
        by_hand |= operation.apply(by_hand, record)
        by_hand = {name: array for name, array in by_hand.items() if name not in operation.removes}
    assert same(augmentation.apply(arrays, record), by_hand)
    assert augmentation.vary(arrays, record).new_identity(record) == "~mirror"


def test_operations_that_do_not_fit_are_left_out():
    augmentation = Augmentation.of(jitter_mm=1, mirror_p=1)
    arrays = {"color": tiny_arrays()["color"]}
    varied = augmentation.vary(arrays, augmentation.draw(np.random.default_rng(0)))
    assert set(varied.arrays) == {"color"}
    assert [operation.name for operation in varied.operations] == ["mirror"]


def test_arrays_that_an_operation_removes_are_gone_for_those_after_it():
    class Blinding(Jitter):
        removes: ClassVar = ("color", "landmarks_3d")

    augmentation = Augmentation((Blinding(jitter_mm=1), Rotation(yaw_deg=15)))
    arrays, record = tiny_arrays(), augmentation.draw(np.random.default_rng(0))
    after = augmentation.apply(arrays, record)
    assert after.keys() == arrays.keys() - {"color", "landmarks_3d", *MAPS}
    assert augmentation.vary(arrays, record).arrays.dropped == {"color", "landmarks_3d", *MAPS}
    assert same(
        augmentation.apply(arrays, {**record, "jitter_mm": 0}),
        {name: array for name, array in arrays.items() if name not in MAPS} | Rotation().apply(arrays, record),
    )


KINDS_OF_SAMPLES = {
    "all": tuple(tiny_arrays()),
    "cloud": ("points", "normals", "curvature", "occlusion", "landmarks_3d"),
    "photo": ("color", "box", "landmarks"),
    "depth": ("depth", "intrinsics"),
    "scan": ("grid", "grid_color", "landmarks_3d"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_SAMPLES)
@pytest.mark.filterwarnings("error")
@given(st.sets(st.sampled_from(sorted(STRONG.keys() - {"flip"})), min_size=1), st.integers(0, 999), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_operations_together_keep_the_contract_and_repeat_from_json(kind, names, seed, spoiled):
    augmentation = Augmentation.of(**{option: value for name in names for option, value in STRONG[name].items()})
    arrays = {name: array for name, array in tiny_arrays().items() if name in KINDS_OF_SAMPLES[kind]}
    if spoiled and "points" in arrays:
        arrays["points"] = np.where(np.arange(len(arrays["points"]))[:, None] % 3, arrays["points"], np.nan)
        arrays["landmarks_3d"] = np.full((5, 3), np.nan, np.float32)
    record = augmentation.draw(np.random.default_rng(seed))
    after = augmentation.apply(arrays, record)
    for name, array in after.items():
        check_array(name, array)
    assert len({len(after[name]) for name in ("points", *PER_POINT) if name in after}) <= 1
    assert same(augmentation.apply(arrays, json.loads(json.dumps(record))), after)


def test_a_loaders_arrays_stay_its_own():
    arrays = {"points": np.zeros((5, 3), np.float32), "color": np.zeros((2, 2, 3), np.uint8)}
    after = Augmentation.of(jitter_mm=1).apply(arrays, {"jitter_mm": 1.0, "jitter_seed": 0})
    assert not arrays["points"].any()
    assert arrays["points"].flags.writeable
    assert after["points"].all()


def test_wrong_options_are_named():
    with pytest.raises(UserError, match="unknown option 'jiter_mm'"):
        Augmentation.of(jiter_mm=1)
    with pytest.raises(UserError, match=r"\(rotation\): 'yaw_deg' = -5"):
        Augmentation.of(yaw_deg=-5)
    with pytest.raises(UserError, match="'resample_points' = 1000000000000: Input should be less than or equal to"):
        Augmentation.of(resample_points=10**12)


def test_one_picture_is_not_two_people():
    with pytest.raises(UserError, match="mirror_p makes another person of a photograph that flip_p"):
        Augmentation.of(mirror_p=0.5, flip_p=0.5)


@pytest.mark.slow
def test_a_loader_needs_neither_torch_nor_stages():
    code = (
        "import sys\nfrom face3d_data.augment.augmentation import Augmentation\n"
        "print([n for n in sys.modules if n in ('torch', 'open3d', 'cv2', 'pandas') or 'face3d_data.stage' in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
