"""Stage `augment`: copies by draws, tags that repeat them, and the same bytes as a training loader's."""

import numpy as np
import pytest

from face3d_data.augment.augmentation import OPERATIONS, Augmentation
from face3d_data.component import build
from face3d_data.digest import seed_from
from face3d_data.errors import Reject, UserError
from face3d_data.sample import MAPS, Sample
from face3d_data.stages.augment import TAG, Augment
from face3d_data.testing import tiny_sample
from face3d_data.testing.contract import check_stage

IMAGES = {"color", "depth", "grid", "grid_color"}
MIXED = {"copies": 3, "jitter_mm": 0.5, "yaw_deg": 15, "dropout": 0.2, "scale": 0.05}


def drawn(sample: Sample) -> dict:
    return {name.removeprefix(TAG): value for name, value in sample.tags.items() if name.startswith(TAG)}


def streams_of(stage: Augment, sample: Sample) -> list[np.random.Generator]:
    """The generators that copies are drawn from in `apply_all`."""
    return np.random.default_rng(seed_from(stage.fingerprint(0, 0), sample.key)).spawn(stage.copies)


def same_arrays(one: Sample, two: Sample) -> bool:
    return all(np.array_equal(one.arrays[name], two.arrays[name], equal_nan=True) for name in one.arrays)


def test_copies_are_variants_with_their_draws_as_tags():
    outputs = check_stage(Augment(**MIXED), tiny_sample(width=96, height=72))
    assert [output.variant for output in outputs] == ["aug:0", "aug:1", "aug:2"]
    names = {"jitter_mm", "jitter_seed", "yaw_deg", "pitch_deg", "roll_deg", "dropout", "dropout_seed", "scale"}
    assert all(drawn(output).keys() == names for output in outputs)
    assert len({drawn(output)["yaw_deg"] for output in outputs}) == 3
    assert {output.identity for output in outputs} == {"tiny/person_0000"}


@pytest.mark.parametrize(
    "options",
    [
        MIXED,
        {"copies": 2, "mirror_p": 0.5, "resample_points": 128},
        {"view_yaw_deg": 40, "jitter_mm": 0.5, "blur_px": 3},
        {"sensors": ["d415"], "brightness": 0.2, "erase_p": 1},
    ],
)
def test_a_loader_with_the_same_draw_gets_the_same_bytes(options):
    sample = tiny_sample(width=96, height=72)
    loader = Augmentation.of(**{name: value for name, value in options.items() if name != "copies"})
    for output in Augment(**options).apply_all(sample):
        online = loader.apply(dict(sample.arrays), drawn(output))
        assert online.keys() == set(output.arrays)
        assert output.arrays.own
        assert all(array.tobytes() == output.arrays[name].tobytes() for name, array in online.items())


def test_a_loader_draws_what_the_stage_draws_from_the_same_stream():
    sample, stage = tiny_sample(), Augment(**MIXED)
    outputs = list(stage.run(sample, np.random.default_rng(7)))
    streams = np.random.default_rng(7).spawn(3)
    assert [drawn(output) for output in outputs] == [stage.augmentation.draw(stream) for stream in streams]


def test_a_copy_does_not_depend_on_how_many_there_are():
    sample = tiny_sample()
    few = list(Augment(copies=2, yaw_deg=15, jitter_mm=1).run(sample, np.random.default_rng(1)))
    many = list(Augment(copies=9, yaw_deg=15, jitter_mm=1, keep_original=True).run(sample, np.random.default_rng(1)))
    assert all(same_arrays(one, two) for one, two in zip(few, many[1:3], strict=True))


def test_seeds_decide():
    stage, sample = Augment(jitter_mm=1), tiny_sample()
    assert same_arrays(stage.apply(sample, seed=1), stage.apply(sample, seed=1))
    assert not same_arrays(stage.apply(sample, seed=1), stage.apply(sample, seed=2))


def test_the_original_is_kept_under_its_own_id_if_asked():
    sample = tiny_sample()
    original, copy = Augment(yaw_deg=5, keep_original=True).apply_all(sample)
    assert original.id == sample.id
    assert not original.variant
    assert not drawn(original)
    assert same_arrays(original, sample)
    assert copy.id.startswith(sample.id + "~aug:0~")


def test_a_mirrored_copy_is_another_person():
    outputs = Augment(copies=8, mirror_p=0.5).apply_all(tiny_sample())
    assert {output.tags["aug_mirror"] for output in outputs} == {True, False}
    for output in outputs:
        assert output.identity == "tiny/person_0000" + "~mirror" * output.tags["aug_mirror"]


def test_images_alone_can_be_varied_and_tags_say_only_what_was_done():
    arrays = tiny_sample().arrays
    photo = Sample.of({name: arrays[name] for name in ("color", "landmarks", "box")}, key="k")
    output = Augment(mirror_p=1, yaw_deg=20).apply(photo)
    assert drawn(output) == {"mirror": True}
    with pytest.raises(Reject, match="missing_points"):
        Augment(yaw_deg=20).apply(photo)


def test_another_cameras_copy_has_no_images_and_tells_no_blur():
    output = Augment(view_yaw_deg=40, blur_px=3).apply(tiny_sample(width=96, height=72))
    assert not {"color", "depth", "intrinsics", "landmarks", "box"} & set(output.arrays)
    assert "aug_view_yaw_deg" in output.tags
    assert "aug_blur_px" not in output.tags


