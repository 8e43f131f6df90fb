"""Finishing of a dataset: lists and hashes, the audit of contents, and publishing by rename."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import TEMPORARY_SUFFIX, atomic_path, sync, write_atomic
from face3d_data.digest import digest_file
from face3d_data.errors import RunStopped, UserError, is_refused, refusal
from face3d_data.plurals import counted
from face3d_data.shards.check import faults
from face3d_data.shards.csv_lines import csv_text
from face3d_data.shards.dataset_plan import DatasetPlan
from face3d_data.shards.leaks import Leak, leaks_of_kind, suspected_copies
from face3d_data.shards.lists import make_lists, table_csv
from face3d_data.shards.plan import refuse_leaks
from face3d_data.shards.schema import (
    DATASET_DIRTY_COLUMNS,
    DESCRIPTION,
    OWN_DIGEST,
    description_digest,
    labels_name,
    stored_name,
)
from face3d_data.shards.sources_table import SOURCES_FILE, own_names
from face3d_data.shards.write import ShardInfo, forget_written
from face3d_data.tables.same_person import one_name_each


def finish_dataset(plan: DatasetPlan, datasets: Path, infos: Sequence[ShardInfo]) -> Path:
    """Write what is beside the shards, dataset.json last, and publish; a dataset that is there already is only linked.

    Args:
        plan: the dataset.
        datasets: the workspace's folder of datasets.
        infos: what `write_shard` returned for each of `plan.shard_tasks`, in any order.

    Returns:
        `datasets/<name>`, a link to `datasets/<name>-<digest>`.

    Raises:
        RunStopped: splits share equal bytes.
        UserError: a list cannot be made, or a folder stands where the link has to be.
    """
    final = plan.published(datasets)
    if final is None:
        folder = plan.partial(datasets)
        named = plan.rows.named
        plan = replace(plan, rows=replace(plan.rows, contents=contents(plan, infos)))
        leaks = [*plan.leaks, *leaks_of_kind(plan.rows.compared(), "content")]
        refuse_leaks(leaks, f"dataset {plan.name!r}", plan.allow_leaks)
        plan.notes.extend(_copies_notes(plan, named))
        _remove_torn(folder)
        forget_written(folder)
        for name, text in _texts(plan).items():
            write_atomic(folder / name, text)
        for split in plan.rows.split_order():
            _write_csv(folder / f"{split}.csv", plan.rows.csv(split))
            _write_labels(folder / labels_name(split), plan.rows.classes(split))
        write_atomic(folder / DESCRIPTION, _description(plan, folder, infos, leaks))
        final = datasets / plan.folder_name
        _put_in_place(folder, final, plan)
        sync(datasets)
    return _link(datasets / plan.name, final.name)


def _put_in_place(folder: Path, final: Path, plan: DatasetPlan) -> None:
    """Rename the finished folder; what a forced rebuild finds there is kept if it is the same, else replaced."""
    if not final.exists():
        os.rename(folder, final)
    elif not _differs(final, folder):
        shutil.rmtree(folder)
    else:
        if not _damaged(final):
            plan.notes.append(
                "other bytes than before under the same versions: raise 'version' of the stage that changed"
            )
        old = final.with_name(f".{final.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
        os.rename(final, old)
        os.rename(folder, final)
        shutil.rmtree(old)


def _differs(final: Path, folder: Path) -> bool:
    """Return whether the dataset that is there is another than the finished one, or not what its dataset.json says."""
    try:
        if (final / DESCRIPTION).read_bytes() != (folder / DESCRIPTION).read_bytes():
            return True
    except OSError as error:
        if is_refused(error):
            raise UserError(f"{final}: {refusal(error)}") from None
        return True
    return _damaged(final)


def _damaged(folder: Path) -> bool:
    try:
        return any(faults(folder, json.loads((folder / DESCRIPTION).read_text("utf-8"))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if is_refused(error):
            raise UserError(f"{folder}: {refusal(error)}") from None
        return True


def contents(plan: DatasetPlan, infos: Sequence[ShardInfo]) -> np.ndarray:
    """Return the `content` of `plan.rows.rows`, S (n,): a token for each stored array that shows its face."""
    of_shard = {info.name: info.contents for info in infos}
    for name, start, stop in plan.rows.shards:
        if len(of_shard[name]) != stop - start:
            raise RunStopped(f"dataset {plan.name!r}: {name} changed while it was being written: run again")
    found = np.zeros(len(plan.rows), f"S{max(info.contents.dtype.itemsize for info in infos)}")
    for name, start, stop in plan.rows.shards:
        found[plan.rows.order[start:stop]] = of_shard[name]
    return found


def _copies_notes(plan: DatasetPlan, named: tuple[Sequence[str], Sequence[str]]) -> list[str]:
    """Return a note where samples of one split have equal bytes, or the same files, under two people's names.

    Args:
        plan: with what its shards contain.
        named: as `DatasetRows.named`.
    """
    names = one_name_each([*plan.record["same_person"].items(), *own_names(*named)])
    found = [one for one in suspected_copies(plan.rows.compared(), names) if one.kind == "two_people"]
    if not found:
        return []
    pairs = counted(len(found), "pair of samples has", "pairs of samples have")
    return [f"{pairs} one recording under two names, first {found[0]}: `face3d verify {plan.name}` lists them"]


def _write_csv(path: Path, pieces: Iterable[str]) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        stream.writelines(pieces)


def _write_labels(path: Path, labels: np.ndarray) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, labels.astype("<i8"), allow_pickle=False)


def _texts(plan: DatasetPlan) -> dict[str, str]:
    """Return every text file of the dataset but dataset.json and the CSVs of the splits."""
    texts = {}
    for split in plan.rows.split_order():
        texts[f"{split}_files.txt"] = "".join(f"{shard}\n" for shard, _, _ in plan.rows.shards_of(split))
    texts["dirty.csv"] = csv_text(DATASET_DIRTY_COLUMNS, plan.dirty.to_numpy().tolist())
    texts[SOURCES_FILE] = table_csv(plan.sources)
    lists: dict[str, str] = {}
    if any(part is not None for part in (plan.spec.pairs, plan.spec.gallery, plan.spec.probe, plan.spec.protocol)):
        where = f"dataset {plan.name!r}"
        lists, notes = make_lists(plan.table, plan.tags, plan.spec, plan.seed, where, plan.readers)
        plan.notes.extend(notes)
    return texts | dict(plan.pair_lists) | lists


def _description(plan: DatasetPlan, folder: Path, infos: Sequence[ShardInfo], leaks: Sequence[Leak]) -> str:
    shards = {info.name: info.sha256 for info in infos}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    hashes = {name: shards.get(name) or digest_file(folder / name) for name in names if name != DESCRIPTION}
    lost = sorted(set(shards) - set(names))
    if lost:
        raise RunStopped(f"dataset {plan.name!r}: {lost[0]} disappeared while it was being written: run again")
    record: dict[str, Any] = {
        **plan.record,
        "digest": plan.digest,
        "splits": {split: plan.rows.count(split) for split in plan.rows.splits},
        "classes": plan.rows.count()["people"],
        "dirty": len(plan.dirty),
        "arrays": {
            stored_name(name): {"dtype": plan.spec.stored_dtype(name), "field": name, "unit": plan.spec.unit(name)}
            for name in plan.spec.fields
        },
        "shards": {info.name: {"made_of": info.made_of, **info.header.record()} for info in infos},
        "leaks": {leak.kind: list(leak.things) for leak in leaks},
        "files": hashes,
        "bytes": {name: (folder / name).stat().st_size for name in hashes},
    }
    record[OWN_DIGEST] = description_digest(json.loads(json.dumps(record)))
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _remove_torn(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for path in folder.rglob(f"*{TEMPORARY_SUFFIX}"):
        path.unlink()


def _link(link: Path, target: str) -> Path:
    """Make `link` point to `target` beside it, in one step.

    Raises:
        UserError: something other than a link is there.
    """
    if link.is_symlink() and os.readlink(link) == target:
        return link
    if link.exists() and not link.is_symlink():
        raise UserError(f"{link}: is not a link to a dataset: move it away")
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    os.symlink(target, temporary)
    os.replace(temporary, link)
    sync(link.parent)
    return link
