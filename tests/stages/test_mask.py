"""Stage `mask`: points, depth and colour of one draw agree, and draws follow their weights."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chisquare

from face3d_data.component import build
from face3d_data.digest import digest_file
from face3d_data.errors import Reject, UserError
from face3d_data.geometry.align import transform
from face3d_data.sample import Sample
from face3d_data.stages.mask import Mask
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.synthetic.capture import render_capture
from face3d_data.wear.mask_draw import draw_mask
from face3d_data.wear.mask_style import mask_styles

COVERED = ("color", "depth", "points", "occlusion")


@pytest.fixture(scope="module")
def capture():
    made = render_capture(3, 1, 0, width=320, height=240)
    names = ("color", "depth", "intrinsics", "landmarks", "box")
    return Sample.of({name: made[name] for name in names}, key="capture", tags={"mask": "none"})


@pytest.fixture(scope="module")
def cloud(capture):
    return ToCloud(keep_colors=True).apply(capture)


def only(sample, *names):
    return Sample.of({name: np.array(sample.arrays[name]) for name in names}, key=sample.key)


def same(a, b):
    assert set(a.arrays) == set(b.arrays)
    assert a.tags == b.tags
    for name in a.arrays:
        np.testing.assert_array_equal(a.arrays[name], b.arrays[name], err_msg=name)


class TestWhatIsCovered:
    def test_points_depth_and_colour_agree(self, cloud):
        masked = Mask(styles=["kn95"]).apply(cloud)
        arrays, plain = masked.arrays, cloud.arrays
        new = arrays["occlusion"] == 1
        n_kept = int((~new).sum())
        assert 0.3 < new.mean() < 0.8
        assert not new[:n_kept].any()  # what stayed comes first, in its order, bit by bit
        rows = {row.tobytes() for row in plain["points"]}
        assert all(row.tobytes() in rows for row in arrays["points"][:n_kept])
        changed = arrays["depth"] != plain["depth"]
        fx, fy, cx, cy = arrays["intrinsics"]
        x, y, z = arrays["points"][new].T
        u, v = np.rint(x / z * fx + cx).astype(int), np.rint(y / z * fy + cy).astype(int)
        assert (np.abs(arrays["depth"][v, u] - z) < 2).mean() >= 0.99
        assert changed[v, u].mean() > 0.95
        assert (arrays["color"] != plain["color"]).any(axis=2)[v, u].mean() > 0.95
        assert np.isfinite(arrays["points"]).all()

    @pytest.mark.parametrize(
        ("names", "made"),
        [
            (("points", "landmarks_3d"), {"points", "occlusion"}),
            (("points", "landmarks_3d", "pose", "point_colors"), {"points", "point_colors", "occlusion"}),
            (("depth", "intrinsics", "landmarks"), {"depth"}),
            (("color", "depth", "intrinsics", "landmarks"), {"color", "depth"}),
            (("color", "landmarks"), {"color"}),
            (("color", "landmarks", "intrinsics"), {"color"}),
            (("color", "points", "landmarks_3d", "intrinsics"), {"color", "points", "occlusion"}),
        ],
    )
    def test_any_of_the_three_alone(self, cloud, names, made):
        given = only(cloud, *names)
        masked = Mask(styles=["surgical"]).apply(given)
        assert set(masked.arrays) == {*names, *made}
        for name in names:
            changed = masked.arrays[name].shape != given.arrays[name].shape or bool(
                (masked.arrays[name] != given.arrays[name]).any()
            )
            assert changed == (name in made), name
        assert 0.25 < masked.tags["visible_ratio"] < 0.65

    def test_a_colour_image_that_cannot_be_covered_does_not_go_on_bare(self, cloud):
        masked = Mask(styles=["surgical"]).apply(only(cloud, "color", "points", "landmarks_3d"))
        assert "color" not in masked.arrays

    def test_points_alone_if_images_are_not_kept(self, cloud):
        stage = Mask(styles=["surgical"], keep_images=False)
        masked = stage.apply(cloud)
        assert not {"color", "depth"} & set(masked.arrays)
        assert (masked.arrays["occlusion"] == 1).mean() > 0.3
        assert not {"color", "depth"} & set(stage.names_read())
        assert stage.missing({"color", "depth", "intrinsics", "landmarks"}) in ("points", "landmarks_3d")
        plain = Mask(keep_images=False, keep_original=True).apply_all(cloud)[0]
        np.testing.assert_array_equal(plain.arrays["color"], cloud.arrays["color"])

    def test_grids_and_curvature_of_the_bare_face_are_dropped(self, cloud):
        given = only(cloud, "points", "landmarks_3d", "pose").with_arrays(
            grid=np.zeros((4, 4, 3), np.float32), curvature=np.zeros(len(cloud.arrays["points"]), np.float32)
        )
        assert not {"grid", "curvature"} & set(Mask(styles=["n95"]).apply(given).arrays)

    def test_earlier_occluders_keep_their_label(self, cloud):
        first = Mask(styles=["surgical"]).apply(only(cloud, "points", "landmarks_3d", "pose"))
        old = np.where(np.arange(len(first.arrays["points"])) < 50, 2, 0).astype(np.uint8)
        again = Mask(styles=["kn95"]).apply(
            only(first, "points", "landmarks_3d", "pose").with_arrays(occlusion=old), seed=3
        )
        assert set(np.unique(again.arrays["occlusion"])) == {0, 1, 2}

    @pytest.mark.parametrize("seed", range(4))
    def test_turning_points_and_camera_turns_the_mask(self, cloud, seed):
        given = only(cloud, "points", "landmarks_3d", "pose")
        motion = np.eye(4)
        motion[:3, :3] = Rotation.random(random_state=seed).as_matrix()
        motion[:3, 3] = np.random.default_rng(seed).normal(size=3) * 200
        turned = Sample.of(
            {name: transform(given.arrays[name], motion) for name in ("points", "landmarks_3d")}
            | {"pose": motion @ given.arrays["pose"]},
            key=given.key,
        )
        stage = Mask(styles=["surgical"], worn=["proper"])
        here, there = stage.apply(given, seed=seed), stage.apply(turned, seed=seed)
        expected = transform(here.arrays["points"], motion)
        assert abs(len(expected) - len(there.arrays["points"])) <= 0.002 * len(expected)
        from scipy.spatial import cKDTree

        for a, b in ((expected, there.arrays["points"]), (there.arrays["points"], expected)):
            assert np.percentile(cKDTree(a).query(b)[0], 99.5) < 0.5


class TestDraws:
    def test_variants_are_named_and_tagged(self, cloud):
        outputs = Mask(styles=["surgical", "cloth"], per_sample=3).apply_all(cloud, seed=5)
        assert [output.variant for output in outputs] == [f"mask:{o.tags['mask']}.{i}" for i, o in enumerate(outputs)]
        for output in outputs:
            assert output.tags["mask"] in ("surgical", "cloth")
            assert output.tags["mask_worn"] == "proper"
            assert output.tags["mask_color"] in mask_styles()[output.tags["mask"]].colors
            assert set(Mask().declared_tags()) <= set(output.tags)
            assert not output.identity_suffix

    def test_more_variants_change_none_of_the_earlier(self, cloud):
        stage, many = Mask(per_sample=1), Mask(per_sample=3)
        first = next(iter(stage.run(cloud, np.random.default_rng(9))))
        same(first, next(iter(many.run(cloud, np.random.default_rng(9)))))

    def test_the_same_seed_gives_the_same_bytes_and_another_another_draw(self, cloud):
        given = only(cloud, *cloud.arrays)
        same(Mask().apply(given, seed=1), Mask().apply(given, seed=1))
        seeds = [Mask().apply(given, seed=seed).tags["mask_seed"] for seed in range(3)]
        assert len(set(seeds)) == 3

    @pytest.mark.parametrize("weights", [{"surgical": 1.0, "n95": 1.0}, {"surgical": 5.0, "kn95": 3.0, "cloth": 2.0}])
    def test_styles_come_as_often_as_they_weigh(self, weights):
        rng = np.random.default_rng(20)
        drawn = [draw_mask(mask_styles(), weights, {"proper": 3.0, "below_nose": 1.0}, rng) for _ in range(4000)]
        for value, want in (("style", weights), ("worn", {"proper": 3.0, "below_nose": 1.0})):
            counts = [sum(getattr(draw, value) == name for draw in drawn) for name in want]
            share = np.array(list(want.values())) / sum(want.values())
            assert sum(counts) == 4000
            assert chisquare(counts, 4000 * share).pvalue > 0.001

    @pytest.mark.slow
    def test_the_order_of_styles_decides_nothing(self, cloud):
        given = only(cloud, "color", "landmarks")
        here, there = Mask(styles={"n95": 1, "surgical": 2}), Mask(styles={"surgical": 2, "n95": 1})
        assert here.fingerprint() == there.fingerprint()
        for seed in range(3):
            same(here.apply(given, seed=seed), there.apply(given, seed=seed))

    def test_a_dangling_mask_leaves_more_to_see_than_a_proper_one(self, cloud):
        ratios = [
            Mask(styles=["surgical"], worn=[how]).apply(cloud).tags["visible_ratio"]
            for how in ("proper", "below_nose", "below_mouth", "one_ear")
        ]
        assert ratios[0] < ratios[1] < ratios[2]
        assert ratios[3] > ratios[0] + 0.15


class TestOriginals:
    def test_the_plain_sample_is_kept_under_its_own_id(self, cloud):
        plain, masked = Mask(keep_original=True).apply_all(cloud)
        assert not plain.variant
        assert plain.tags == cloud.tags
        assert not plain.arrays["occlusion"].any()  # labels, for datasets that have them as a field
        same(plain, cloud.with_arrays(occlusion=np.zeros(len(cloud.arrays["points"]), np.uint8)))
        assert masked.variant.startswith("mask:")

    @pytest.mark.slow
    def test_a_share_of_the_samples_is_masked(self, cloud):
        given = only(cloud, "points", "landmarks_3d", "pose")
        stage = Mask(p=0.3, keep_original=True)
        n_masked = sum(len(stage.apply_all(Sample.of(dict(given.arrays), key=str(i)))) - 1 for i in range(60))
        assert 8 <= n_masked <= 30

    def test_a_face_in_a_real_mask_is_not_called_bare(self, cloud):
        plain = Mask(keep_original=True, p=0).apply(cloud.with_tags(mask="worn"))
        assert "occlusion" not in plain.arrays

    def test_a_share_alone_is_refused(self):
        with pytest.raises(UserError, match="keep_original: true"):
            build(Mask, {"p": 0.3}, "step 'worn'")


class TestWornAlready:
    @pytest.fixture
    def worn(self, cloud):
        return only(cloud, "points", "landmarks_3d", "pose").with_tags(mask="cloth", mask_worn="proper")

    def test_a_worn_mask_is_no_bare_face(self, worn):
        with pytest.raises(Reject, match=r"^already_masked: wears cloth: already_masked: keep"):
            Mask(styles=["n95"]).apply(worn)

    @pytest.mark.parametrize("options", [{"already_masked": "keep"}, {"keep_original": True}])
    def test_it_is_kept_as_it_is(self, worn, options):
        (kept,) = Mask(styles=["n95"], per_sample=3, **options).apply_all(worn)
        assert kept.variant == worn.variant
        assert dict(kept.tags) == dict(worn.tags)
        assert np.array_equal(kept.arrays["points"], worn.arrays["points"])

    def test_it_is_covered_where_that_is_asked_for(self, worn, cloud):
        stage = Mask(styles=["n95"], already_masked="cover")
        bare = only(cloud, "points", "landmarks_3d", "pose")
        assert np.array_equal(stage.apply(worn, seed=3).arrays["points"], stage.apply(bare, seed=3).arrays["points"])
        assert stage.apply(worn, seed=3).tags["mask"] == "n95"

    @pytest.mark.parametrize("tag", ["none", ""])
    def test_none_and_not_known_are_bare(self, cloud, tag):
        assert Mask(styles=["n95"]).apply(cloud.with_tags(mask=tag)).tags["mask"] == "n95"


def test_data_files_keep_the_labels_and_bytes_that_are_in_fingerprints():
    """A label names the folder in which a file was first. What changes here makes every mask again, comments too."""
    assert [(label, digest_file(path)[:8]) for label, path in Mask().content_files()] == [
        ("geometry/mean_face.npz", "1c246be8"),
        ("geometry/mean_head.npz", "8054520c"),
        ("geometry/mask_styles.yaml", "d43c1485"),
    ]
