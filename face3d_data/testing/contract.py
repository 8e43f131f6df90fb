"""Contract checks of every kind of data component; call them from a plugin's own tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from face3d_data.errors import ContractError, Reject, Unreadable
from face3d_data.reader import Reader, Source
from face3d_data.sample import ARRAYS, Arrays, Sample, Tag, check_array
from face3d_data.stage import Stage
from face3d_data.testing.contract_augmentation import check_augmentation
from face3d_data.testing.contract_base import check_component, need, pickled, same_bytes
from face3d_data.testing.contract_detector import check_detector
from face3d_data.testing.contract_frame import check_frame
from face3d_data.testing.contract_occluder import check_occluder
from face3d_data.testing.contract_table import check_table

__all__ = [
    "check_augmentation",
    "check_component",
    "check_detector",
    "check_occluder",
    "check_reader",
    "check_stage",
    "check_table",
]

_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check_stage(stage: Stage, sample: Sample, *, hostile: bool = True) -> list[Sample]:
    """Check a stage on a sample that it can use, and return its outputs.

    Checked are its declarations, its outputs against them, the same bytes twice and after pickling, that it does not
    write into its input, that nothing depends on who the sample is, that seeds matter only where it draws, that a face
    in another frame gives the same, and that samples it cannot use are rejected for declared reasons.

    Args:
        stage: the stage.
        sample: one that it must accept.
        hostile: also try samples with no depth, no points, or NaN.

    Raises:
        ContractError: naming the stage and what it breaks.
        Reject: the stage does not accept `sample`.
    """
    check_component(stage)
    _check_stage_declares(stage)
    try:
        outputs = stage.apply_all(sample)
    except ValueError as error:
        need("read-only" not in str(error), stage, "it writes into an array in place: copy it first")
        raise
    need(bool(outputs), stage, "no output for a sample that it should accept")
    _need_equal(stage, outputs, stage.apply_all(sample), "a second run")
    _need_equal(stage, outputs, pickled(stage).apply_all(sample), "a pickled copy")
    other = replace(sample, id="x/y/z", identity="x/y", dataset="x", variant="plain")
    other = replace(other, tags={**sample.tags, "contract_check": "other"})
    _need_equal(stage, outputs, stage.apply_all(other), "another id or tag")
    if not stage.random:
        _need_equal(stage, outputs, stage.apply_all(sample, seed=12345), "another seed though it does not draw")
    for output in outputs:
        extra = sorted(output.tags.keys() - sample.tags.keys() - set(stage.declared_tags()))
        need(not extra, stage, f"it sets tags {extra} that tag_names does not declare")
    _check_reads(stage, sample)
    check_frame(stage, sample, outputs)
    for name, bad in hostile_samples(sample) if hostile else ():
        _check_refusal(stage, name, bad)
    return outputs


def _check_reads(stage: Stage, sample: Sample) -> None:
    used, tags_used = _used(stage, sample)
    unsaid = sorted(used - set(stage.names_read()))
    need(not unsaid, stage, f"it reads {unsaid} but declares only {list(stage.names_read())}")
    unsaid = sorted(tags_used - set(stage.tag_inputs))
    need(not unsaid, stage, f"it reads the tags {unsaid} but declares only {list(stage.tag_inputs)} as tag_inputs")


def _check_stage_declares(stage: Stage) -> None:
    names = (*stage.names_read(), *stage.outputs)
    need(set(names) <= ARRAYS.keys(), stage, f"it declares arrays {sorted(set(names) - ARRAYS.keys())}")
    for name in stage.declared_tags():
        need(bool(_TAG.match(name)), stage, f"tag {name!r} is not a name")
    need(bool(stage.outputs or stage.declared_tags()), stage, "it declares no outputs and no tags")


def hostile_samples(sample: Sample) -> Iterable[tuple[str, Sample]]:
    """Yield (what, sample) made of `sample` with content that no stage can use well: holes, NaN, one point, none."""
    arrays = sample.arrays
    if "depth" in arrays:
        yield "depth without a reading", sample.with_arrays(depth=np.zeros_like(arrays["depth"]))
    if "landmarks" in arrays:
        far = arrays["landmarks"] + np.float32(1e5)
        yield "landmarks outside the image", sample.with_arrays(landmarks=far)
    if "points" in arrays and len(arrays["points"]):
        yield "no points", sample.take(np.zeros(0, int))
        yield "one point", sample.take(np.zeros(1, int))
        yield "one point many times", sample.take(np.zeros(len(arrays["points"]), int))
        points = np.full_like(arrays["points"], np.nan)
        yield "points of NaN", sample.with_arrays(points=points)
    if "landmarks_3d" in arrays:
        yield "3D landmarks of NaN", sample.with_arrays(landmarks_3d=np.full((5, 3), np.nan, np.float32))


def _check_refusal(stage: Stage, what: str, sample: Sample) -> None:
    """A sample that cannot be used may give outputs that hold, or a declared reject; anything else is a fault."""
    try:
        stage.apply_all(sample)
    except Reject as error:
        need(error.reason in stage.reasons, stage, f"{what}: reason {error.reason!r} is not declared")
    except Exception as error:
        raise ContractError(f"stage {stage.name!r}: {what}: {type(error).__name__}: {error}") from error


def check_reader(reader: Reader, limit: int = 20) -> list[Source]:
    """Check a reader on a collection, and return the sources that it found.

    Checks its declarations, that two scans and a pickled copy find the same, that captures have different ids, that
    each array is as declared and the same when read twice, and that bad sources have declared reasons.

    Args:
        reader: a reader whose root holds at least one good capture.
        limit: sources of which the arrays are read.

    Raises:
        ContractError: naming the reader and what it breaks.
    """
    check_component(reader)
    cls = type(reader)
    need(set(reader.provides()) <= set(reader.outputs) <= ARRAYS.keys(), cls, "it provides undeclared arrays")
    found = list(reader.scan())
    need(found == list(reader.scan()), cls, "a second scan finds other sources")
    need(found == list(pickled(reader).scan()), cls, "a pickled copy finds other sources")
    need(pickled(found) == found, cls, "its sources do not survive pickling")
    names = [(source.person, source.capture) for source in found]
    need(len(set(names)) == len(names), cls, "two sources have one person and capture")
    tags = {"mask", *reader.declared_tags()}
    for source in found:
        need(set(source.arrays) <= set(reader.provides()), cls, f"{source.capture} has arrays not in provides()")
        need(source.tags.keys() <= tags, cls, f"undeclared tags {sorted(source.tags.keys() - tags)}")
        need(not source.problem or source.problem[0] in cls.reasons, cls, f"undeclared reason {source.problem}")
    good = [source for source in found if not source.problem]
    need(bool(good), cls, "no good capture to check it on")
    for source in good[:limit]:
        _check_source(reader, source)
    return found


def _check_source(reader: Reader, source: Source) -> None:
    try:
        reader.inspect(source)
        loaded = {name: reader.load(source, name) for name in source.arrays}
        again = {name: reader.load(source, name) for name in reversed(source.arrays)}
    except Unreadable as error:
        need(error.reason in reader.reasons, type(reader), f"undeclared reason {error.reason!r}")
        return
    for name, array in loaded.items():
        check_array(name, array)
        need(same_bytes(array, again[name]), type(reader), f"{source.capture}: {name!r} differs when read again")
    if {"color", "depth"} <= loaded.keys():
        need(loaded["color"].shape[:2] == loaded["depth"].shape, type(reader), "colour and depth differ in size")


class _WatchedTags(dict[str, Tag]):
    """Tags that remember which of them were asked for; all together (`{**tags}`) they may be carried along."""

    def __init__(self, tags: Mapping[str, Tag]) -> None:
        super().__init__(tags)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Tag:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


def _used(stage: Stage, sample: Sample) -> tuple[set[str], set[str]]:
    """Return the arrays and the tags that the stage's `run` asks for."""
    used: set[str] = set()
    tags = _WatchedTags(sample.tags)

    def read(name: str) -> np.ndarray:
        used.add(name)
        return sample.arrays[name]

    watched = Arrays({name: partial(read, name) for name in sample.arrays})
    rng = np.random.default_rng(0) if stage.random else None
    list(stage.run(replace(sample, arrays=watched, tags=tags), rng))
    return used, tags.asked


def _need_equal(stage: Stage, first: list[Sample], second: list[Sample], what: str) -> None:
    need(len(first) == len(second), stage, f"{what} gives {len(second)} outputs, not {len(first)}")
    for one, two in zip(first, second, strict=True):
        differing = [name for name, array in one.arrays.own.items() if not same_bytes(array, two.arrays.own.get(name))]
        need(not differing, stage, f"{what} changes {differing}")
        need(one.arrays.dropped == two.arrays.dropped, stage, f"{what} changes which arrays are dropped")
