"""Variation of maps and masks drawn over them: exact where geometry says what comes out."""

import json

import numpy as np
import pytest
from tiny_sets import MAP_SAID, map_set

from face3d_data.errors import UserError
from face3d_data.geometry.surface_map import MapGrid, map_channels, surface_map
from face3d_data.shards.origin import DatasetOrigin
from face3d_training.checkpoint import load_model
from face3d_training.config import DataConfig, MasksConfig, TrainConfig, VaryMapConfig, load_config
from face3d_training.data import FaceRows
from face3d_training.map_place import MapPlace, check_same_maps
from face3d_training.map_variation import MapVariation, shifted, unlabelled
from face3d_training.masks import MapMasks
from face3d_training.train import train
from face3d_training.trained_rows import rows_for
from face3d_training.variation import Variation

GRID = MapGrid(2.0, 64, 64, -64.0, 66.0)
KINDS = ("slopes", "normals")


def place(kind="slopes"):
    return MapPlace(GRID, kind == "normals")


def face_map(kind="slopes", seed=0):
    """The map of a smooth bump with a nose, seen in a disc."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-66, 66, (40_000, 2))
    xy = xy[np.hypot(xy[:, 0], xy[:, 1]) < 58]
    z = -(xy**2).sum(axis=1) / 120 + 18 * np.exp(-(xy**2).sum(axis=1) / 200)
    return map_channels(surface_map(np.column_stack([xy, z]), GRID, 1.4, 4.0), kind)


def varied(image, kind="slopes", seed=1, **strengths):
    variation, free = MapVariation(VaryMapConfig(**strengths), place(kind)), np.zeros(image.shape[1:], np.float32)
    return variation.varied(image, free, np.random.default_rng(seed))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_without_strength_a_map_stays_as_it_is(kind):
    image = face_map(kind)
    assert np.abs(varied(image, kind) - image).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_a_tilt_adds_a_plane_and_its_slopes(kind):
    image = face_map(kind)
    tilted = varied(image, kind, tilt=0.05)
    seen = image[-1] > 0
    assert np.array_equal(tilted[-1] > 0, seen)
    (sx, sy), (tx, ty) = place(kind).slopes(image), place(kind).slopes(tilted)
    a, b = np.median((tx - sx)[seen]), np.median((ty - sy)[seen])
    assert 0.001 < abs(a) < 0.3
    plane = a * GRID.x_mm()[None, :] + b * GRID.y_mm()[:, None]
    assert np.abs((tilted[0] - image[0] - plane)[seen]).max() < 0.01


def test_noise_has_slopes_of_its_own_and_stays_within_its_strength():
    image = face_map()
    noisy = varied(image, noise_mm=1.0)
    seen = image[-1] > 0
    off = np.where(seen, noisy[0] - image[0], 0)
    assert 0.02 < off[seen].std() < 1.1
    inside = seen & np.roll(seen, 1, 1) & np.roll(seen, -1, 1)
    across = (np.roll(off, -1, 1) - np.roll(off, 1, 1)) / (2 * GRID.cell_mm)
    assert np.abs((noisy[1] - image[1] - across)[inside]).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_mirrored_map_is_the_map_of_the_mirrored_face(kind):
    """The height of a cell is that of the cell opposite, and the face falls to the other side."""
    image = face_map(kind)
    mirrored = varied(image, kind, mirror=1.0)
    np.testing.assert_allclose(mirrored[0], image[0, :, ::-1], atol=1e-6)
    np.testing.assert_allclose(mirrored[1], -image[1, :, ::-1], atol=1e-5)
    np.testing.assert_allclose(mirrored[2:], image[2:, :, ::-1], atol=1e-5)
    grid = place(kind).grid
    np.testing.assert_allclose(grid.x_mm(), -grid.x_mm()[::-1], atol=1e-9)


def test_shifted_maps_move_by_whole_cells_and_bring_holes():
    image = face_map()
    moved = shifted(image, 2, -3)
    assert np.array_equal(moved[:, 2:, :-3], image[:, :-2, 3:])
    assert not moved[:, :2].any()
    assert not moved[:, :, -3:].any()
    assert any(not np.array_equal(varied(image, shift_cells=2, seed=seed), image) for seed in range(4))


def test_holes_are_holes_in_every_channel():
    image = face_map()
    for seed in range(8):
        holed = varied(image, holes=1.0, seed=seed)
        gone = (image[-1] > 0) & (holed[-1] == 0)
        assert 0 < gone.sum() < 0.7 * (image[-1] > 0).sum()
        assert not holed[:, gone].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_covers_the_lower_face_and_lies_in_front_of_it(kind):
    image = face_map(kind)
    for seed in range(20):
        covered, visible, _ = MapVariation(VaryMapConfig(), place(kind)).masked(image, np.random.default_rng(seed))
        seen = image[-1] > 0
        changed = seen & (np.abs(covered - image).max(axis=0) > 1e-4)
        assert 0.1 < changed.sum() / seen.sum() < 0.8
        assert GRID.y_mm()[np.flatnonzero(changed.any(axis=1))[0]] < 26
        assert (covered[0] - image[0])[changed].min() > -1.6  # creases go in by their own noise alone
        assert np.median((covered[0] - image[0])[changed]) > 0.3
        assert 0 < visible < 1
        untouched = seen & ~changed
        assert np.abs((covered - image)[:, untouched]).max() < 1e-4


def test_the_same_draw_gives_the_same_mask_and_another_another():
    masks = MapVariation(VaryMapConfig(), place())
    image = face_map()
    first, again, other = (masks.masked(image, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_masks_over_maps_have_no_styles_and_no_other_arrays():
    variation = MapVariation(VaryMapConfig(), place())
    assert MapMasks.of(MasksConfig(share=0.5), ("map",), variation).share == 0.5
    with pytest.raises(UserError, match=r"masks\.styles: .* leave it out"):
        MapMasks.of(MasksConfig(share=0.5, styles=("n95",)), ("map",), variation)
    with pytest.raises(UserError, match="would not be in color"):
        MapMasks.of(MasksConfig(share=0.5), ("map", "color"), variation)


def test_residual_heights_are_free_of_the_mean_face_and_of_the_heads_distance():
    own = place()
    maps = np.stack([face_map(), face_map()])
    maps[1, 0] += np.where(maps[1, -1] > 0, 7.0, 0)  # the same face, 7 mm nearer
    own.residual(maps, 12.0)
    assert np.abs(maps[0, 0] - maps[1, 0]).max() < 1e-4
    assert np.abs(maps[:, 0]).max() <= 12
    assert not maps[:, 0][maps[:, -1] == 0].any()
    upper = (maps[0, -1] > 0) & own.upper
    assert abs(np.median(maps[0, 0][upper])) < 1e-4


def test_the_mean_faces_residual_is_nothing():
    from face3d_data.geometry.mean_face import mean_face

    image = map_channels(surface_map(mean_face().points, GRID, 2.5, 8.0), "slopes")[None]
    place().residual(image, 12.0)
    assert np.abs(image[:, 0]).max() < 1e-3


def test_maps_of_another_kind_than_a_network_learnt_from_are_refused():
    said = {"cell_mm": 2.0, "left_mm": -64.0, "top_mm": 66.0, "channels": "height,valid", "fill": "none"}
    check_same_maps(json.dumps(said), said, "mine", "best.pt")
    check_same_maps("", said, "mine", "best.pt")  # a network of images, or one from before maps said it
    check_same_maps(None, {}, "mine", "best.pt")
    for key, value in (("cell_mm", 4.0), ("top_mm", 50.0), ("fill", "nearest")):
        with pytest.raises(
            UserError, match=rf"dataset mine: its maps are not of the kind that best\.pt .*{key} is {value}"
        ):
            check_same_maps(json.dumps(said), said | {key: value}, "mine", "best.pt")


def test_a_checkpoint_keeps_what_its_maps_were(tmp_path):
    path = map_set(tmp_path)
    config = load_config("maps", [("epochs", 1), ("model.image_size_px", 32), ("batch.size", 16), ("device", "cpu")])
    best = train(path, config, tmp_path / "run")
    rows, _ = rows_for(load_model(best), path, "test")
    assert rows.map_said["cell_mm"] == 4.0
    other = map_set(tmp_path / "other", origin=DatasetOrigin(array_attributes={"map": MAP_SAID | {"top_mm": 50.0}}))
    with pytest.raises(UserError, match=r"top_mm is 50\.0 and was 66\.0"):
        rows_for(load_model(best), other, "test")


def test_a_dataset_that_does_not_say_where_its_cells_lie_is_refused():
    said = {"array_attributes": {"map": {"cell_mm": 2.0, "left_mm": -64.0, "top_mm": 66.0, "channels": "height,valid"}}}
    assert MapPlace.of(said, (4, 64, 64), "x").grid == GRID
    with pytest.raises(UserError, match="dataset x: does not say where the cells of its maps lie"):
        MapPlace.of({}, (4, 64, 64), "x")


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ({"map_height": "residual"}, {}),
        ({}, {"maps": VaryMapConfig(shift_cells=1)}),
        ({}, {"masks": MasksConfig(share=1)}),
    ],
)
def test_filled_holes_are_refused_where_the_network_would_see_some_that_are_empty(tmp_path, data, options):
    filled = DatasetOrigin(array_attributes={"map": MAP_SAID | {"fill": "nearest"}})
    path = map_set(tmp_path, origin=filled)
    rows = FaceRows(path, "train", DataConfig(fields=("map",)), "image")
    assert len(rows.__getitems__([(0, 0, 0)])["inputs"]) == 1
    with pytest.raises(UserError, match=r"holes of its maps are filled \(nearest\).*fill: none\}"):
        FaceRows(path, "train", DataConfig(fields=("map",), **data), "image", variation=Variation(**options))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_a_drawn_mask_covers_goes_through_the_same_shifts_and_holes_as_the_map(tmp_path, share):
    data = {"fields": ["map"]}
    vary = {"shift_cells": 3, "holes": 1.0}
    config = TrainConfig(data=data, masks={"share": share}, vary_map=vary)
    rows = FaceRows(map_set(tmp_path), "train", config.data, "image", None, Variation.of(config), config.seed)
    batch = rows.__getitems__([(row, 0, 0) for row in range(16)])
    plain = FaceRows(tmp_path / "maps", "train", config.data, "image", None, Variation(maps=config.vary_map), 0)
    bare = plain.__getitems__([(row, 0, 0) for row in range(16)])
    covered = batch["map_occlusion"]
    assert covered.shape == (16, 32, 32)
    assert set(np.unique(covered)) == {0.0, share}
    assert not covered[batch["inputs"][:, -1] == 0].any()
    changed = np.abs(batch["inputs"] - bare["inputs"]).max(axis=1) > 1e-3
    assert (changed <= (covered > 0)).all()
    if share:
        assert changed.sum() > 0.9 * covered.sum()


def test_occlusion_of_the_dataset_is_kept_and_that_of_a_masked_face_without_it_is_not_known():
    image = face_map()
    assert not unlabelled(image, plain=True).any()
    assert np.isnan(unlabelled(image, plain=False)).all()
    masks = MapMasks.of(MasksConfig(share=1.0), ("map", "map_occlusion"), MapVariation(VaryMapConfig(), place()))
    hair = np.zeros((64, 64), np.float32)
    hair[:6] = 0.75
    changed = masks.put_on({"map": image, "map_occlusion": hair}, np.nan, np.random.default_rng(0)).arrays
    assert (changed["map_occlusion"][:6] == 0.75).all()
    assert set(np.unique(changed["map_occlusion"][6:])) == {0.0, 1.0}
    assert hair.max() == 0.75


def test_cloth_over_a_hole_lies_where_the_face_around_it_says():
    """A hole's height is 0 in the map, and must not count."""
    image = face_map() + np.array([-60, 0, 0, 0], np.float32)[:, None, None]
    image[:, image[-1] == 0] = 0
    for rows, columns in ((slice(38, 42), slice(30, 35)), (slice(45, 49), slice(10, 14))):
        holed = image.copy()
        holed[:, rows, columns] = 0
        for seed in range(12):
            masks = MapVariation(VaryMapConfig(), place())
            covered, _, cells = masks.masked(holed, np.random.default_rng(seed))
            whole, _, _ = masks.masked(image, np.random.default_rng(seed))
            over = np.zeros_like(cells)
            over[rows, columns] = cells[rows, columns]
            assert np.abs(covered[0] - whole[0])[over].max(initial=0) < 8
            inside = over & np.roll(cells, 1, 0) & np.roll(cells, -1, 0)
            assert np.abs((covered - whole)[1:3, inside]).max(initial=0) < 3


def test_some_masks_stand_off_as_far_as_respirators_do():
    masks, image = MapVariation(VaryMapConfig(), place()), face_map()
    made = [masks.masked(image, np.random.default_rng(seed)) for seed in range(60)]
    off_mm = np.array([(covered[0] - image[0])[cells].max() for covered, _, cells in made])
    assert 0.15 < (off_mm > 18).mean() < 0.6
    assert off_mm.max() < 60
