"""`face3d chain`: a pipeline written as one command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.options import check_writable, engine_options, field_options, field_values, workspace_option
from face3d_data.cli.output import echo, say
from face3d_data.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from face3d_data.pipeline.chain import Fragment


class ChainedComponents(click.Group):
    """A chained group with `read`, every stage and table step of the registry, and `write`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a data flow."""
        from face3d_data.registry import components

        steps = sorted({*components("stage"), *components("table")})
        return ["read", *(name.replace("_", "-") for name in steps), "write"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make one command from a component's fields."""
        from face3d_data.registry import components

        if cmd_name == "read":
            return _Read("read", help="Begin with a source: read READER --root DIR …")
        if cmd_name == "write":
            return _write_command()
        name = cmd_name.replace("-", "_")
        for kind in ("stage", "table"):
            if name in components(kind):
                return _step_command(kind, name)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown name, list the commands that exist."""
        if self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            remedy = did_you_mean(args[0], known)
            if args[0].lower() in ("true", "false"):
                remedy = ": options that are on or off take no value: --keep-original, --no-keep-original"
            raise click.UsageError(f"no command {args[0]!r} (commands: {', '.join(known)}){remedy}", ctx)
        return super().resolve_command(ctx, args)


class _Read(click.Command):
    """`read READER …`: its options are those of the reader that its first word names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the reader's name, then the options of its fields."""
        from face3d_data.registry import components, find

        if args and args[0] in ctx.help_option_names:
            return super().parse_args(ctx, args)
        if not args or args[0].startswith("-"):
            raise click.UsageError(f"read: name a reader first (readers: {', '.join(components('reader'))})", ctx)
        cls = find("reader", args[0], "read")
        self.params = [
            *field_options(cls),
            click.Option(["--dataset"], help="Name of the data set; sources with one name share people."),
            click.Option(["--capture-prefix"], help="Put before every capture's name."),
            click.Option(["--as", "step_id"], default="source", help="Id of the source."),
        ]
        ctx.meta["reader"] = (args[0], cls)
        return super().parse_args(ctx, args[1:])

    def invoke(self, ctx: click.Context) -> Fragment:
        """Return what `sources` would hold."""
        name, cls = ctx.meta["reader"]
        given: dict[str, Any] = {name: value for name, value in ctx.params.items() if value is not None}
        shared: dict[str, Any] = {
            name: given.pop(name) for name in ("step_id", "dataset", "capture_prefix") if name in given
        }
        return "source", {"reader": name, **shared, **field_values(cls, given)}


class _Write(click.Command):
    """`write NAME …`: in a chain, click takes options only before arguments, so the name is taken first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the dataset's name, then the options."""
        if args and args[0] in ctx.help_option_names:
            return super().parse_args(ctx, args)
        if not args or args[0].startswith("-"):
            raise click.UsageError("write: name the dataset first: write NAME --fields points", ctx)
        ctx.meta["dataset"] = args[0]
        return super().parse_args(ctx, args[1:])

    def invoke(self, ctx: click.Context) -> Fragment:
        """Return what `datasets` would hold."""
        from face3d_data.shards.schema import DatasetSpec

        return "dataset", {"name": ctx.meta["dataset"], **field_values(DatasetSpec, ctx.params)}


def _step_command(kind: str, name: str) -> click.Command:
    from face3d_data.registry import find

    cls = find(kind, name)

    def made(step_id: str | None, upstream: str | None, **given: Any) -> Fragment:
        return "step", {"id": step_id, kind: name, "from": upstream, "with": field_values(cls, given)}

    extra: list[click.Parameter] = [
        click.Option(["--as", "step_id"], help="Id of this step."),
        click.Option(["--from", "upstream"], help="Id of the step before; the last one if not given."),
    ]
    text = (cls.__doc__ or "").strip().splitlines()[0]
    return click.Command(name.replace("_", "-"), callback=made, params=[*field_options(cls), *extra], help=text)


def _write_command() -> click.Command:
    from face3d_data.shards.schema import DatasetSpec

    return _Write(
        "write",
        params=field_options(DatasetSpec, leave_out=["upstream"]),
        help="End with a dataset: write NAME --fields points.",
    )


@click.group(cls=ChainedComponents, chain=True, short_help="Build a dataset in one line: read, stages, write.")
@workspace_option
@engine_options
@click.option("--name", help="Name of the pipeline; that of the first dataset if not given, else chain.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all that draws.")
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the pipeline to this file, run nothing."
)
def command(**options: Any) -> None:
    """Read, work and write in one line: the same pipeline as a YAML file, linear, from one source.

    face3d chain read rgbd_folder --root R detect to-cloud subsample --n-points 2048 split write NAME --fields points
    """


@command.result_callback()
def run_chain(
    fragments: Sequence[Fragment],
    workspace: Path,
    engine: str,
    address: str | None,
    jobs: int | None,
    chunk: int | None,
    name: str | None,
    seed: int,
    save: Path | None,
) -> None:
    """Build the pipeline that the commands describe, then run or save it."""
    from face3d_data.pipeline.build import make_pipeline
    from face3d_data.pipeline.chain import assemble
    from face3d_data.pipeline.result import Workers
    from face3d_data.pipeline.run import run

    made = assemble(fragments)
    # Two chains of other data under one name would share the places of people, and hide each other's last run.
    raw = {"name": name or next(iter(made["datasets"]), "chain"), "seed": seed, **made}
    pipeline = make_pipeline(raw, Path.cwd(), "chain")
    if save is not None:
        _save(save, pipeline.text)
        return
    result = run(pipeline, workspace, engine=Workers(engine, jobs, chunk, address), say=say)
    for folder in result.datasets.values():
        echo(f"dataset {folder}")
    if not result.datasets:
        echo("no dataset was asked for: end with `write NAME --fields points` to have one")


def _save(path: Path, text: str) -> None:
    from face3d_data.atomic import write_atomic

    check_writable(path, "--save")
    if path.exists() and path.read_bytes() != text.encode():
        raise UserError(f"--save {path}: is there already: remove it, or give another path")
    write_atomic(path, text)
    echo(f"written to {path}: face3d run {path}")
