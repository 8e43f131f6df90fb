"""Contract check of augmentations: zero is the identity, and a record decides every byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from face3d_data.augment.augmentation import OPERATIONS, names_of, options_of
from face3d_data.augment.operation import Operation
from face3d_data.sample import ARRAYS, PER_POINT, check_array
from face3d_data.testing.contract_base import check_texts, need, same_bytes
from face3d_data.testing.tiny import tiny_sample

TinyArrays = Mapping[str, np.ndarray]


def tiny_arrays(width_px: int = 96, height_px: int = 72) -> dict[str, np.ndarray]:
    """Return every array of a tiny capture, none of which can be written to; `curvature` numbers the points."""
    arrays = dict(tiny_sample(width=width_px, height=height_px).arrays)
    count = len(arrays["points"])
    arrays["curvature"] = np.arange(count, dtype=np.float32)
    arrays["occlusion"] = (np.arange(count) % 3).astype(np.uint8)
    arrays["grid"] = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)
    many = np.random.default_rng(2).normal(scale=8.0, size=(3, 478, 3)).astype(np.float32)
    for name, places in (("68", many[0, :68]), ("dense", many[1])):
        arrays[f"landmarks_{name}"] = arrays["landmarks"].mean(axis=0) + places[:, :2]
        arrays[f"landmarks_{name}_3d"] = arrays["landmarks_3d"].mean(axis=0) + places
    arrays["vertices"] = arrays["landmarks_3d"].mean(axis=0) + many[2]
    arrays["vertex_visible"] = (np.arange(478) % 2).astype(np.uint8)
    arrays["vertex_residual"] = np.abs(many[2, :, 0])
    arrays["grid_color"] = np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    arrays["map"] = np.random.default_rng(3).normal(size=(4, 8, 8)).astype(np.float32)
    arrays["map_occlusion"] = np.random.default_rng(4).random((8, 8), np.float32)
    arrays["map_parts"] = np.random.default_rng(5).random(4, np.float32)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def check_augmentation(operation: Operation, arrays: TinyArrays | None = None) -> dict[str, np.ndarray]:
    """Check an operation of augmentation with strengths at which it does something; return the arrays that it changes.

    Checked are its texts, that its defaults are off and change nothing, that a record holds what it declares, survives
    JSON and decides every byte, that seeds matter, that only declared arrays are read and changed, in their forms, that
    arrays of the points follow them, and that clouds of one point, of none and of NaN are borne.

    Args:
        operation: it, with strengths that are on.
        arrays: of a capture that it changes; `tiny_arrays()` if not given. Their `curvature` numbers the points.

    Raises:
        ContractError: naming the operation and what it breaks.
    """
    given = tiny_arrays() if arrays is None else arrays
    check_texts(operation)
    _check_declares(operation)
    zero = _zero(operation)
    need(not zero.is_on(), operation, "its defaults are on: make every strength 0, empty or none by default")
    need(operation.is_on(), operation, "these strengths are off: give some at which it does something")
    need(not zero.apply(given, zero.draw(np.random.default_rng(0))), operation, "its defaults change arrays")
    record = operation.draw(np.random.default_rng(5))
    need(
        set(record) == set(operation.draws),
        operation,
        f"it draws {sorted(record)} and declares {list(operation.draws)}",
    )
    need(record == operation.draw(np.random.default_rng(5)), operation, "one seed gives two records")
    stored = _stored(operation, record)
    changed = operation.apply(given, record)
    need(bool(changed), operation, "it changes nothing of a capture that it should change")
    _check_replays(operation, zero, given, stored, changed)
    _check_changed(operation, given, changed)
    _check_clouds(operation)
    return changed


def _check_replays(
    operation: Operation, zero: Operation, given: TinyArrays, stored: dict[str, Any], changed: TinyArrays
) -> None:
    for what, other in (("a second time", operation), ("with the record alone", zero)):
        again = other.apply(given, {**stored, "of_another_operation": 1})
        need(
            _equal(changed, again),
            operation,
            f"applied {what}, a record gives other bytes: put all that decides in it",
        )


def _zero(operation: Operation) -> Operation:
    try:
        return type(operation)()
    except ValueError as error:
        need(False, operation, f"an option has no default ({type(error).__name__}): 0 is what leaves it out")
        raise


def _check_declares(operation: Operation) -> None:
    named = {*operation.needs, *operation.acts_on, *operation.reads, *operation.removes}
    need(named <= ARRAYS.keys(), operation, f"it declares arrays {sorted(named - ARRAYS.keys())}")
    fields = set(type(operation).model_fields)
    need(bool(operation.strengths) and set(operation.strengths) <= fields, operation, "strengths names no field")
    acts_on = set(names_of(OPERATIONS, "acts_on"))
    need(set(operation.acts_on) <= acts_on, operation, f"it acts on {sorted(set(operation.acts_on) - acts_on)}")
    others = [kind for kind in OPERATIONS if kind is not type(operation)]
    taken = (fields & options_of(others).keys()) | (set(operation.draws) & set(names_of(others, "draws")))
    need(not taken, operation, f"another operation has an option or drawn value named {sorted(taken)}")
    known = [kind.name for kind in OPERATIONS]
    need(operation.after in ("", *known), operation, f"after = {operation.after!r} is none of {', '.join(known)}")


def _stored(operation: Operation, record: Mapping[str, Any]) -> dict[str, Any]:
    try:
        stored = json.loads(json.dumps(record))
    except TypeError as error:
        need(False, operation, f"its record cannot be stored ({error}): use Python numbers and texts")
        raise
    need(stored == dict(record), operation, "its record is another one after it was stored: use numbers and texts")
    return stored


def _check_changed(operation: Operation, given: TinyArrays, changed: TinyArrays) -> None:
    undeclared = sorted(changed.keys() - set(operation.acts_on))
    need(not undeclared, operation, f"it changes {undeclared}, which acts_on does not declare")
    for name, array in changed.items():
        check_array(name, array)
        shared = name in given and np.shares_memory(array, given[name])
        need(not shared, operation, f"{name!r} shares memory with what it was given: copy it")
    asked: set[str] = set()

    class Watched(dict[str, np.ndarray]):
        def __getitem__(self, name: str) -> np.ndarray:
            asked.add(name)
            return super().__getitem__(name)

    operation.apply(Watched(given), operation.draw(np.random.default_rng(1)))
    unsaid = sorted(asked - {*operation.needs, *operation.acts_on, *operation.reads})
    need(not unsaid, operation, f"it reads {unsaid} and declares neither needs, acts_on nor reads of it")
    after = {**given, **changed}
    counts = {len(after[name]) for name in ("points", *PER_POINT) if name in after}
    need(len(counts) <= 1, operation, "points and their arrays differ in number: see take_rows")
    rows = after["curvature"].astype(int) if "points" in changed and "curvature" in after else None
    if rows is not None and "occlusion" in given:
        follow = np.array_equal(after["occlusion"], given["occlusion"][rows])
        need(follow, operation, "arrays of the points are in another order than the points: see take_rows")


def _check_clouds(operation: Operation) -> None:
    if "points" not in operation.needs:
        return
    marks = np.full((5, 3), np.nan, np.float32)
    record = operation.draw(np.random.default_rng(2))
    for what, points in (
        ("no point", np.zeros((0, 3), np.float32)),
        ("one point", np.ones((1, 3), np.float32)),
        ("points of NaN", np.full((9, 3), np.nan, np.float32)),
    ):
        try:
            changed = operation.apply({"points": points, "landmarks_3d": marks}, record)
        except Exception as error:
            need(False, operation, f"{what}: {type(error).__name__}: {error}")
            raise
        for name, array in changed.items():
            check_array(name, array)


def _equal(one: TinyArrays, two: TinyArrays) -> bool:
    return one.keys() == two.keys() and all(same_bytes(one[name], two[name]) for name in one)
