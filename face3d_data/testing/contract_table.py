"""Contract check of table steps: rows in, rows out, and none of them lost or invented silently."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.atomic import write_atomic
from face3d_data.table import FIXED_COLUMNS, TableContext, TableResult, TableStep
from face3d_data.testing.contract_base import check_component, need, pickled

if TYPE_CHECKING:
    import pandas as pd

MAY_SET = ("identity",)
"""Fixed columns that any step may set; `split` only one that declares it in `assigns`."""


def tiny_rows(people: int = 6, captures: int = 3, dataset: str = "tiny") -> pd.DataFrame:
    """Return a manifest of made-up rows as table steps get it, every third capture masked, with tags `mask`, `yaw_deg`.

    Args:
        people: numbered, `person_0000` on.
        captures: of each person.
        dataset: name of the data set and of the source.
    """
    import pandas as pd

    rows = []
    for person in range(people):
        for capture in range(captures):
            name = f"{dataset}/person_{person:04d}"
            known = {"key": f"{person:016x}{capture:016x}", "root": f"{person:08x}{capture:08x}"}
            ids = {"id": f"{name}/{capture}", "identity": name, "dataset": dataset, "origin_id": f"{name}/{capture}"}
            place = {"source": dataset, "path": f"{person}/{capture}", "n_points": 100 + capture, "place": object()}
            tags = {"mask": "surgical" if capture % 3 == 2 else "none", "yaw_deg": float(10 * capture)}
            rows.append({**known, **ids, "variant": "", "split": "", **place, **tags})
    return pd.DataFrame(rows, dtype=object)[[*FIXED_COLUMNS, "mask", "yaw_deg"]]


def check_table(
    step: TableStep, frames: Sequence[pd.DataFrame] | None = None, *, base_dirs: Sequence[Path] = ()
) -> TableResult:
    """Check a table step on rows that it can use, and return what it gives.

    Checked are its texts, the same result twice, after pickling, from rows in another order and with its own state of
    the run before, that it does not write into its input, that every row goes on or is left out for a declared reason,
    that no row is invented, and that it changes no column or tag that it does not declare.

    Args:
        step: the step.
        frames: a manifest for each upstream; `tiny_rows()` if not given.
        base_dirs: folders in which its relative paths are looked up.

    Raises:
        ContractError: naming the step and what it breaks.
    """
    check_component(step)
    given = [tiny_rows()] if frames is None else list(frames)
    before = [frame.copy() for frame in given]
    context = TableContext("check", None, tuple(base_dirs), 0)
    result = step.run(given, context)
    same = all(frame.equals(kept) and list(frame) == list(kept) for frame, kept in zip(given, before, strict=True))
    need(same, step, "it writes into the rows that it is given: copy them first")
    _check_rows(step, before, result)
    _check_columns(step, before, result)
    for what, other in (("a second run", step), ("a pickled copy", pickled(step))):
        need(_facts(result) == _facts(other.run(given, context)), step, f"{what} gives other rows")
    shuffled = [frame.iloc[np.random.default_rng(1).permutation(len(frame))].reset_index(drop=True) for frame in given]
    need(_by_id(result) == _by_id(step.run(shuffled, context)), step, "rows in another order give others")
    _check_state(step, given, context, result)
    return result


def _check_rows(step: TableStep, given: Sequence[pd.DataFrame], result: TableResult) -> None:
    ids = [name for frame in given for name in frame["id"]]
    kept = list(result.frame["id"])
    left_out = [] if result.dirty is None else list(result.dirty["id"])
    need(len(set(kept)) == len(kept), step, "a row comes out twice")
    invented = sorted((set(kept) | set(left_out)) - set(ids))
    need(not invented, step, f"it invents rows: {invented[:3]}")
    lost = sorted(set(ids) - set(kept) - set(left_out))
    need(not lost, step, f"it loses rows without a word: {lost[:3]}: return them as dirty, with a reason")
    both = sorted(set(kept) & set(left_out))
    need(not both, step, f"rows both go on and are left out: {both[:3]}")
    reasons = set() if result.dirty is None else set(result.dirty["reason"])
    need(reasons <= set(step.reasons), step, f"undeclared reasons {sorted(reasons - set(step.reasons))}")


def _check_columns(step: TableStep, given: Sequence[pd.DataFrame], result: TableResult) -> None:
    columns = {str(name) for frame in given for name in frame}
    out = {str(name) for name in result.frame}
    added = sorted(out - columns - set(step.declared_tags()))
    need(not added, step, f"it sets tags {added} that tag_names does not declare")
    gone = sorted(columns - out)
    need(not gone, step, f"it drops the columns {gone}")
    may_set = {*MAY_SET, *step.assigns, *step.declared_tags()}
    known = {row["id"]: row for frame in given for row in frame.to_dict("records")}
    for row in result.frame.to_dict("records"):
        old = known[row["id"]]
        changed = [name for name in old if name not in may_set and not _same(row[name], old[name])]
        need(not changed, step, f"it changes {changed} of {row['id']}, which it does not declare")
    if "split" in step.assigns:
        need(all(bool(name) for name in result.frame["split"]), step, "it assigns split and leaves some rows without")


def _check_state(step: TableStep, given: Sequence[pd.DataFrame], context: TableContext, result: TableResult) -> None:
    """A step that finds its own state of the run before, and the same rows, gives the same."""
    if not result.state:
        return
    with tempfile.TemporaryDirectory() as folder:
        for suffix, text in result.state.items():
            write_atomic(Path(folder) / f"{context.step}.{suffix}", text)
        again = step.run(list(given), replace(context, run_dir=Path(folder)))
    need(_by_id(result) == _by_id(again), step, "the same rows and its own state of the run before give other rows")


def _facts(result: TableResult) -> tuple[object, ...]:
    dirty = None if result.dirty is None else result.dirty.to_dict("records")
    return result.frame.to_dict("records"), dirty, result.notes, result.state


def _by_id(result: TableResult) -> tuple[object, ...]:
    """Return what a result says of each row, whatever their order."""
    rows = sorted(result.frame.to_dict("records"), key=lambda row: row["id"])
    dirty = [] if result.dirty is None else sorted(result.dirty.to_dict("records"), key=lambda row: row["id"])
    return [{name: row[name] for name in sorted(row, key=str)} for row in rows], dirty, result.state


def _same(one: object, two: object) -> bool:
    return one is two or one == two or (one != one and two != two)
