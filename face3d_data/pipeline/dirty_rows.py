"""Dirty rows of a run: the inputs that produced no sample, with step, reason and file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from face3d_data.csv_cells import plain
from face3d_data.errors import UserError
from face3d_data.store.manifest_files import DIRTY_ROW_COLUMNS


def check_step(workspace: Path, names: list[str], step: str) -> None:
    """Check that a run has a step or source of that id.

    Raises:
        UserError: listing those that there are.
    """
    runs = (workspace / "runs" / name for name in names)
    known = sorted(
        {
            path.name.removesuffix(".dirty.csv").removesuffix(".dataset")
            for run in runs
            for path in run.glob("*.dirty.csv")
        }
    )
    if step not in known:
        raise UserError(f"--step {step}: no run here has that step (steps: {', '.join(known) or 'none'})")


def read_dirty(workspace: str | Path, pipeline: str, step: str | None, reason: str | None) -> list[dict[str, str]]:
    """Return the dirty rows of a pipeline's last run, of one step and with one reason if asked.

    `traceback` is the file that holds an error's traceback, empty for others.
    """
    workspace = Path(workspace)
    found: list[dict[str, str]] = []
    run_dir = workspace / "runs" / pipeline
    os.listdir(run_dir)  # a folder that may not be read has no rows for a glob, and is no empty one
    traces = {
        (path.parent.name, path.open(encoding="utf-8").readline().strip()): str(path)
        for path in run_dir.glob("*.errors/*.txt")
    }
    for path in sorted(run_dir.glob("*.dirty.csv")):
        with open(path, encoding="utf-8", errors="backslashreplace", newline="") as stream:
            rows = csv.DictReader(stream)
            if tuple(rows.fieldnames or ()) != DIRTY_ROW_COLUMNS:
                raise UserError(f"{path}: is damaged: run the pipeline again, which writes it again")
            found += ({name: plain(row[name] or "") for name in DIRTY_ROW_COLUMNS} for row in rows)
    for row in found:
        row["traceback"] = traces.get((f"{row['step']}.errors", row["sample_id"]), "")
    return [row for row in found if step in (None, row["step"]) and reason in (None, row["reason"])]
