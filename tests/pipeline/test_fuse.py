"""Fused steps give what the same steps give one by one: keys, rows, dirty rows, datasets and bytes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from toys import ToyJitter, ToyReader, ToyScale, ToyTags, write_toys

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.fuse import fused_steps
from face3d_data.pipeline.look import explain, look
from face3d_data.pipeline.made_again import arrays_at
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import Step
from face3d_data.remarks import remark
from face3d_data.stage import Stage
from face3d_data.store.lineage import trace
from face3d_data.store.part import read_part_rows
from face3d_data.testing import write_tiny_rgbd

TOY_STEPS = [
    {"id": "scaled", "stage": "toy_scale", "from": "src"},
    {"id": "noisy", "stage": "toy_jitter", "from": "scaled"},
    {"id": "many", "stage": "toy_copies", "from": "noisy"},
    {"id": "again", "stage": "toy_scale", "from": "many", "with": {"factor": 0.5}},
]
SPLIT = {"id": "people", "table": "split", "from": "again"}
TOY_DATASET = {"toys": {"from": "people", "fields": ["points"], "shard_size": 8}}


def pipeline_of(root: Path, steps=TOY_STEPS, keep=(), **keys):
    raw = {
        "name": "toy",
        "seed": 3,
        "sources": {"src": {"reader": "toy_files", "root": str(root)}},
        "steps": [{**step, "keep": True} if step["id"] in keep else dict(step) for step in steps],
        **keys,
    }
    return make_pipeline(raw, root)


def all_of(steps):
    return [step["id"] for step in steps if "stage" in step]


def known(result):
    """Return all that a run says of its rows, without where their arrays are."""
    return {
        name: (
            [(e.id, e.key, e.identity, e.variant, e.n_points, e.all_tags, e.place.names) for e in step.entries],
            step.dirty, step.unreadable, step.keys.tolist(), step.notes, step.remarks,
        )
        for name, step in result.steps.items()
    }  # fmt: skip


def arrays(result, step):
    return {e.id: {name: e.place.read(name).tobytes() for name in e.place.names} for e in result.entries(step)}


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def csvs(result):
    folder = result.workspace.run_dir(result.pipeline.name)
    return {path.name: path.read_text() for path in folder.glob("*.csv")}


def parts(work, name):
    """Return the rows of all parts of a component's caches."""
    return [row for path in (work / "cache").glob(f"{name}-*/parts/*.jsonl") for row in read_part_rows(path)]


def same(one, other, step):
    assert known(one) == known(other)
    assert csvs(one) == csvs(other)
    assert arrays(one, step) == arrays(other, step)
    for name, folder in one.datasets.items():
        assert folder.name == other.datasets[name].name
        assert files(folder) == files(other.datasets[name])


@pytest.mark.parametrize("chunk", [1, 3, 256])
def test_toys_with_rejects_errors_draws_and_copies_are_the_same(tmp_path, chunk):
    root = write_toys(tmp_path / "in")
    for i, first in enumerate((13, 14, 16, 17)):
        (root / "p000" / f"bad{i}.txt").write_text(str(first))
    (root / "p001" / "text.txt").write_text("no number")
    (root / "p002" / "twice.txt").write_text((root / "p001" / "c1.txt").read_text())
    steps, keep = [*TOY_STEPS, SPLIT], all_of(TOY_STEPS)
    limits = {"max_error_rate": 1, "max_reject_rate": 1}
    one = run(pipeline_of(root, steps, limits=limits), tmp_path / "a", engine=Workers("serial", chunk=chunk))
    other = run(pipeline_of(root, steps, keep, limits=limits), tmp_path / "b", engine="serial")
    same(one, other, "people")
    assert one.steps["scaled"].reasons == Counter(unlucky=1, RuntimeError=1, no_output=1, ContractError=1, unreadable=1)
    assert {row.stored for row in parts(tmp_path / "a", "toy_jitter")} == {False}
    assert not any(row.held for row in parts(tmp_path / "a", "toy_jitter"))
    assert all(row.stored for row in parts(tmp_path / "b", "toy_jitter"))
    # A second run does the errors again, counts its attempt, and nothing else.
    one = run(pipeline_of(root, steps, limits=limits), tmp_path / "a", engine="serial")
    other = run(pipeline_of(root, steps, keep, limits=limits), tmp_path / "b", engine="serial")
    same(one, other, "people")
    assert [one.steps[name].report.inputs for name in keep] == [2, 0, 0, 0]


