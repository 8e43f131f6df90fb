"""Shell completion: names of pipelines, components, datasets and runs, as they are typed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

FILES = CompletionItem("", type="file")
"""Lets the shell complete paths, too."""


def complete_packaged_pipeline(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a pipeline that comes with the package."""
    from face3d_data.resources import pipeline_names

    return _those(pipeline_names(), incomplete)


def complete_pipeline(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a pipeline: a name, or a YAML file here or in the folder that is typed."""
    from face3d_data.resources import pipeline_names

    folder = Path(incomplete).parent if "/" in incomplete else Path()
    files = [str(path) for suffix in ("*.yaml", "*.yml") for path in sorted(folder.glob(suffix))]
    return _those([*pipeline_names(), *files], incomplete) or [FILES]


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a pipeline that ran in the workspace."""
    return _those(_folders(ctx, "runs"), incomplete)


def complete_dataset(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a dataset of the workspace, or a folder."""
    return _those(_folders(ctx, "datasets", links=True), incomplete) or [FILES]


def complete_trained(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the folder of a training run of the workspace, or a file."""
    root = _workspace(ctx) / "training"
    return _those((str(root / name) for name in _folders(ctx, "training")), incomplete) or [FILES]


def complete_packaged_network(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a network that comes with the package."""
    from face3d_training.packaged import PACKAGED, packaged_names

    return _those([PACKAGED, *packaged_names()], incomplete)


def complete_architecture(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a network, as it is here or in another program."""
    from face3d_training.published_networks import PUBLISHED
    from face3d_training.registry import specs

    return _those([*specs("model"), *PUBLISHED], incomplete)


def complete_back_end(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the kind of a back-end, or a file."""
    from face3d_training.back_ends.back_end import BACK_ENDS

    return _those(BACK_ENDS, incomplete) or [FILES]


def complete_back_end_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a file of a back-end, or `none`."""
    return [*_those(["none"], incomplete), FILES]


def complete_reader(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a reader."""
    from face3d_data.registry import components

    return _those(components("reader"), incomplete)


def complete_step(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a stage or table step."""
    from face3d_data.registry import components

    return _those([*components("stage"), *components("table")], incomplete)


def _workspace(ctx: click.Context) -> Path:
    return Path(ctx.params.get("workspace") or "work")


def _folders(ctx: click.Context, below: str, links: bool = False) -> list[str]:
    root = _workspace(ctx) / below
    try:
        return sorted(path.name for path in root.iterdir() if (path.is_symlink() if links else path.is_dir()))
    except OSError:
        return []


def _those(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(set(names)) if name.startswith(incomplete)]
