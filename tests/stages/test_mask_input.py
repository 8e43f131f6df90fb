"""Stage `mask`: faces that cannot wear one, parameters that are wrong, and styles of one's own."""

import numpy as np
import pytest
from face_scans import face_sample, head_pose

from face3d_data.component import build
from face3d_data.errors import Reject, UserError
from face3d_data.sample import Sample
from face3d_data.stages.mask import Mask
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.synthetic.capture import render_capture
from face3d_data.wear.wearing import REASONS

STYLE = "outline: [[0, 20], [55, 0], [70, -50], [0, -98]]\ncolors: {lime: '#80ff20'}\n"


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


def half_out(cloud):
    """The capture cut so that half of the face is outside."""
    x = int(cloud.arrays["landmarks"][:, 0].mean())
    cut = {name: np.ascontiguousarray(cloud.arrays[name][:, x:]) for name in ("color", "depth")}
    return cloud.with_arrays(**cut, intrinsics=cloud.arrays["intrinsics"] - np.array([0, 0, x, 0]))


def without_points(cloud):
    return cloud.without("depth").with_arrays(points=np.full_like(cloud.arrays["points"], np.nan))


def bad(capture, cloud, **arrays):
    return Sample.of({name: np.array(capture.arrays[name]) for name in capture.arrays} | arrays)


class TestBadInput:
    @pytest.mark.parametrize(
        ("reason", "change"),
        [
            ("no_landmarks", lambda c, p: bad(c, p, landmarks=c.arrays["landmarks"] + np.float32(400))),
            ("no_landmarks", lambda c, p: bad(c, p, landmarks=np.full((5, 2), np.nan, np.float32))),
            ("no_landmarks", lambda c, p: bad(c, p, landmarks=np.full((5, 2), 60, np.float32))),
            ("no_landmarks", lambda c, p: bad(c, p, depth=np.zeros_like(c.arrays["depth"]))),
            ("no_landmarks", lambda c, p: p.with_arrays(landmarks_3d=np.full((5, 3), np.nan, np.float32))),
            ("too_few_points", lambda c, p: p.take(np.arange(50)).without("depth")),
            ("too_few_points", lambda c, p: p.with_arrays(depth=np.zeros_like(c.arrays["depth"]))),
            ("too_few_points", lambda c, p: without_points(p)),
            ("out_of_frame", lambda c, p: half_out(p)),
            ("not_face_sized", lambda c, p: p.with_arrays(landmarks_3d=p.arrays["landmarks_3d"] / 1000)),
            ("not_face_sized", lambda c, p: bad(c, p, depth=c.arrays["depth"] / 4)),
            ("color_not_aligned", lambda c, p: bad(c, p, color=np.zeros((60, 80, 3), np.uint8))),
            ("profile", lambda c, p: face_sample(head_pose(yaw_deg=62))),
        ],
    )  # fmt: skip
    def test_what_cannot_wear_a_mask_is_refused_with_its_reason(self, capture, cloud, reason, change):
        with pytest.raises(Reject) as raised:
            Mask(styles=["surgical"]).apply(change(capture, cloud))
        assert raised.value.reason == reason
        assert reason in REASONS

    def test_a_photo_of_a_profile_is_refused(self):
        turned = only(face_sample(head_pose(yaw_deg=75)), "color", "landmarks")
        with pytest.raises(Reject, match="profile"):
            Mask(max_yaw_deg=30).apply(turned)


class TestParameters:
    @pytest.mark.parametrize("styles", ["surgical,n95", ["surgical", "n95"], {"surgical": 1, "n95": 1}])
    def test_styles_are_a_list_or_weights(self, styles):
        assert Mask(styles=styles).styles == {"surgical": 1.0, "n95": 1.0}

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"styles": ["surgcal"]}, "'surgcal' is none of surgical, n95"),
            ({"styles": ["surgcal"]}, "respirator: did you mean 'surgical'?"),
            ({"styles": ["plague"]}, "respirator: add its file to style_files"),
            ({"stiles": ["n95"]}, "patterns, already_masked): did you mean 'styles'?"),
            ({"tilt_deg": 5}, "'tilt_deg' = 5: give a list"),
            ({"tilt_deg": [5]}, "'tilt_deg' = [5]: too few values"),
            ({"max_yaw_deg": "wide"}, "'max_yaw_deg' = 'wide': give a number"),
            ({"per_sample": "two"}, "'per_sample' = 'two': give a whole number"),
            ({"styles": []}, "at least one name"),
            ({"styles": ["n95", "n95"]}, "twice"),
            ({"styles": {"n95": 0}}, "styles.n95"),
            ({"worn": ["upside_down"]}, "'worn' = 'upside_down': Input should be 'proper', 'below_nose'"),
            ({"tilt_deg": (3, -3)}, "smaller number first"),
            ({"tilt_deg": (0, float("inf"))}, "tilt_deg.1"),
            ({"size": (0, 1)}, "size.0"),
            ({"standoff_mm": (-3, 1)}, "standoff_mm.0"),
            ({"styles": {"n95": float("inf")}}, "styles.n95"),
            ({"styles": ["n95"], "colors": ["blu"]}, "none of the chosen styles has 'blu'"),
            ({"patterns": ["tartan"]}, "patterns.0"),
            ({"style_files": ["/a/x.yaml", "/b/x.yaml"], "styles": ["x"]}, "'x' is a style of another file too"),
            ({"style_files": ["/a/n95.yaml"]}, "'n95' is a style of the package"),
            ({"style_files": ["/a/my mask~.yaml"]}, "my mask~.yaml: a style is named by its file"),
            ({"softening_px": 3}, "softening_px"),
            ({"style_files": ["/nowhere/x.yaml"], "styles": ["x"]}, "/nowhere/x.yaml: cannot be read (No such file"),
        ],
    )
    def test_wrong_parameters_are_refused_in_one_line(self, parameters, said):
        with pytest.raises(UserError) as raised:
            build(Mask, parameters, "step 'worn'")
        assert said in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.fixture