REAL = [
    {"id": "faces", "stage": "detect", "from": "rgbd", "with": {"detector": "given"}},
    {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 100}},
    {"id": "cleaned", "stage": "clean", "from": "clouds", "with": {"min_points": 100}},
    {"id": "posed", "stage": "align_3d", "from": "cleaned", "with": {"max_rmse_mm": 30, "min_inlier_share": 0}},
    {"id": "people", "table": "split", "from": "posed", "with": {"ratios": {"train": 0.5, "test": 0.5}}},
    {"id": "worn", "stage": "mask", "from": "people", "with": {"per_sample": 2, "keep_images": False}},
    {"id": "varied", "stage": "augment", "from": "worn", "with": {"copies": 2, "jitter_mm": 0.5, "yaw_deg": 15}},
    {"id": "even", "stage": "subsample", "from": "varied", "with": {"n_points": 64}},
    {"id": "shaded", "stage": "normals", "from": "even"},
]


@pytest.mark.slow
def test_masks_and_variations_of_captures_are_the_same(tmp_path):
    write_tiny_rgbd(tmp_path / "tiny", people=4, captures=2)

    def made(work, keep):
        raw = {
            "name": "real",
            "seed": 5,
            "limits": {"max_error_rate": 0, "max_reject_rate": 1},
            "sources": {"rgbd": {"reader": "rgbd_folder", "root": str(tmp_path / "tiny")}},
            "steps": [{**step, "keep": True} if step["id"] in keep else step for step in REAL],
            "datasets": {"real": {"from": "shaded", "fields": ["points", "normals"], "tags": ["mask"]}},
        }
        return run(make_pipeline(raw, tmp_path), work, engine="serial")

    one, other = made(tmp_path / "a", ()), made(tmp_path / "b", all_of(REAL))
    assert len(one.entries("shaded")) > 8
    same(one, other, "shaded")


def test_only_what_the_next_stage_alone_takes_is_fused(tmp_path):
    write_toys(tmp_path / "in", 1, 1)

    def groups(steps, until=None, **keys):
        pipeline = pipeline_of(tmp_path / "in", steps, **keys)
        wanted = pipeline.steps if until is None else pipeline.steps[: all_of(steps).index(until) + 1]
        return list(dict.fromkeys("+".join(s.id for s in group) for group in fused_steps(pipeline, wanted).values()))

    branch = [*TOY_STEPS, {"id": "side", "stage": "toy_scale", "from": "noisy", "with": {"factor": 3}}]
    some = [dict(step, where={"mask": "none"}) if step["id"] == "many" else step for step in TOY_STEPS]
    table = [*TOY_STEPS[:2], {"id": "t", "table": "split", "from": "scaled"}]
    published = {"d": {"from": "scaled", "fields": ["points"]}}
    assert groups(TOY_STEPS) == ["scaled+noisy+many+again"]
    assert groups(TOY_STEPS, until="noisy") == ["scaled+noisy"]
    assert groups(branch) == ["scaled+noisy", "many+again", "side"]
    assert groups(some) == ["scaled+noisy", "many+again"]
    assert groups(table) == ["scaled", "noisy"]
    assert groups(TOY_STEPS, datasets=published) == ["scaled", "noisy+many+again"]
    assert groups(TOY_STEPS, keep=["many"]) == ["scaled+noisy+many", "again"]


class SeeLight(ToyTags):
    """Copy the tag `light`, which is in the key of its input."""

    name = "toy_see_light"
    tag_inputs = ("light",)


class First(Stage):
    """Keep the first number as a tag."""

    name = "toy_first"
    version = 1
    inputs = ("points",)
    tag_names = ("first",)

    def run(self, sample, rng):
        yield sample.with_tags(first=float(sample.arrays["points"][0, 0]))


def both(pipeline, *steps):
    """Return a pipeline with these steps, fused, and the same with every step kept."""
    return [replace(pipeline, steps=tuple(replace(s, keep=keep) for s in steps)) for keep in (False, True)]


class Small(First):
    """A step that stores little."""

    def output_bytes(self):
        return 64


def test_what_is_small_is_stored_though_it_is_fused_and_a_later_change_begins_there(tmp_path):
    root, work = write_toys(tmp_path / "in", 1, 2), tmp_path / "work"
    scaled, small = Step("scaled", ToyScale(), ("src",)), Step("first", Small(), ("scaled",))
    (fused, kept), (changed, _) = (
        both(pipeline_of(root), scaled, small, Step("noisy", ToyJitter(), ("first",), seed=seed)) for seed in (0, 1)
    )
    one = run(fused, work, engine="serial")
    same(one, run(kept, tmp_path / "b", engine="serial"), "noisy")
    assert [set(row.carried) for row in parts(work, "toy_first")] == [{"points", "landmarks_3d"}] * 2
    assert not any(row.carried for row in parts(work, "toy_jitter"))
    assert [step.report.inputs for step in run(changed, work, engine="serial").steps.values()] == [0, 0, 0, 2]


