"""Operations on photographs: exact values, plain twins, and images too small to do anything to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from face3d_data.augment.blur import Blur, line_kernel
from face3d_data.augment.color_jitter import LUMA, ColorJitter, recolored
from face3d_data.augment.erasing import Erasing, rectangle
from face3d_data.augment.flip import Flip
from face3d_data.augment.jpeg import Jpeg
from face3d_data.augment.mirror import Mirror
from face3d_data.testing.contract_augmentation import tiny_arrays

SAME_COLORS = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue_deg": 0.0}
SHARP = {"blur_px": 0.0, "motion_blur_px": 0.0, "motion_blur_deg": 0.0}
PHOTO = ("color", "box", "landmarks", "landmarks_3d", "intrinsics", "pose")
ALL_ON = (
    Flip(flip_p=1),
    ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue_deg=90),
    Blur(blur_px=4, motion_blur_px=12),
    Jpeg(jpeg_quality=5),
    Erasing(erase_p=1, erase_area=1, erase_depth=True),
    Erasing(erase_p=1, erase_fill="mean"),
)
images = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def photo() -> dict[str, np.ndarray]:
    return {name: array for name, array in tiny_arrays().items() if name in PHOTO}


def recolor(colors, **changes):
    return recolored(np.asarray(colors, np.uint8), **{**SAME_COLORS, **changes}, pivot=100.0)


# flip


def test_a_photograph_is_flipped_with_its_marks_and_keeps_its_person():
    arrays = photo()
    after = Flip().apply(arrays, {"flip": True})
    np.testing.assert_array_equal(after["color"], arrays["color"][:, ::-1])
    width = arrays["color"].shape[1]
    np.testing.assert_allclose(after["landmarks"][0], [width - 1, 0] + arrays["landmarks"][1] * [-1, 1], atol=1e-4)
    assert after["landmarks"][3, 0] < after["landmarks"][4, 0]
    assert after["box"][0] < after["box"][2]
    assert Flip(flip_p=1).new_identity({"flip": True}) == ""
    for name, array in Mirror().apply(arrays, {"mirror": True}).items():
        np.testing.assert_array_equal(after[name], array)


@pytest.mark.parametrize("name", ["points", "depth", "grid", "map"])
def test_where_the_shape_is_known_nothing_is_flipped(name):
    arrays = {**photo(), name: tiny_arrays()[name]}
    assert not Flip(flip_p=1).fits(arrays)
    assert Flip(flip_p=1).apply(arrays, {"flip": True}) == {}
    assert Flip(flip_p=1).fits(photo())


def test_a_share_of_the_photographs_is_flipped():
    rng = np.random.default_rng(0)
    assert 0.25 < np.mean([Flip(flip_p=0.3).draw(rng)["flip"] for _ in range(1000)]) < 0.35


# colour


def test_factors_of_colours():
    assert recolor([[200, 100, 50]], brightness=0.5).tolist() == [[100, 50, 25]]
    assert recolor([[200, 100, 50]], brightness=2.0).tolist() == [[255, 200, 100]]
    assert recolor([[120, 100, 50]], contrast=0.5).tolist() == [[110, 100, 75]]
    assert recolor([[7, 100, 250]], contrast=0.0).tolist() == [[100, 100, 100]]
    grey = round(float(np.dot([200, 100, 50], LUMA)))
    assert recolor([[200, 100, 50]], saturation=0.0).tolist() == [[grey] * 3]


def test_a_third_of_the_colour_circle_exchanges_the_components():
    colors = np.random.default_rng(0).integers(0, 256, (50, 3), np.uint8)
    np.testing.assert_allclose(recolor(colors, hue_deg=120).astype(int), np.roll(colors, 1, axis=1), atol=1)
    there_and_back = recolor(recolor(colors, hue_deg=70), hue_deg=-70)
    np.testing.assert_allclose(there_and_back.astype(int), colors, atol=3)
    assert recolor([[80, 80, 80]], hue_deg=90).tolist() == [[80, 80, 80]]


@given(images, st.floats(0, 2), st.floats(0, 2), st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_colours_follow_their_plain_twin(image, brightness, contrast, saturation):
    record = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue_deg": 0.0}
    after = ColorJitter().apply({"color": image}, record).get("color", image)
    bright = np.clip(image * float(brightness), 0, 255)
    mean = np.mean([0.299 * r + 0.587 * g + 0.114 * b for r, g, b in bright.reshape(-1, 3)])
    for before, got in zip(bright.reshape(-1, 3), after.reshape(-1, 3), strict=True):
        color = [min(max(mean + (c - mean) * contrast, 0), 255) for c in before]
        grey = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
        color = [min(max(grey + (c - grey) * saturation, 0), 255) for c in color]
        np.testing.assert_allclose(got, color, atol=0.51)


def test_points_get_the_colours_that_their_pixels_get():
    arrays = tiny_arrays()
    operation = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue_deg=40)
    after = operation.apply(arrays, operation.draw(np.random.default_rng(4)))
    rows, columns = np.nonzero(arrays["depth"])
    np.testing.assert_array_equal(after["point_colors"], after["color"][rows, columns])
    assert (after["point_colors"] != arrays["point_colors"]).mean() > 0.9


def test_factors_are_drawn_round_one():
    records = [ColorJitter(brightness=0.2).draw(np.random.default_rng(seed)) for seed in range(300)]
    drawn = np.array([record["brightness"] for record in records])
    assert 0.8 <= drawn.min() < 0.81
    assert 1.19 < drawn.max() <= 1.2
    assert {record["contrast"] for record in records} == {1.0}
    assert {record["hue_deg"] for record in records} == {0.0}


# blur


def dot(side: int = 31) -> np.ndarray:
    image = np.zeros((side, side, 3), np.uint8)
    image[side // 2, side // 2] = 255
    return image


def test_a_gaussian_blur_has_its_width():
    after = Blur().apply({"color": dot()}, {**SHARP, "blur_px": 2.0})["color"][..., 0].astype(float)
    np.testing.assert_array_equal(after, after.T)
    np.testing.assert_array_equal(after, after[::-1])
    offset = np.arange(31) - 15
    sigma = np.sqrt((after.sum(axis=0) * offset**2).sum() / after.sum())
    assert 1.7 < sigma < 2.1


def test_a_motion_blur_is_a_line():
    after = Blur().apply({"color": dot()}, {**SHARP, "motion_blur_px": 9.0, "motion_blur_deg": 0.0})["color"][..., 0]
    rows, columns = np.nonzero(after)
    assert set(rows) == {15}
    assert (columns.min(), columns.max()) == (10, 20), "4.5 px to either side, the ends spread over two pixels"
    kernel = line_kernel(9.0, 30.0)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    reach = np.arange(len(kernel)) - len(kernel) // 2
    x, y = (kernel.sum(axis=axis) @ reach**2 for axis in (0, 1))
    assert np.sqrt(y / x) == pytest.approx(np.tan(np.deg2rad(30)), rel=0.15)
    assert kernel[-1].sum() == pytest.approx(0)
    down = (kernel * np.outer(reach, reach)).sum()
    assert down > 0, "from x towards y"


@pytest.mark.parametrize("record", [{**SHARP, "blur_px": 3.0}, {**SHARP, "motion_blur_px": 7.5}])
def test_blur_keeps_an_even_image(record):
    even = np.full((12, 17, 3), [10, 90, 201], np.uint8)
    np.testing.assert_array_equal(Blur().apply({"color": even}, record)["color"], even)


# JPEG


def test_a_lower_quality_is_worse_and_colours_are_not_exchanged():
    color = tiny_arrays()["color"]
    error = [np.abs(Jpeg().apply({"color": color}, {"jpeg_quality": q})["color"] - color.astype(float)).mean()
             for q in (95, 50, 10)]  # fmt: skip
    assert error[0] < error[1] < error[2]
    red = np.full((16, 16, 3), [220, 20, 30], np.uint8)
    np.testing.assert_allclose(Jpeg().apply({"color": red}, {"jpeg_quality": 90})["color"].astype(int), red, atol=4)


def test_qualities_are_drawn_from_the_lowest_to_95():
    rng = np.random.default_rng(0)
    drawn = {Jpeg(jpeg_quality=90).draw(rng)["jpeg_quality"] for _ in range(200)}
    assert drawn == set(range(90, 96))


# erasing


def erase(shape, fill="mean", **changes):
    record = {"erase_area": 0.25, "erase_aspect": 1.0, "erase_x": 0.0, "erase_y": 1.0, "erase_fill": fill,
              "erase_depth": False, "erase_seed": 1, **changes}  # fmt: skip
    arrays = {"color": np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)}
    arrays["depth"] = np.full((shape[0] // 2, shape[1] // 2), 500, np.float32)
    return arrays, Erasing().apply(arrays, record), rectangle(shape, record)


def test_a_rectangle_of_the_drawn_share_and_place_is_erased():
    arrays, after, place = erase((40, 40))
    assert place == (slice(20, 40), slice(0, 20))
    outside = np.ones((40, 40), bool)
    outside[place] = False
    np.testing.assert_array_equal(after["color"][outside], arrays["color"][outside])
    mean = np.rint(arrays["color"].reshape(-1, 3).mean(axis=0))
    assert (after["color"][place] == mean).all()
    assert after.keys() == {"color"}


def test_noise_fills_and_the_depth_there_goes_if_asked():
    arrays, after, place = erase((40, 40), fill="noise", erase_depth=True)
    filled = after["color"][place].astype(float)
    assert 115 < filled.mean() < 140
    assert filled.std() > 60
    assert (after["depth"][10:, :10] == 0).all()
    assert (after["depth"] == 0).sum() == 100
    assert (arrays["depth"] > 0).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 999))
@settings(deadline=None)
def test_rectangles_lie_in_the_image_and_have_their_share(height, width, seed):
    record = Erasing(erase_p=1, erase_area=0.4).draw(np.random.default_rng(seed))
    assert 0.02 <= record["erase_area"] <= 0.4
    assert 0.29 < record["erase_aspect"] < 3.35
    rows, columns = rectangle((height, width), record)
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width
    if min(height, width) > 40 and 0.6 < height / width < 1.6 and record["erase_area"] < 0.15:
        share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        assert share == pytest.approx(record["erase_area"], rel=0.3)


def test_a_share_of_the_images_is_erased():
    rng = np.random.default_rng(0)
    assert 0.45 < np.mean([Erasing(erase_p=0.5).draw(rng)["erase_area"] > 0 for _ in range(1000)]) < 0.55


# all


@pytest.mark.parametrize("operation", ALL_ON, ids=lambda operation: operation.name)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (0, 5)])
def test_no_image_is_too_small(operation, shape):
    color = np.full((*shape, 3), 77, np.uint8)
    arrays = {"color": color, "depth": np.ones(shape, np.float32)}
    if operation.name == "flip":
        del arrays["depth"]
    after = {**arrays, **operation.apply(arrays, operation.draw(np.random.default_rng(1)))}
    assert after["color"].shape == color.shape
    assert after["color"].dtype == np.uint8


@pytest.mark.parametrize("operation", ALL_ON, ids=lambda operation: operation.name)
def test_without_an_image_nothing_happens(operation):
    assert operation.apply({"points": tiny_arrays()["points"]}, operation.draw(np.random.default_rng(1))) == {}