def own_style(tmp_path):
    import cv2

    (tmp_path / "lime.yaml").write_text(STYLE + "texture: lime.png\n")
    texture = np.zeros((20, 30, 4), np.uint8)
    texture[:, :15] = (255, 0, 0, 255)  # blue, as OpenCV orders it, on the left half
    cv2.imwrite(str(tmp_path / "lime.png"), texture)
    return tmp_path / "lime.yaml"


class TestOwnStyles:
    def test_a_style_of_ones_own_is_worn(self, cloud, own_style):
        masked = Mask(styles=["lime"], style_files=[own_style]).apply(cloud)
        assert masked.tags["mask"] == "lime"
        new = masked.arrays["point_colors"][masked.arrays["occlusion"] == 1].astype(int)
        assert (new[:, 2] > new[:, 1] + 40).mean() > 0.25  # the texture's blue half
        assert (new[:, 1] > new[:, 2] + 40).mean() > 0.25  # the lime half

    def test_its_content_and_its_textures_count_not_their_path(self, own_style, tmp_path):
        def fingerprint(path):
            return Mask(styles=["lime"], style_files=[path]).fingerprint()

        first = fingerprint(own_style)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for name in ("lime.yaml", "lime.png"):
            (elsewhere / name).write_bytes((tmp_path / name).read_bytes())
        assert fingerprint(elsewhere / "lime.yaml") == first
        import cv2

        cv2.imwrite(str(elsewhere / "lime.png"), np.zeros((20, 30, 4), np.uint8))
        assert fingerprint(elsewhere / "lime.yaml") != first
        own_style.write_text(own_style.read_text().replace("#80ff20", "#80ff21"))
        assert fingerprint(own_style) != first

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (STYLE.replace("outline", "outlines"), "'outlines'"),
            (STYLE.replace("#80ff20", "lime"), "colors.lime"),
            (STYLE + "pleats: {heights: 3}\n", "pleats.heights"),
            (STYLE + "texture: nowhere.png\n", "'texture' = 'nowhere.png'"),
            (STYLE + "texture: lime.yaml\n", "'texture' = 'lime.yaml'"),
            (STYLE + "texture: half.png\n", "'texture' = 'half.png'"),
            (STYLE.replace("[0, 20]", "[0]", 1), "'outline.0' = [0]: too few values"),
            ("just words", "fields of a style"),
            ("outline: [", "lime.yaml, line 1: expected the node content"),
            ("outline: " + "[" * 5000, "lime.yaml, line 1: is nested more than 50 deep"),
            (STYLE + "5: 6\n", "lime.yaml, line 3: key 5 is not a text"),
            (STYLE + 'texture: "a\\0.png"\n', "lime.yaml, line 3: 'a\\x00.png' holds a zero byte"),
            (STYLE.replace("colors: {lime: '#80ff20'}", ""), "'colors' is required"),
        ],
    )
    def test_a_broken_style_is_refused_with_the_fields_name(self, own_style, text, said):
        own_style.write_text(text)
        half = (own_style.parent / "lime.png").read_bytes()[:-20]
        (own_style.parent / "half.png").write_bytes(half)  # OpenCV would read it, warn, and give what is left
        with pytest.raises(UserError) as raised:
            build(Mask, {"styles": ["lime"], "style_files": [own_style]}, "step 'worn'")
        assert said in str(raised.value)
        assert "lime.yaml" in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_a_style_of_the_package_is_not_replaced(self, tmp_path):
        (tmp_path / "n95.yaml").write_text(STYLE)
        with pytest.raises(UserError, match="rename the file"):
            build(Mask, {"style_files": [tmp_path / "n95.yaml"]}, "step 'worn'")