def test_arrays_on_the_way_are_made_again_to_be_shown(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    one = run(pipeline_of(root), tmp_path / "a", engine="serial")
    other = run(pipeline_of(root, keep=all_of(TOY_STEPS)), tmp_path / "b", engine="serial")
    for entry, kept in zip(one.entries("again"), other.entries("again"), strict=True):
        for place, stop in zip(list(entry.place.chain())[::-1], trace(kept), strict=True):
            made = arrays_at(one.pipeline, place, entry.tags)
            assert {name: array.tobytes() for name, array in made.items()} == {
                name: array.tobytes() for name, array in stop.arrays().items()
            }


def test_keep_belongs_to_stages(tmp_path):
    with pytest.raises(UserError, match="step 'people': keep: a table step has no arrays"):
        pipeline_of(write_toys(tmp_path / "in", 1, 1), [*TOY_STEPS, {**SPLIT, "keep": True}])


def test_arrays_that_are_wanted_later_are_made_again_and_as_many_as_are_told(tmp_path):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    run(pipeline_of(root), work, engine="serial")
    branch = [*TOY_STEPS, {"id": "side", "stage": "toy_scale", "from": "noisy", "with": {"factor": 3}}]
    for changed in (pipeline_of(root, keep=["scaled"]), pipeline_of(root, branch)):
        told = look(changed, work).todo
        lines = explain(changed, work)
        result = run(changed, work, engine="serial")
        worked = {name: step.report.inputs for name, step in result.steps.items() if name in told}
        assert worked["many"] == worked["again"] == 0
        assert {name: n for name, n in worked.items() if name != "side"} == {
            name: n for name, n in told.items() if name != "side"
        }
        assert (
            "arrays to be made again for a step after it (not stored: `keep: true` stores them): 12 of 12"
            in lines[0] + lines[1]
        )
        assert sum(look(changed, work).todo.values()) == 0
        assert all(step.report.inputs == 0 for step in run(changed, work, engine="serial").steps.values())
    fresh = run(pipeline_of(root, branch, all_of(branch)), tmp_path / "fresh", engine="serial")
    assert arrays(result, "side") == arrays(fresh, "side")
    assert arrays(result, "again") == arrays(fresh, "again")


def test_an_earlier_cache_is_used_and_what_is_new_begins_there(tmp_path):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    run(pipeline_of(root, TOY_STEPS[:2]), work, engine="serial", until="scaled")
    told = look(pipeline_of(root), work).todo
    result = run(pipeline_of(root), work, engine="serial")
    assert [result.steps[name].report.inputs for name in all_of(TOY_STEPS)] == [0, 12, 12, 24]
    assert told == {"scaled": 0, "noisy": 12, "many": 0, "again": 0}
    fresh = run(pipeline_of(root, keep=all_of(TOY_STEPS)), tmp_path / "fresh", engine="serial")
    same(result, fresh, "again")


def test_a_capture_of_two_names_and_two_tags_is_worked_on_for_each(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    sources = {
        name: {"reader": "toy_files", "root": str(root), "tags": {"light": light}}
        for name, light in (("src", "day"), ("twin", "night"))
    }
    pipeline = pipeline_of(root, [{"id": "scaled", "stage": "toy_scale", "from": ["src", "twin"]}], sources=sources)
    fused, kept = both(pipeline, pipeline.steps[0], Step("seen", SeeLight(copy_tag="light"), ("scaled",)))
    one = run(fused, tmp_path / "a", engine="serial")
    assert Counter(e.tags["seen"] for e in one.entries("seen")) == {"day": 2, "night": 2}
    same(one, run(kept, tmp_path / "b", engine="serial"), "seen")
    assert len(parts(tmp_path / "a", "toy_scale")) == 2
    assert all(step.report.inputs == 0 for step in run(fused, tmp_path / "a", engine="serial").steps.values())


def test_a_forced_step_is_done_again_with_all_that_follows(tmp_path):
    root, work = write_toys(tmp_path / "in", 1, 3), tmp_path / "work"
    first = run(pipeline_of(root), work, engine="serial")
    again = run(pipeline_of(root), work, engine="serial", force=["many"])
    assert [again.steps[name].report.inputs for name in all_of(TOY_STEPS)] == [3, 3, 3, 6]
    same(again, first, "again")
    assert max(row.attempt for row in parts(work, "toy_copies")) == 2


@pytest.mark.parametrize("step", range(3))
def test_a_damaged_or_missing_part_of_any_step_is_made_again(tmp_path, step):
    root, work = write_toys(tmp_path / "in", 1, 3), tmp_path / "work"
    first = run(pipeline_of(root), work, engine=Workers("serial", chunk=1))
    name = ("toy_jitter", "toy_copies", "toy_scale")[step]
    for path in (work / "cache").glob(f"{name}-*/parts/*.jsonl"):
        path.unlink()
        break
    again = run(pipeline_of(root), work, engine="serial")
    same(again, first, "again")


def test_gc_and_compaction_keep_what_is_reached(tmp_path):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    first = run(pipeline_of(root), work, engine=Workers("serial", chunk=1))
    before = known(first), arrays(first, "again")
    list(collect(work, apply_it=True, compact_it=True))
    assert len(list((work / "cache").glob("toy_jitter-*/parts/*"))) == 1
    again = run(pipeline_of(root), work, engine="serial")
    assert all(step.report.inputs == 0 for step in again.steps.values())
    assert (known(again), arrays(again, "again")) == before


def test_a_file_is_decoded_once_and_every_stage_hears_what_is_remarked(tmp_path, monkeypatch):
    root, loads = write_toys(tmp_path / "in", 1, 2), []
    load = ToyReader.load

    def remarking(self, source, name):
        loads.append(source.capture)
        remark(f"{source.capture}: odd")
        return load(self, source, name)

    monkeypatch.setattr(ToyReader, "load", remarking)
    pipeline = pipeline_of(root)
    fused, kept = both(pipeline, Step("first", First(), ("src",)), Step("noisy", ToyJitter(), ("first",)))
    one = run(fused, tmp_path / "a", engine="serial")
    assert sorted(loads) == ["c0", "c1"]
    assert one.steps["first"].remarks == {"src/p000/c0": "c0: odd", "src/p000/c1": "c1: odd"}
    assert one.steps["noisy"].remarks == one.steps["first"].remarks
    same(one, run(kept, tmp_path / "b", engine="serial"), "noisy")
    assert len(loads) == 6


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.slow
def test_killed_before_any_file_is_published_a_run_loses_nothing_and_claims_nothing(tmp_path, monkeypatch):
    root = write_toys(tmp_path / "in", 1, 3)
    steps = [*TOY_STEPS, SPLIT]
    want = run(pipeline_of(root, steps, all_of(steps), datasets=TOY_DATASET), tmp_path / "want", engine="serial")
    publish, left = os.replace, [0]

    def replace_or_die(source, target):
        if left[0] == 0 and str(target).endswith((".h5", ".jsonl")):
            raise Killed
        left[0] -= str(target).endswith((".h5", ".jsonl"))
        publish(source, target)

    for count in range(40):
        work, pipeline = tmp_path / str(count), pipeline_of(root, steps, datasets=TOY_DATASET)
        left[0] = count
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace_or_die)
            try:
                run(pipeline, work, engine=Workers("serial", chunk=2))
            except Killed:
                ended = False
            else:
                ended = True
        same(run(pipeline, work, engine="serial"), want, "people")
        if ended:
            break
    assert 12 <= count < 40


@pytest.mark.slow
def test_a_capture_that_kills_in_the_middle_is_a_crash_of_that_step(tmp_path):
    root = write_toys(tmp_path / "in", 1, 3)
    (root / "p000" / "killer.txt").write_text("7.5")
    steps = [{**TOY_STEPS[0]}, {"id": "deadly", "stage": "toy_scale", "from": "scaled", "with": {"factor": 3.0}}, SPLIT]
    steps[2] = {**SPLIT, "from": "deadly"}
    limits = {"max_error_rate": 1}
    runs = [
        run(pipeline_of(root, steps, keep, limits=limits), tmp_path / name, engine=Workers("loky", 1, 4))
        for name, keep in (("a", ()), ("b", ["scaled"]))
    ]
    assert [(row.sample_id, row.status, row.step) for row in runs[0].steps["deadly"].dirty] == [
        ("src/p000/killer", "crash", "deadly")
    ]
    same(*runs, "people")
    assert all(
        s.report.inputs == 0 for s in run(pipeline_of(root, steps, limits=limits), tmp_path / "a").steps.values()
    )
