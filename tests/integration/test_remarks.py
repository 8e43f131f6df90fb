"""Remarks: what of a file was left aside is counted in the step's line and said by `face3d show`, run or cached."""

import pytest
from write_meshes import write_meshes

from face3d_data.cli.main import _answer

PIPELINE = """
name: remarks
seed: 1
sources:
  heads: {reader: mesh_folder, root: heads, points_from: vertices, pattern: "{identity}/{capture}.obj"}
steps:
  - {id: few, stage: subsample, from: heads, with: {n_points: 64}}
"""


@pytest.fixture
def heads(tmp_path, monkeypatch):
    """A folder of meshes, one of which lacks the colour of most vertices."""
    monkeypatch.chdir(tmp_path)
    write_meshes(tmp_path / "heads", people=2, captures=1)
    paths = sorted((tmp_path / "heads").rglob("*.obj"))
    rows = paths[0].read_text().split("\n")
    at = [i for i, row in enumerate(rows) if row.startswith("v ")]
    for i in at:
        rows[i] = " ".join(rows[i].split()[:4])
    rows[at[1]] += " 1 0 0"
    paths[0].write_text("\n".join(rows))
    (tmp_path / "p.yaml").write_text(PIPELINE)
    return paths[0], len(at)


@pytest.mark.slow
def test_a_remark_is_counted_and_shown(heads, tmp_path, capsys):
    path, vertices = heads
    said = f"{path.name}: {vertices - 1} of {vertices} vertices have no colour: ignored, as the first has none"
    for _ in ("run", "cached"):
        assert _answer(["run", "p.yaml"]) == 0
        printed = capsys.readouterr()
        assert f"1 with a remark, first heads/{path.parent.name}/{path.stem}: {said}" in printed.out + printed.err
    assert _answer(["show", f"heads/{path.parent.name}/{path.stem}"]) == 0
    assert capsys.readouterr().out.count(f"few  remark: {said}") == 1
