"""Datasets found by name in a workspace, or by folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.errors import UserError

if TYPE_CHECKING:
    pass


def find_dataset(dataset: str, workspace: str | Path) -> Path:
    """Return the folder of a dataset, given its name or path.

    Raises:
        UserError: neither; the message lists the names that there are.
    """
    workspace = Path(workspace)
    for folder in (Path(dataset), workspace / "datasets" / dataset):
        if (folder / "dataset.json").is_file():
            return folder
    if Path(dataset).is_dir():
        raise UserError(f"{dataset}: is not a dataset (it has no dataset.json): use the folder of one, or a name")
    names = sorted(path.parent.name for path in (workspace / "datasets").glob("*/dataset.json") if _is_link(path))
    there = f"there: {', '.join(names)}" if names else "none is there: use `face3d run`, or another -w/--workspace"
    raise UserError(f"no dataset {dataset!r} in {workspace / 'datasets'} ({there})")


def _is_link(path: Path) -> bool:
    return path.parent.is_symlink()
