"""Stage `occlude`: every kind in points, depth and colour alike, drawn by weight, in the person's own colours."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chisquare

from face3d_data.component import build
from face3d_data.errors import Reject, UserError
from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project
from face3d_data.sample import Sample
from face3d_data.stages.crop import CropFace
from face3d_data.stages.occlude import NAMES, Occlude
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.capture import render_capture
from face3d_data.synthetic.identity import draw_identity
from face3d_data.wear.fabric import linear_rgb
from face3d_data.wear.occluders import KINDS
from face3d_data.wear.occluders.hand import SKIN_COLORS
from face3d_data.wear.occluders.removal import GREY

SEED, PERSON = 3, 1
CLOUD = ("points", "landmarks_3d", "pose")


@pytest.fixture(scope="module")
def cloud():
    made = render_capture(SEED, PERSON, 0, width=320, height=240)
    names = ("color", "depth", "intrinsics", "landmarks", "box")
    capture = Sample.of({name: made[name] for name in names}, key="capture", tags={"mask": "none"})
    return ToCloud(keep_colors=True).apply(capture)


@pytest.fixture(scope="module")
def worn(cloud):
    """Return the sample of every kind, made once."""
    return {kind: Occlude(kinds=[kind]).apply(cloud, seed=2) for kind in NAMES}


def only(sample, *names):
    return Sample.of({name: np.array(sample.arrays[name]) for name in names}, key=sample.key)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_points_depth_and_colour_agree(kind, cloud, worn):
    arrays, plain = worn[kind].arrays, cloud.arrays
    new = arrays["occlusion"] == 2
    n_kept = int((~new).sum())
    assert new.mean() > 0.01  # the thinnest wire of glasses
    assert not new[:n_kept].any()
    rows = {row.tobytes() for row in plain["points"]}
    assert all(row.tobytes() in rows for row in arrays["points"][:n_kept])
    assert len(arrays["point_colors"]) == len(arrays["points"])
    at = np.rint(project(arrays["points"][new], arrays["intrinsics"])).astype(int)
    off = np.abs(arrays["depth"][at[:, 1], at[:, 0]] - arrays["points"][new, 2])
    assert (off < 2).mean() >= 0.99
    changed = (arrays["color"] != plain["color"]).any(axis=2)
    assert changed[at[:, 1], at[:, 0]].mean() > 0.9
    assert 0.004 < changed.mean() < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_what_was_drawn_is_recorded(kind, worn):
    sample = worn[kind]
    assert sample.variant == f"occlude:{kind}.0"
    assert sample.tags["occlusion"] == kind
    assert sample.tags["mask"] == "none"
    assert set(sample.tags) <= {*Occlude.tag_names, "mask"}
    assert len([name for name in sample.tags if name.startswith("occlusion_")]) >= 2
    low, high = {"glasses": (0.85, 1), "sunglasses": (0.6, 0.9), "hair": (0.5, 0.95)}.get(kind, (0.25, 0.85))
    assert low < sample.tags["visible_ratio"] < high


@pytest.mark.slow
def test_a_crop_removes_the_same_from_all_three(cloud, worn):
    arrays, plain = worn["crop"].arrays, cloud.arrays
    grey = (arrays["color"] == GREY).all(axis=2)
    np.testing.assert_array_equal(arrays["color"][~grey], plain["color"][~grey])
    np.testing.assert_array_equal(arrays["depth"], np.where(grey, 0, plain["depth"]))
    at = np.rint(project(plain["points"], plain["intrinsics"])).astype(int)
    below = grey[at[:, 1], at[:, 0]]
    np.testing.assert_array_equal(arrays["points"], plain["points"][~below])
    np.testing.assert_array_equal(arrays["point_colors"], plain["point_colors"][~below])
    assert not arrays["occlusion"].any()
    marks = np.rint(plain["landmarks"]).astype(int)
    assert grey[marks[:, 1], marks[:, 0]].tolist()[:2] == [False, False]
    assert grey[marks[3:, 1], marks[3:, 0]].all()
    assert (np.diff(grey.astype(int), axis=0) >= 0).all()  # one line: nothing is kept below it
    # The line lies at the drawn height below the nose tip, at about the face's own scale.
    row = np.argmax(grey[:, marks[2, 0]])
    scale = plain["intrinsics"][1] / plain["landmarks_3d"][2, 2]
    assert row - plain["landmarks"][2, 1] == pytest.approx(-worn["crop"].tags["occlusion_line_y_mm"] * scale, abs=6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sunglasses", "crop"])
@pytest.mark.parametrize(
    ("names", "made"),
    [
        (("points", "landmarks_3d"), {"points", "occlusion"}),
        (("depth", "intrinsics", "landmarks"), {"depth"}),
        (("color", "landmarks"), {"color"}),
    ],
)
def test_any_of_the_three_alone(kind, names, made, cloud):
    given = only(cloud, *names)
    result = Occlude(kinds=[kind]).apply(given)
    assert set(result.arrays) == {*names, *made}
    for name in set(names) & made:
        assert result.arrays[name].tobytes() != given.arrays[name].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_what_is_worn_may_go_on_beyond_an_aligned_photo(kind, cloud):
    photo = CropFace(align="similarity").apply(only(cloud, "color", "landmarks"))
    result = Occlude(kinds=[kind]).apply(photo)
    assert result.arrays["color"].shape == (112, 112, 3)
    assert result.arrays["color"].tobytes() != photo.arrays["color"].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_turning_points_and_camera_turns_the_crop(cloud, seed):
    given, motion = only(cloud, *CLOUD), np.eye(4)
    motion[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    motion[:3, 3] = np.random.default_rng(seed).normal(size=3) * 200
    moved = {name: transform(given.arrays[name], motion) for name in ("points", "landmarks_3d")}
    turned = Sample.of(moved | {"pose": motion @ given.arrays["pose"]}, key=given.key)
    here, there = (Occlude(kinds=["crop"]).apply(sample, seed=seed).arrays["points"] for sample in (given, turned))
    assert abs(len(here) - len(there)) <= 3
    assert len(here) < 0.8 * len(given.arrays["points"])
    if len(here) == len(there):
        np.testing.assert_allclose(transform(here, motion), there, atol=0.01)


@pytest.mark.slow
def test_hands_and_hair_are_the_persons_own(cloud, worn):
    look = draw_appearance(draw_identity(SEED, PERSON))
    for kind, true in (("hand_mouth", look.skin), ("hair", look.hair)):
        told = linear_rgb(worn[kind].tags["occlusion_color"])
        true = (np.array(true) / 255) ** 2.2
        assert np.abs(np.log(told / told.sum() * true.sum() / true)).max() < 0.25  # the hue
        assert abs(np.log(told.sum() / true.sum())) < 0.5  # the exposure is unknown
    colored = Occlude(kinds=["hand_eye"]).apply(only(cloud, *CLOUD, "point_colors"))
    told, seen = (linear_rgb(sample.tags["occlusion_color"]) for sample in (colored, worn["hand_eye"]))
    assert np.abs(np.log(told / told.sum() * seen.sum() / seen)).max() < 0.25
    assert Occlude(kinds=["hand_eye"]).apply(only(cloud, *CLOUD)).tags["occlusion_color"] in SKIN_COLORS


@pytest.mark.slow
def test_kinds_come_as_often_as_their_weights_say(cloud):
    few = only(cloud, *CLOUD)
    few = few.take(np.arange(0, len(few.arrays["points"]), 8))
    stage = Occlude(kinds={"glasses": 3, "crop": 1}, per_sample=100)
    samples = [sample for seed in range(2) for sample in stage.apply_all(few, seed=seed)]
    counts = [sum(sample.tags["occlusion"] == kind for sample in samples) for kind in ("glasses", "crop")]
    assert chisquare(counts, [150, 50]).pvalue > 0.01
    assert len({sample.id for sample in samples}) == 200


@pytest.mark.slow
def test_one_seed_gives_the_same_bytes_and_others_give_others(cloud):
    few = only(cloud, *CLOUD)
    names = ["scarf", "glasses", "crop"]
    one, again, other = (Occlude(kinds=names, per_sample=3).apply_all(few, seed=seed) for seed in (1, 1, 2))
    reordered = Occlude(kinds=names[::-1], per_sample=3).apply_all(few, seed=1)
    for a, b, c in zip(one, again, reordered, strict=True):
        assert a.arrays["points"].tobytes() == b.arrays["points"].tobytes() == c.arrays["points"].tobytes()
        assert a.tags == b.tags == c.tags
    assert [sample.tags for sample in one] != [sample.tags for sample in other]
    fewer = Occlude(kinds=names, per_sample=1)
    assert fewer.fingerprint(1) != Occlude(kinds=names, per_sample=3).fingerprint(1)


@pytest.mark.slow
def test_the_original_comes_first_if_asked_for(cloud):
    outputs = Occlude(kinds=["glasses"], keep_original=True, per_sample=2).apply_all(only(cloud, *CLOUD))
    assert [sample.variant for sample in outputs] == ["", "occlude:glasses.0", "occlude:glasses.1"]
    assert "occlusion" not in outputs[0].tags
    share = np.mean([len(Occlude(kinds=["crop"], keep_original=True, p=0.4).apply_all(only(cloud, *CLOUD), seed=i)) - 1
                     for i in range(40)])  # fmt: skip
    assert 0.15 < share < 0.65


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kinds": ["glases"]},
            "'glases' is none of hand_mouth, hand_eye, glasses, .*, scarf, crop: did you mean 'glasses'",
        ),
        ({"kinds": []}, "give at least one kind"),
        ({"kinds": ["hair", "hair"]}, "appears twice"),
        ({"kinds": {"hair": 0}}, "greater than 0"),
        ({"p": 0.5}, "keep_original"),
        ({"styles": ["n95"]}, "unknown option 'styles'"),
    ],
)
def test_wrong_options_are_refused_by_name(options, message):
    with pytest.raises(UserError, match=message):
        build(Occlude, options, "step 'occluded'")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hair", "crop"])
def test_faces_that_cannot_be_used_are_rejected_with_a_reason(kind, cloud):
    stage, few = Occlude(kinds=[kind]), only(cloud, *CLOUD)
    with pytest.raises(Reject, match="too_few_points"):
        stage.apply_all(few.take(np.arange(50)))
    with pytest.raises(Reject, match="no_landmarks"):
        stage.apply_all(few.with_arrays(landmarks_3d=np.full((5, 3), np.nan, np.float32)))
    images = only(cloud, "depth", "intrinsics", "landmarks")
    with pytest.raises(Reject, match="no_landmarks"):
        stage.apply_all(images.with_arrays(depth=np.zeros_like(images.arrays["depth"])))
    with pytest.raises(Reject, match="no_landmarks"):
        stage.apply_all(images.with_arrays(landmarks=images.arrays["landmarks"] + 400))
