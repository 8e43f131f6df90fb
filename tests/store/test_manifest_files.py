"""Files of manifests give back what was in the rows, types, names and all."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.store.coded import Coded
from face3d_data.store.manifest import FEW_VALUES, MANY_VALUES, NO_POINTS, Manifest
from face3d_data.store.manifest_files import ROWS_AT_ONCE, manifest_csv, write_manifest
from face3d_data.store.places import Places


def manifest(n: int, **tags) -> Manifest:
    ids = np.array([f"d/p/c{i}" for i in range(n)] or [""], object)[:n]
    arrays = dict.fromkeys(MANY_VALUES, ids)
    arrays["key"] = np.array([f"{i:032x}" for i in range(n)], "S32")
    arrays["n_points"] = np.array([NO_POINTS if i % 2 else i for i in range(n)], np.int64)
    coded = {name: Coded.same("d/p" if name == "identity" else name, n) for name in FEW_VALUES}
    return Manifest(arrays, coded, {name: Coded.of(values) for name, values in tags.items()}, {}, Places(()))


def read(path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(manifest_csv(path)))))


def test_rows_come_back_as_csv_with_values_of_every_kind(tmp_path):
    rows = manifest(3, age=[30, None, 31], mixed=[1, "=1+1", True], size=[0.1, 2.0, None], worn=[True, None, False])
    rows.arrays["path"] = np.array(["a.png", "caf\u00e9.png", "bad\udcff.png"], object)
    write_manifest(tmp_path / "s.parquet", rows)
    found = read(tmp_path / "s.parquet")
    assert [row["key"] for row in found] == [f"{i:032x}" for i in range(3)]
    assert [row["n_points"] for row in found] == ["0", "", "2"]
    assert [row["age"] for row in found] == ["30", "", "31"]
    assert [row["mixed"] for row in found] == ["1", "'=1+1", "True"]
    assert [row["size"] for row in found] == ["0.1", "2.0", ""]
    assert [row["worn"] for row in found] == ["True", "", "False"]
    assert [row["path"] for row in found] == ["a.png", "caf\u00e9.png", "bad\\udcff.png"]
    assert [row["identity"] for row in found] == ["d/p"] * 3
    assert "place" not in found[0]


def test_columns_are_of_the_types_of_their_values(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_manifest(tmp_path / "s.parquet", manifest(2, age=[30, None], size=[0.5, 1.5], who=["a", "b"], mix=[1, "a"]))
    schema = parquet.read_schema(tmp_path / "s.parquet")
    kinds = {name: str(schema.field(name).type) for name in ("age", "size", "mix", "n_points")}
    assert kinds == {"age": "int64", "size": "double", "mix": "string", "n_points": "int64"}
    assert parquet.read_table(tmp_path / "s.parquet")["who"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize("n", [0, ROWS_AT_ONCE + 3])
def test_none_and_more_than_one_batch(tmp_path, n):
    write_manifest(tmp_path / "s.parquet", manifest(n, age=[i % 7 for i in range(n)]))
    found = read(tmp_path / "s.parquet")
    assert [row["id"] for row in found] == [f"d/p/c{i}" for i in range(n)]


def test_a_damaged_file_is_one_line(tmp_path):
    path = tmp_path / "s.parquet"
    write_manifest(path, manifest(2))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"s\.parquet: is damaged .*: run the pipeline again"):
        read(path)
