"""Joined columns are what joining row by row gives, and so are the places of their arrays."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import ToyReader, write_toys

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.join import join_rows
from face3d_data.pipeline.sources import read_source, scan_source
from face3d_data.pipeline.spec import Step
from face3d_data.store.frames import from_frame, to_frame
from face3d_data.store.manifest import Manifest, manifest_of
from face3d_data.store.part import PartRow, write_part
from face3d_data.store.place import SourcePlace, StorageLocation
from face3d_data.store.workspace import Workspace

SHAPES = [{}, {"points": [7, 3]}, {"points": [9, 3], "normals": [9, 3]}, {"landmarks_3d": [5, 3]}]
TAGS = [{}, {"seen": 1}, {"seen": True, "mask": "n95"}, {"style": "a"}, {"mask": 1.5}]


def source_rows(tmp_path: Path) -> Manifest:
    root = write_toys(tmp_path / "in", 5, 6)
    pipeline = make_pipeline({"name": "t", "sources": {"src": {"reader": "toy_files", "root": str(root)}}}, root)
    space = Workspace(tmp_path / "work")
    hashes = space.file_hashes()
    rows, dirty = read_source(pipeline.sources[0], scan_source(pipeline.sources[0]), space, hashes, None)
    hashes.close()
    assert (len(rows), dirty) == (30, [])
    return rows


def drawn_part_rows(inputs: Manifest, rng: np.random.Generator) -> list[PartRow]:
    """Return rows of a stage that nobody wrote: rejects, variants, tags, arrays set and dropped."""
    found = []
    for key in dict.fromkeys(inputs.arrays["key"].tolist()):
        kind = rng.integers(6)
        if kind == 0:
            found.append(PartRow(key.decode(), status="reject", reason="no_face", detail="none"))
        elif kind == 1:
            found.append(PartRow(key.decode(), status="unreadable", reason="torn", detail="short"))
        for number in range(int(rng.integers(1, 4)) if kind > 2 else int(kind == 2)):
            found.append(
                PartRow(
                    key.decode(),
                    key=f"{rng.integers(2**62):032x}",
                    detail="a remark" if rng.random() < 0.2 else "",
                    variant=f"copy:{number}" if kind > 2 else "",
                    identity_suffix="~mirror" if rng.random() < 0.3 else "",
                    tags=TAGS[rng.integers(len(TAGS))],
                    shapes=SHAPES[rng.integers(len(SHAPES))],
                    dropped=["points"] if rng.random() < 0.2 else [],
                    record=len(found),
                )
            )
    return [replace(row, dropped=[]) if "points" in row.shapes else row for row in found]


def naive(entry, row: PartRow, part: Path, step: str) -> tuple:
    """Return a joined row as one would write it for one row."""
    points = row.shapes.get("points")
    variants = [name for name in (entry.variant, row.variant) if name and name != "plain"]
    return (
        row.key,
        f"{entry.id}~{row.variant}~{row.key[:8]}" if row.variant else entry.id,
        entry.identity + row.identity_suffix,
        "+".join(variants) or "plain",
        points[0] if points else None if "points" in row.dropped else entry.n_points,
        {**entry.tags, **row.tags},
        (entry.place.names - frozenset(row.dropped)) | row.shapes.keys(),
        (part, row.record, step),
    )


def seen(entry) -> tuple:
    place = entry.place.resolved
    told = (entry.key, entry.id, entry.identity, entry.variant, entry.n_points, dict(entry.tags))
    return (*told, entry.place.names, (place.part, place.record, place.step))


def in_parts(folder: Path, rows: list[PartRow]) -> dict[str, Path]:
    """Store rows of inputs in two parts without arrays, and return the part of each input."""
    keys = list(dict.fromkeys(row.input for row in rows))
    where = {}
    for some in (keys[::2], keys[1::2]):
        name = write_part(folder, [replace(row, record=-1) for row in rows if row.input in some], ())
        where |= dict.fromkeys(some, folder / f"{name}.h5")
    return where


@pytest.mark.parametrize("seed", range(12))
def test_two_steps_joined_as_columns_and_row_by_row(tmp_path, seed):
    rng = np.random.default_rng(seed)
    inputs = source_rows(tmp_path).take(rng.permutation(30)[:20])
    for name in ("first", "second"):
        made = drawn_part_rows(inputs, rng)
        cache = Workspace(tmp_path / "work").step_cache(name, f"{seed:032x}")
        parts = in_parts(cache.parts, made)
        step = Step(name, ToyReader(root=tmp_path), ("src",))  # type: ignore[arg-type]
        stage = type("Stage", (), {"name": name, "tag_inputs": (), "counted_tags": ("seen",)})()
        result = join_rows(step, stage, "f", inputs, cache.rows())
        groups = {key: [row for row in made if row.input == key] for key in parts}
        pairs = [(entry, row) for entry in inputs for row in groups[entry.key]]
        want = [(entry, replace(row, record=-1)) for entry, row in pairs if row.status == "ok"]
        assert [seen(one) for one in result.entries] == [naive(e, row, parts[e.key], name) for e, row in want]
        assert [row.sample_id for row in result.dirty] == [e.id for e, row in pairs if row.status == "reject"]
        told = [(row.sample_id, row.source, row.status, row.reason) for row in result.unreadable]
        assert told == [(e.origin_id, "src", "reject", "torn") for e, row in pairs if row.status == "unreadable"]
        assert set(result.remarks) == {naive(e, row, parts[e.key], name)[1] for e, row in want if row.detail}
        assert result.made_from == len({e.id for e, _ in want})
        made_here = {name: row.shapes for _, row in want for name in row.shapes}
        for entry in result.entries:
            at_source = {name for name in entry.place.names if isinstance(entry.place.find(name), SourcePlace)}
            assert result.entries.places.at_source()[result.entries.arrays["id"].tolist().index(entry.id)] == at_source
            assert all(entry.place.shape(name) == entry.place.resolved.shape(name) for name in entry.place.names)
        assert made_here or not want
        arrays = sorted({name for entry in result.entries for name in entry.place.names})
        for entry, kind in zip(result.entries, result.entries.places.kinds(arrays).objects(), strict=True):
            shapes = (entry.place.shape(name) if name in entry.place.names else None for name in arrays)
            assert kind.names == entry.place.names
            assert kind.shapes == tuple(shapes)
            assert kind.steps == {place.step for place in entry.place.chain() if hasattr(place, "step")}
        inputs = result.entries


def test_a_place_is_sent_as_a_chain_of_its_own(tmp_path):
    place = source_rows(tmp_path)[3].place
    sent = pickle.loads(pickle.dumps(place))
    assert isinstance(sent, SourcePlace)
    assert (sent.key, sent.source) == (place.key, place.resolved.source)
    assert len(pickle.dumps(place)) < 3000  # not the whole table with it
    assert sent.read("points").tobytes() == place.read("points").tobytes()


def test_rows_of_two_manifests_keep_their_tags_and_places(tmp_path):
    rows = source_rows(tmp_path)
    some = rows.take(np.array([4, 2]))
    frame = to_frame(some)
    frame["age"] = [30, None]
    labelled = from_frame(frame, some)
    both = manifest_of([labelled, rows.take(np.array([9]))])
    assert [dict(entry.labels) for entry in both] == [{"age": 30}, {}, {}]
    assert [entry.place.key for entry in both] == [rows[i].key for i in (4, 2, 9)]
    assert both.matches({"age": [30, 31]}).tolist() == [True, False, False]
    assert both.matches({"mask": "none", "identity": "src/p000"}).tolist() == [True, True, False]
    assert both.tag_names == ["age", "mask"]
    assert both == list(both)
    assert both[0:1] == [both[0]]
    with pytest.raises(IndexError):
        both[3]


def test_a_table_step_reorders_renames_and_leaves_out(tmp_path):
    rows = source_rows(tmp_path)
    frame = to_frame(rows).iloc[[5, 1]].assign(identity=["x/1", "x/1"], split=["train", None])
    made = from_frame(frame, rows)
    assert [(e.id, e.identity, e.split, e.key) for e in made] == [
        (rows[5].id, "x/1", "train", rows[5].key),
        (rows[1].id, "x/1", "", rows[1].key),
    ]
    assert made.labels == {}
    assert list(to_frame(rows, ["id", "split", "none"]).columns) == ["id", "split"]


def test_the_digest_is_of_what_rows_say_not_of_where_they_are(tmp_path):
    rows = source_rows(tmp_path)
    again = source_rows(tmp_path)
    assert rows.digest() == again.digest()
    others = [
        rows.take(np.arange(29)),
        rows.take(np.arange(30)[::-1]),
        from_frame(to_frame(rows).assign(split="train"), rows),
        from_frame(to_frame(rows).assign(age=3), rows),
    ]
    assert len({rows.digest(), *(other.digest() for other in others)}) == 5


def test_chains_lead_back_to_the_source(tmp_path):
    place = source_rows(tmp_path)[0].place
    assert [type(one) for one in place.chain()] == [SourcePlace]
    assert not isinstance(place.resolved, StorageLocation)
