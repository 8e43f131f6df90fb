"""docs/how_to/masks.md: its tables are the program's, its own style can be made so, its loader equals the stage."""

from __future__ import annotations

import re
from typing import Any, get_args

import cv2
import numpy as np
import pytest
import yaml
from pages import between, follow, page
from pydantic import BaseModel

from face3d_data.digest import seed_from
from face3d_data.sample import Sample
from face3d_data.shards.read import Dataset
from face3d_data.stages.mask import Mask
from face3d_data.stages.occlude import NAMES, Occlude
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.synthetic.capture import render_capture
from face3d_data.wear.mask_style import MaskStyle, mask_styles

PAGE = page("docs/how_to/masks.md")
IN_WORDS = {"styles": "all, equally", "worn": "proper", "style_files": "none", "colors": "all", "patterns": "all"}
"""What the table of options says of a default that would be long or empty."""


def names_in(table: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \| \S", between(PAGE, table), re.MULTILINE)


def plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(list(value) if isinstance(value, tuple) else value)


def option_rows() -> list[str]:
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for name, info in Mask.model_fields.items():
        rows.append(f"| `{name}` | {IN_WORDS.get(name) or plain(info.default)} | {info.description} |")
    return rows


def reason_rows() -> list[str]:
    return ["| reason | |", "|---|---|", *(f"| `{reason}` | {text} |" for reason, text in Mask.reasons.items())]


def part_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, alone, or none, or several of."""
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def field_rows() -> list[str]:
    rows = ["| field | default | meaning |", "|---|---|---|"]
    for name, info in MaskStyle.model_fields.items():
        part = part_of(info.annotation)
        default = "required" if info.is_required() else "none" if info.default in (None, ()) else plain(info.default)
        keys = "" if part is None else f"{part.__doc__} Keys: {', '.join(f'`{key}`' for key in part.model_fields)}"
        choices = [value for value in get_args(info.annotation) if isinstance(value, str)]
        meaning = (
            info.description or keys or ", ".join(choices) or "which are drawn: plain, stripes, checks, dots, print"
        )
        rows.append(f"| `{name}` | {default} | {meaning} |")
    return rows


@pytest.mark.parametrize(
    ("table", "rows"), [("options", option_rows()), ("reasons", reason_rows()), ("fields", field_rows())]
)
def test_table_is_the_program_s(table, rows):
    assert between(PAGE, table).splitlines() == rows, "docs/how_to/masks.md should say:\n" + "\n".join(rows)


def test_every_style_kind_and_tag_is_told():
    assert names_in("styles") == list(mask_styles())
    assert names_in("kinds") == list(NAMES)
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert set(Mask.tag_names) <= told
    assert {name for name in Occlude.tag_names if not name.startswith("occlusion_")} <= told


def test_what_is_removed_is_told():
    removed = re.search(r"bare face is removed: (.*?)\.", PAGE, re.DOTALL).group(1)
    assert {*Mask().drops, "color"} == set(re.findall(r"`(\w+)`", removed))


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The page's own style, made by writing its files and running its commands."""
    folder = tmp_path_factory.mktemp("own")
    follow(between(PAGE, "own"), folder)
    return folder


@pytest.mark.slow
def test_an_own_style_is_drawn_and_goes_into_a_dataset(followed):
    assert cv2.imread(str(followed / "leaf_sheet.png")).shape[0] > 3 * 96
    dataset = Dataset(followed / "work" / "datasets" / "leaves")
    table = dataset.table("all")
    assert len(table) == 6
    assert set(table["mask"]) == {"none", "leaf"}
    worn = table[table["mask"] == "leaf"].iloc[0]
    assert worn["mask_color"] in ("sand", "moss")
    plain = table[(table["mask"] == "none") & (table["origin_id"] == worn["origin_id"])].iloc[0]
    reader = dataset.reader("all")
    masked, bare = (reader[int(row["index"])]["color"].astype(int) for row in (worn, plain))
    changed = np.abs(masked - bare).max(axis=2) > 12
    assert changed[80:100, 44:68].mean() > 0.8
    assert not changed[20:44, 44:68].any()


@pytest.mark.slow
def test_the_own_style_s_texture_is_where_it_says(followed):
    """Two leaves left and right of the middle, green on the cloth's colour."""
    made = render_capture(3, 1, 0, width=320, height=240, noise=False)
    names = ("color", "depth", "intrinsics", "landmarks", "box")
    sample = Sample.of({name: made[name] for name in names}, key="capture")
    stage = Mask(styles=["leaf"], style_files=(followed / "leaf.yaml",), colors=("sand",))
    color = stage.apply(sample).arrays["color"].astype(int)
    nose, mouth = made["landmarks"][2], made["landmarks"][3:]
    height = int(mouth[:, 1].mean())
    width = mouth[1, 0] - mouth[0, 0]

    def green(x):
        patch = color[height - 2 : height + 3, int(x) - 2 : int(x) + 3].reshape(-1, 3).mean(axis=0)
        return patch[1] - patch[0]

    assert green(nose[0] - 0.75 * width) > 15
    assert green(nose[0] + 0.75 * width) > 15
    assert green(nose[0]) < 0


def test_the_loader_s_function_gives_what_the_stage_gives():
    text = re.search(r"<!-- loader.*?```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    space: dict[str, Any] = {}
    exec(text, space)
    made = render_capture(3, 1, 0, width=320, height=240)
    names = ("color", "depth", "intrinsics", "landmarks", "box")
    sample = ToCloud().apply(Sample.of({name: made[name] for name in names}, key="capture"))
    stage = Mask(styles={"surgical": 2.0, "kn95": 1.0})
    expected = stage.apply(sample, seed=5)
    rng = np.random.default_rng(seed_from(stage.fingerprint(5, 0), sample.key))
    rng.random()
    arrays, tags = space["masked"]({name: np.array(sample.arrays[name]) for name in sample.arrays}, rng.spawn(1)[0])
    assert tags == {name: expected.tags[name] for name in Mask().declared_tags()}
    assert set(arrays) == set(expected.arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected.arrays[name], err_msg=name)


def test_the_step_of_the_page_is_one():
    line = re.search(r"```yaml\n(  - \{id: worn.*?)```", PAGE, re.DOTALL).group(1)
    [step] = yaml.safe_load(line)
    assert Mask(**step["with"]).per_sample == 2
