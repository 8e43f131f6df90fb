"""Styles of masks: the package's table, and what a style of one's own may hold."""

import numpy as np
import pytest
from pydantic import ValidationError

from face3d_data.wear.mask_style import MaskStyle, mask_styles

SMALL = {"outline": [(0, 20), (50, 0), (60, -50), (0, -90)], "colors": {"grey": "#808080"}}


def test_the_table_has_the_classic_styles_with_their_marks():
    styles = mask_styles()
    assert list(styles) == [
        "surgical", "n95", "kn95", "ffp2_valve", "duckbill", "cloth", "cloth_pattern", "activated_carbon", "respirator",
    ]  # fmt: skip
    assert len(styles["surgical"].pleats.heights) == 3
    assert styles["surgical"].wire_mm > 0
    assert styles["n95"].ridge.kind == "dome"
    assert styles["n95"].straps == "head_straps"
    assert styles["kn95"].ridge.kind == "vertical"
    assert styles["kn95"].seams[0].kind == "vertical"
    assert styles["ffp2_valve"].valve
    assert styles["respirator"].discs
    assert styles["duckbill"].ridge.kind == "horizontal"
    assert set(styles["cloth_pattern"].patterns) == {"stripes", "checks", "dots", "print"}
    assert styles["activated_carbon"].seams
    assert set(styles["activated_carbon"].colors) >= {"grey"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outline": [(0, 20), (50, 0), (0, -90)]}, "four places"),
        ({"outline": [(0, 20), (-5, 0), (60, -50), (0, -90)]}, "right half"),
        ({"outline": [(3, 20), (50, 0), (60, -50), (0, -90)]}, "right half"),
        ({"outline": [(0, 20), (60, -50), (50, 0), (0, -90)]}, "folds back"),
        ({"outline": [(0, -60), (50, 0), (60, -50), (0, 20)]}, "top down"),
        ({"outline": [(0, 20), (50, 0), (160, -50), (0, -90)]}, "outline.2.0"),
        ({"outline": [(0, 20), (5, 0), (9, -50), (0, -90)]}, "20 mm broad"),
        ({"outline": [(0, 20), (50, 0), (float("nan"), -50), (0, -90)]}, "outline.2.0"),
        ({"colors": {}}, "colors"),
        ({"colors": {"grey": "grey"}}, "colors.grey"),
        ({"standoff_mm": (3, 1)}, "smaller number first"),
        ({"standoff_mm": (-2, 1)}, "standoff_mm.0"),
        ({"ridge": {"kind": "vertical", "height_mm": 9, "softness_mm": float("inf")}}, "ridge.softness_mm"),
        ({"ridge": {"kind": "diagonal", "height_mm": 3}}, "ridge.kind"),
        ({"pleats": {"heights": [0], "depth_mm": -1}}, "pleats.depth_mm"),
        ({"pleats": {"heights": [float("nan")]}}, "pleats.heights.0"),
        ({"valve": {"at": (500, 0)}}, "valve.at.0"),
        ({"seams": [{"at": float("inf")}]}, "seams.0.at"),
        ({"label": {"at": (0, float("nan"))}}, "label.at.1"),
        ({"patterns": ["tartan"]}, "patterns"),
        ({"patterns": []}, "patterns"),
        ({"inks": []}, "inks"),
        ({"texture": ""}, "texture"),
        ({"sparkle": 1}, "sparkle"),
    ],
)
def test_a_broken_style_is_refused_with_the_fields_name(change, field):
    with pytest.raises(ValidationError) as raised:
        MaskStyle(**{**SMALL, **change})
    said = " ".join(".".join(map(str, e["loc"])) + " " + e["msg"] for e in raised.value.errors())
    assert field in said


def test_every_outline_reaches_over_mouth_and_chin_of_the_mean_head():
    for name, style in mask_styles().items():
        places = np.array(style.outline)
        assert places[0, 1] > 15, name  # on the bridge
        assert places[-1, 1] < -95, name  # under the chin: the menton is at -89
        assert places[:, 0].max() > 45, name