def test_a_draw_that_leaves_too_few_points_is_drawn_again():
    small = tiny_sample().take(np.arange(40))
    stage = Augment(dropout=0.5, copies=20, keep_original=True)
    original, *copies = stage.apply_all(small)
    assert same_arrays(original, small)
    assert len(copies) == 20
    for copy in copies:
        assert len(copy.arrays["points"]) >= 32
        online = Augmentation.of(dropout=0.5).apply(dict(small.arrays), drawn(copy))
        np.testing.assert_array_equal(copy.arrays["points"], online["points"])
    first = [stage.augmentation.draw(stream) for stream in streams_of(stage, small)]
    again = sum(drawn(copy) != record for copy, record in zip(copies, first, strict=True))
    assert 5 < again < 18, "a good draw is kept"


def test_a_sample_is_rejected_where_no_draw_leaves_enough_points():
    with pytest.raises(Reject, match=r"too_few_points: \d+ < 3000 in copy 0, the best of 16 draws"):
        Augment(holes=1, hole_radius_mm=1, yaw_deg=1, min_points=3000, keep_original=True).apply_all(tiny_sample())
    with pytest.raises(Reject, match="too_few_points: 0 < 32"):
        Augment(jitter_mm=1).apply(tiny_sample().take(np.zeros(0, int)))


@pytest.mark.slow
def test_copies_without_images_neither_read_nor_store_them():
    options = {"mirror_p": 1, "sensors": ["d415"], "brightness": 0.3, "view_yaw_deg": 20}
    stage, sample = Augment(keep_images=False, copies=2, **options), tiny_sample(width=96, height=72)
    bare = {name: array for name, array in sample.arrays.items() if name not in IMAGES}
    for output in check_stage(stage, sample):
        assert not IMAGES & {*output.arrays}
        online = Augmentation.of(**options).apply(bare, drawn(output))
        assert online.keys() == set(output.arrays)
        assert all(array.tobytes() == output.arrays[name].tobytes() for name, array in online.items())
    assert not IMAGES & set(stage.names_read())
    assert set(stage.drops) >= IMAGES
    assert stage.groups() == (("points",), ("point_colors",))
    assert stage.output_bytes() < Augment(copies=2, **options).output_bytes() / 3


def test_only_copies_lose_their_images():
    original, copy = Augment(jitter_mm=1, keep_images=False, keep_original=True).apply_all(tiny_sample())
    assert "color" in original.arrays
    assert "color" not in copy.arrays
    assert "landmarks" in copy.arrays
    with pytest.raises(UserError, match="keep_images: false removes the image for blur"):
        build(Augment, {"yaw_deg": 5, "blur_px": 2, "keep_images": False}, "step 'varied'")


def test_a_mirrored_face_is_not_mirrored_back_as_a_third_person():
    once = Augment(mirror_p=1).apply(tiny_sample())
    for probability in (1, 1e-9):
        twice = Augment(mirror_p=probability, yaw_deg=10).apply(once)
        assert twice.identity == "tiny/person_0000~mirror"
        assert twice.tags["aug_mirror"] is True
        turned = Augmentation.of(yaw_deg=10).apply(dict(once.arrays), drawn(twice))
        np.testing.assert_array_equal(twice.arrays["points"], turned["points"])
    plain = Augment(mirror_p=1e-9).apply(tiny_sample())
    assert Augment(mirror_p=1).apply(plain).identity == "tiny/person_0000~mirror"


def test_a_stage_with_every_strength_zero_is_refused():
    with pytest.raises(UserError, match=r"step 'varied' \(augment\).*nothing to vary: set a strength \(mirror_p"):
        build(Augment, {"copies": 4}, "step 'varied'")
    with pytest.raises(UserError, match="'jitter_mm' = true: give a number"):
        build(Augment, {"jitter_mm": True}, "step 'varied'")
    with pytest.raises(UserError, match=r"step 'varied' \(augment\): mirror_p makes another person"):
        build(Augment, {"mirror_p": 0.5, "flip_p": 0.5}, "step 'varied'")


def test_options_are_those_of_the_operations():
    for kind in OPERATIONS:
        for name, info in kind.model_fields.items():
            mine = Augment.model_fields[name]
            assert (mine.default, mine.description) == (info.default, info.description)
            assert mine.metadata == info.metadata
    assert list(Augment.model_fields)[:4] == ["copies", "keep_original", "keep_images", "min_points"]


def test_only_arrays_of_operations_that_are_on_are_asked_for():
    assert Augment(jitter_mm=1).names_read() == ("points",)
    assert "color" in Augment(mirror_p=1).names_read()
    assert Augment(jitter_mm=1).groups() == (("points",),)
    assert Augment(jitter_mm=1).created() == set()
    assert Augment(yaw_deg=1).created() == {"pose"}
    assert Augment(mirror_p=1, blur_px=1).created() == set()
    assert Augment(jitter_mm=1).drops == MAPS
    assert {"color", "depth", "box"} <= set(Augment(view_yaw_deg=30).drops)


def test_expected_sizes_follow_what_is_stored():
    small = Augment(jitter_mm=1, resample_points=1024).output_bytes()
    assert 12 * 1024 < small < 40_000
    assert small < Augment(jitter_mm=1).output_bytes() < Augment(mirror_p=1).output_bytes()
    assert Augment(jitter_mm=1, copies=7).output_bytes() == 7 * Augment(jitter_mm=1).output_bytes()
