"""Options that several commands share, and options made from a component's fields."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from face3d_data.cli import output
from face3d_data.component import named_values
from face3d_data.errors import UserError
from face3d_data.yaml_file import parse_yaml

F = TypeVar("F", bound=Callable[..., Any])
UNITS = ("_px", "_mm", "_deg")

workspace_option = click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("work"),
    show_default=True,
    help="Folder for the cache, runs and datasets.",
)
check_option = click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Compare the dataset's files with their hashes before use.",
)
LOG_HELP = "Append all output to FILE, with time stamps."


def output_options() -> list[click.Option]:
    """Return `-q`, `-v` and `--log`, which every command takes."""

    def set_one(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        if value:
            output.be(**{str(option.name): value})

    return [
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=set_one,
                     help="Print only results, notes and errors."),
        click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=set_one,
                     help="Also print times, files and folders used, and workers."),
        click.Option(["--log"], type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", expose_value=False,
                     callback=set_one, help=LOG_HELP),
    ]  # fmt: skip


def out_option(what: str, default: str = "", folder: bool = False, required: bool = False) -> Callable[[F], F]:
    """Return `--out`: the file, or the folder, that a command writes. Folders above it that are missing are made.

    Args:
        what: what is written, for the help.
        default: where it goes if the option is not given, for the help.
        folder: it is a folder.
        required: there is no default.
    """

    def checked(ctx: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
        if value is not None:
            check_writable(value, "--out")
        return value

    text = f"{'Folder' if folder else 'File'} to write: {what}{f' [{default}]' if default else ''}."
    kind = click.Path(path_type=Path, file_okay=not folder, dir_okay=folder)
    return click.option("--out", type=kind, required=required, callback=checked, help=text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--engine`, `--address`, `--jobs` and `--chunk`."""
    for option in (
        click.option("--chunk", type=click.IntRange(1, 256), help="Rows per task [chosen by the measured rate]."),
        click.option("-j", "--jobs", type=click.IntRange(1), help="Number of workers [all cores]."),
        click.option(
            "--engine",
            type=click.Choice(["serial", "loky", "threading", "dask", "ray"]),
            default="loky",
            show_default=True,
            help="Run in this process, in worker processes, in threads, or on a cluster.",
        ),
        click.option(
            "--address",
            metavar="ADDRESS",
            help="Scheduler of the cluster (dask: tcp://HOST:8786, ray: HOST:6379) [one is started on this machine].",
        ),
    ):
        function = option(function)
    return function


def check_writable(path: Path, option: str) -> None:
    """Check, before any work, that a file can be written where an option wants it.

    Raises:
        UserError: its folder is not there or cannot be written.
    """
    folder = next(above for above in path.absolute().parents if above.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"{option} {path}: {folder} is not a folder that can be written: choose another path")


def field_options(model: type[BaseModel], leave_out: Iterable[str] = ()) -> list[click.Parameter]:
    """Return one click option for each field of a model; `--min-face-px` also answers to `--min-face`."""
    left_out = set(leave_out)
    fields = {info.alias or name: info for name, info in model.model_fields.items() if name not in left_out}
    return [_field_option(name, info, fields) for name, info in fields.items()]


def _field_option(name: str, info: FieldInfo, fields: dict[str, FieldInfo]) -> click.Option:
    flags = [f"--{name.replace('_', '-')}"]
    for unit in UNITS:
        if name.endswith(unit) and name.removesuffix(unit) not in fields:
            flags.append(f"--{name.removesuffix(unit).replace('_', '-')}")
    default = "" if info.is_required() else f" [default: {_text(info.get_default(call_default_factory=True))}]"
    text = (info.description or "") + (" [required]" if info.is_required() else default)
    if info.annotation is bool:
        flags = [f"{flag}/--no-{flag[2:]}" for flag in flags]
        return click.Option([*flags, name], default=None, help=text)
    if _is_list(info.annotation):
        return click.Option([*flags, name], multiple=True, help=f"{text} [several: a,b]", metavar="VALUE,…")
    return click.Option([*flags, name], default=None, help=text, metavar=_metavar(info.annotation))


def _is_list(annotation: Any) -> bool:
    kinds = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    return any(typing.get_origin(kind) in (tuple, list, frozenset, set) for kind in kinds)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _metavar(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return "[" + "|".join(map(str, typing.get_args(annotation))) + "]"
    if names := named_values(annotation):
        return "[" + "|".join([*map(str, names), *(["PATH"] if Path in typing.get_args(annotation) else [])]) + "]"
    return {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}.get(annotation, "VALUE")


def field_values(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as YAML would hold them: lists split at commas, paths made absolute."""
    return {
        name: _value(model.model_fields[name].annotation, value)
        for name, value in given.items()
        if value is not None and value != ()
    }


def _value(annotation: Any, value: Any) -> Any:
    if _is_list(annotation):
        parts = [part for text in value for part in str(text).split(",")]
        return [
            os.path.abspath(Path(part).expanduser()) if "Path" in str(annotation) else _yaml(part) for part in parts
        ]
    kinds = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    if not isinstance(value, str) or annotation is str:
        return value
    if value in named_values(annotation):
        return value
    if Path in kinds and str not in kinds:
        return os.path.abspath(Path(value).expanduser())
    if all(kind in (str, Path, type(None)) for kind in kinds):
        return value
    return _yaml(value)


def _yaml(text: str) -> Any:
    """Return an option's value as YAML reads it; what is no YAML stays the text that it is."""
    try:
        return parse_yaml(text)
    except ValueError:
        return text


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
