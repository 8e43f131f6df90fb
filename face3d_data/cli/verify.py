"""`face3d verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.options import json_option, workspace_option
from face3d_data.errors import UserError

if TYPE_CHECKING:
    from face3d_data.shards.verify import Verdict


@click.command()
@click.argument("dataset")
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, dataset: str, workspace: Path, as_json: bool) -> None:
    """Check a DATASET's hashes, schema, labels and lists, and that its splits share nothing; exit 1 if not.

    DATASET is a name in WORKSPACE/datasets, or a folder.
    """
    from face3d_data.shards.verify import verify_dataset

    verdict = verify_dataset(find_dataset(dataset, workspace))
    if as_json:
        click.echo(json.dumps(as_record(verdict), indent=1, ensure_ascii=False))
    else:
        for line in lines(verdict):
            click.echo(line)
    if not verdict.ok:
        context.exit(1)


def find_dataset(dataset: str, workspace: Path) -> Path:
    """Return the folder of a dataset, given its name or path.

    Raises:
        UserError: neither; the message lists the names that there are.
    """
    for folder in (Path(dataset), workspace / "datasets" / dataset):
        if (folder / "dataset.json").is_file():
            return folder
    if Path(dataset).is_dir():
        raise UserError(f"{dataset}: is no dataset (it has no dataset.json): give the folder of one, or a name")
    names = sorted(path.parent.name for path in (workspace / "datasets").glob("*/dataset.json") if _is_link(path))
    there = f"there: {', '.join(names)}" if names else "none is there: use `face3d run`, or another -w/--workspace"
    raise UserError(f"no dataset {dataset!r} in {workspace / 'datasets'} ({there})")


def _is_link(path: Path) -> bool:
    return path.parent.is_symlink()


def as_record(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON values."""
    problems = [{"check": p.check, "where": p.where, "detail": p.detail} for p in verdict.problems]
    record = {"dataset": verdict.name, "ok": verdict.ok, "splits": dict(verdict.splits)}
    return {**record, "shared": dict(verdict.shared), "problems": problems}


def lines(verdict: Verdict) -> list[str]:
    """Return a verdict as lines for people."""
    shown = [
        f"{verdict.name}: {split}: {counts['samples']} samples, {counts['people']} people"
        for split, counts in verdict.splits.items()
    ]
    words = {"identity": "people", "origin": "captures", "key": "keys", "content": "equal contents"}
    if verdict.shared:
        audit = (f"{words[kind]} {'by design' if count is None else count}" for kind, count in verdict.shared.items())
        shown.append(f"{verdict.name}: shared between splits: {', '.join(audit)}")
    shown += [f"{verdict.name}: {problem}" for problem in verdict.problems]
    n = len(verdict.problems)
    return [*shown, f"{verdict.name}: ok" if not n else f"{verdict.name}: {n} problem{'s' * (n > 1)}"]
