"""docs/how_to/augmentation.md: its tables are the program's, its pipeline loads, its code does what it says."""

import re

import numpy as np
import pytest
from pages import page

from face3d_data.augment.augmentation import OPERATIONS, options_of
from face3d_data.augment.sensor import SENSORS, Sensor
from face3d_data.pipeline.build import load_pipeline
from face3d_data.stages.augment import Augment
from face3d_data.testing import tiny_sample

PAGE = page("docs/how_to/augmentation.md")
FENCE = r"<!-- {}.*?```\w+\n(.*?)```"


def between(name: str) -> list[str]:
    return PAGE.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0].strip().splitlines()


def block(name: str) -> str:
    return re.search(FENCE.format(name), PAGE, re.DOTALL).group(1)


def operation_rows() -> list[str]:
    rows = ["| operation | needs one of | changes | removes | another person |", "|---|---|---|---|---|"]
    for kind in OPERATIONS:
        groups = "; ".join(" and ".join(group) for group in kind().groups())
        other = "yes" if kind.identity_suffix else ""
        rows.append(f"| `{kind.name}` | {groups} | {', '.join(kind.acts_on)} | {', '.join(kind.removes)} | {other} |")
    return [re.sub(r" {2,}", " ", row) for row in rows]


def option_rows() -> list[str]:
    rows = ["| operation | option | default | meaning |", "|---|---|---|---|"]
    for kind in OPERATIONS:
        for name, info in kind.model_fields.items():
            default = "none" if info.default in ("", ()) else str(info.default).removesuffix(".0")
            rows.append(f"| `{kind.name}` | `{name}` | {default} | {info.description} |")
    return rows


def stage_rows() -> list[str]:
    own = [name for name in Augment.model_fields if name not in options_of(OPERATIONS)]
    fields = {name: Augment.model_fields[name] for name in own}
    rows = [f"| `{name}` | {info.default} | {info.description} |" for name, info in fields.items()]
    return ["| option | default | meaning |", "|---|---|---|", *rows]


def sensor_rows() -> list[str]:
    rows = [
        "| sensor | baseline | focal length | steps per px | noise | window | σ at 600 mm |",
        "|---|---|---|---|---|---|---|",
    ]
    wall = np.linspace(594, 606, 400 * 400).astype(np.float32).reshape(400, 400)
    for name, sensor in SENSORS.items():
        read = Sensor().apply({"depth": wall}, {"sensor": name, "sensor_seed": 0})["depth"]
        rows.append(
            f"| `{name}` | {sensor.baseline_mm:g} mm | {sensor.focal_px:g} px | {sensor.steps_per_px} | "
            f"{sensor.noise_px:g} px | {sensor.window_px} px | {(read - wall).std():.1f} mm |"
        )
    return rows


@pytest.mark.parametrize(
    ("name", "rows"),
    [("stage", stage_rows), ("operations", operation_rows), ("options", option_rows), ("sensors", sensor_rows)],
)
def test_a_table_is_the_programs(name, rows):
    assert between(name) == rows(), f"{name}: the page should say:\n" + "\n".join(rows())


def test_the_pipeline_loads_and_turns_on_what_it_says(tmp_path):
    path = tmp_path / "varied.yaml"
    path.write_text(block("example"), encoding="utf-8")
    steps = {step.id: step for step in load_pipeline(path).steps}
    assert [operation.name for operation in steps["varied"].component.augmentation.operations] == [
        "virtual_view",
        "sensor",
        "resampling",
        "rotation",
    ]


def test_the_loaders_code_gives_what_the_stage_gives_for_one_draw():
    names: dict = {}
    exec(block("loader") + block("again"), names)
    sample = tiny_sample()
    arrays = {name: np.array(array) for name, array in sample.arrays.items()}
    once, twice = (names["vary"](arrays, 1, 2, 3) for _ in range(2))
    other = names["vary"](arrays, 1, 2, 4)
    assert all(np.array_equal(once[name], twice[name]) for name in once)
    assert not np.array_equal(once["points"], other["points"])

    options = {"yaw_deg": 15, "view_yaw_deg": 30, "sensors": ("d415",), "brightness": 0.3, "dropout": 0.2}
    for copy in Augment(copies=3, **options).apply_all(sample):
        made = names["again"](arrays, copy.tags, **options)
        assert set(made) == set(copy.arrays)
        for name, array in made.items():
            np.testing.assert_array_equal(array, copy.arrays[name], err_msg=name)
