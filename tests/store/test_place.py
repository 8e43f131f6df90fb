"""A row's arrays are found where the last step that set them put them, and not where one dropped them."""

from __future__ import annotations

import numpy as np
import pytest
from toys import ToyReader

from face3d_data.reader import Source
from face3d_data.store.coded import Coded
from face3d_data.store.lineage import trace
from face3d_data.store.manifest import Entry
from face3d_data.store.part import PartRow, write_part
from face3d_data.store.place import SourcePlace, StorageLocation, source_of
from face3d_data.store.place_pools import SourcePool, StagePool
from face3d_data.store.places import Places, places_of
from face3d_data.store.source_table import SourceTable
from face3d_data.store.workspace import StepCache


@pytest.fixture
def chain(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3")
    source = Source("p", "c", {"text": tmp_path / "a.txt"}, arrays=("points", "box"))
    start = SourcePlace(ToyReader(root=tmp_path), source, "k0")
    records = [{"points": np.full((2, 3), 5, "f4"), "normals": np.ones((2, 3), "f4")}]
    part = tmp_path / f"{write_part(tmp_path, [PartRow('k0', 'k1', record=0)], records)}.h5"
    first = StorageLocation(start, part, 0, {"points": [2, 3], "normals": [2, 3]}, [], "k1", "first")
    second = StorageLocation(first, tmp_path / "none.h5", -1, {}, ["normals", "box"], "k2", "second")
    return start, first, second


def test_the_nearest_step_wins_and_dropped_is_gone(chain):
    start, first, second = chain
    assert start.names == {"points", "box"}
    assert first.names == {"points", "normals", "box"}
    assert second.names == {"points"}
    assert np.array_equal(second.read("points"), np.full((2, 3), 5, "f4"))
    assert np.array_equal(start.read("points")[0], [1, 2, 3])
    assert (second.shape("points"), start.shape("points")) == ((2, 3), None)
    assert second.find("points") is first
    for name in ("normals", "box"):
        with pytest.raises(KeyError):
            second.find(name)
    assert source_of(second) is start


def test_lineage_goes_from_the_source_to_the_row(chain):
    entry = Entry("k2", "d/p/c", "d/p", "d", "d/p/c", "src", "a.txt", chain[2])
    stops = list(trace(entry))
    assert [(stop.step, stop.key, stop.changed) for stop in stops] == [
        ("src", "k0", ("box", "points")),
        ("first", "k1", ("normals", "points")),
        ("second", "k2", ()),
    ]
    assert list(stops[2].arrays()) == ["points"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_the_highest_attempt_wins_whatever_its_part_is_called(tmp_path, names):
    cache = StepCache(tmp_path)
    for attempt, other in zip((1, 2), names, strict=True):
        rows = [
            PartRow("shared", status="reject", reason=f"attempt_{attempt}", attempt=attempt),
            PartRow(other * 32, status="reject", reason="x"),
        ]
        name = write_part(cache.parts, rows, ())
        (cache.parts / f"{name}.jsonl").rename(cache.parts / f"{other}.jsonl")
    rows = cache.rows()
    _, (newest,) = rows.group(int(rows.find(["shared"])[0]))
    assert newest.reason == "attempt_2"


@pytest.mark.parametrize("files", [[], ["b", "a", "b", ""], ["b a", "a", "", "c b", "b"]])
def test_the_stored_order_of_places_is_that_of_each(tmp_path, files):
    """Captures with a file, none or several, and what a step has made of them."""
    table = SourceTable(ToyReader(root=tmp_path))
    for i, names in enumerate(files):
        paths = {f"role{k}": tmp_path / name for k, name in enumerate(names.split())}
        table.add(Source("p", f"c{i}", paths, index=7 - i % 3, arrays=("points",)))
    table.freeze()
    n = len(files)
    keys = np.array([f"k{i}".encode() for i in range(n)], "S32")
    places = Places((SourcePool(table, np.arange(n, dtype=np.int32), keys),))
    columns = {"part": np.arange(n) % 2, "record": np.arange(n)[::-1].copy(), "stored": np.ones(n, bool), "key": keys}
    text = Coded.same("{}", n)
    texts = {"shapes": text, "dropped": Coded.same("[]", n), "carried": text}
    made = Places((StagePool(places, None, [tmp_path / "z.h5", tmp_path / "y.h5"], columns, texts, "step"),))
    for one in (places, made, places_of([places, made]), places_of([made, places]).take(np.arange(2 * n)[::-1].copy())):
        rows = np.arange(len(one))
        assert one.in_stored_order(rows).tolist() == sorted(rows.tolist(), key=lambda row: one[row].order)
        some = rows[::2]
        assert one.in_stored_order(some).tolist() == sorted(some.tolist(), key=lambda row: one[row].order)
