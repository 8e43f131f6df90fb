"""docs/reference/pipelines.md on layouts of one's own: its entries read the files that they are said to read."""

from __future__ import annotations

import json
import re

import numpy as np
import yaml
from pages import page
from write_meshes import write_obj, y_up

from face3d_data.pipeline.build import make_pipeline
from face3d_data.testing.write import write_image

PAGE = page("docs/reference/pipelines.md")
PART = PAGE.split("<!-- layouts", 1)[1].split("**Look at a sheet", 1)[0]
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PART, re.MULTILINE | re.DOTALL))
SCANS, LIST, *_ = (yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PART, re.MULTILINE | re.DOTALL))


def sources_of(entry, folder):
    (source,) = make_pipeline({"name": "page", "sources": entry}, folder).sources
    return list(source.reader.scan())


def test_a_pattern_takes_the_folder_above_as_a_tag(tmp_path):
    file = tmp_path / "scans" / "artec" / "anna" / "scan 01.obj"
    file.parent.mkdir(parents=True)
    square = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.15, 0]], np.float32)
    write_obj(file, y_up(square), np.array([[0, 1, 2]]))
    (found,) = sources_of(SCANS, tmp_path)
    assert (found.person, found.capture, found.tags["scanner"]) == ("anna", "artec_scan 01", "artec")
    assert found.problem is None


def test_a_list_names_files_people_and_tags(tmp_path):
    for day, number in (("mon", 0), ("tue", 1)):
        for folder, array in (("rgb", np.zeros((480, 640, 3), np.uint8)), ("z", np.full((480, 640), 600, np.uint16))):
            path = tmp_path / day / folder / f"{number:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, array)
    (tmp_path / "list.csv").write_text(BLOCKS["csv"])
    (tmp_path / "camera.json").write_text(json.dumps(json.loads(BLOCKS["json"])))
    found = sources_of(LIST, tmp_path)
    assert [source.problem for source in found] == [None, None]
    assert [source.tags for source in found] == [{"day": "mon", "lamp_on": True}, {"day": "tue", "lamp_on": False}]
