"""`face3d readers`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.catalogue_output import of_datasets, print_catalogue
from face3d_data.cli.completion import complete_reader
from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.cli.reader_options import reader_settings
from face3d_data.errors import UserError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from face3d_data.reader import Reader


@click.command(short_help="List readers, show one, or check a copy of a database.")
@click.argument("name", required=False, shell_complete=complete_reader)
@click.argument("root", required=False, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Compare the content of ROOT with what reader NAME expects.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="With --check: set an option of the reader."
)
@json_option
@click.pass_context
def command(
    context: click.Context, name: str | None, root: Path | None, check: bool, settings: tuple[str, ...], as_json: bool
) -> None:
    """List the readers (files to samples), or show the files, options, arrays and rejection reasons of reader NAME.

    With --check: report what reader NAME finds in the folder ROOT, without running anything. Exits with 1 if something
    is missing.
    """
    if not check:
        if root is not None or settings:
            raise UserError("readers: ROOT and --set belong to --check: face3d readers --check NAME ROOT")
        _show(name, as_json)
        return
    if name is None or root is None:
        raise UserError("readers --check: give a reader and a folder: face3d readers --check NAME ROOT")
    if not _check(name, root, settings, as_json):
        context.exit(1)


def _show(name: str | None, as_json: bool) -> None:
    from face3d_data.catalogue_page import terminal_width
    from face3d_data.databases.description import databases_of
    from face3d_data.databases.description_page import description_lines

    catalogue = of_datasets()
    known = databases_of(name) if name else {}
    if name and known and as_json:
        record = catalogue.entry(["reader"], name)
        record["databases"] = {each: database.model_dump(mode="json") for each, database in known.items()}
        echo_json(record)
        return
    print_catalogue(catalogue, ["reader"], name, as_json)
    for database in known.values():
        for line in description_lines(database, terminal_width()):
            echo(line)


def _check(name: str, root: Path, settings: Sequence[str], as_json: bool) -> bool:
    """Print what a folder holds for a reader; return whether nothing is missing."""
    from face3d_data.databases.collection import check_collection
    from face3d_data.databases.collection_page import collection_lines, collection_record
    from face3d_data.databases.description import databases

    reader, given = _reader(name, root, settings)
    found = check_collection(reader, root, databases(), given)
    if as_json:
        echo_json(collection_record(found))
    else:
        for line in collection_lines(found):
            echo(line)
    return not found.missing


def _reader(name: str, root: Path, settings: Sequence[str]) -> tuple[Reader, dict[str, Any]]:
    """Return the reader on a folder, and the options that were given.

    Raises:
        UserError: there is no such reader, the folder is not a folder, or an option does not fit.
    """
    from face3d_data.component import build
    from face3d_data.registry import find

    cls = find("reader", name)
    given = reader_settings(settings, "readers --check")
    if not root.is_dir():
        option = " and --set file=LIST.csv" if "file" in cls.model_fields else ""
        raise UserError(f"readers --check: {root} is not a folder: give the collection's{option}")
    if "root" not in cls.model_fields:
        raise UserError(f"readers --check: reader {name!r} reads no folder: there is nothing to check")
    given = {option: _found(root, value, cls.model_fields.get(option)) for option, value in given.items()}
    needed = [option for option, info in cls.model_fields.items() if info.is_required() and option != "root"]
    lacking = [option for option in needed if option not in given]
    if lacking:
        told = " ".join(f"--set {option}=…" for option in lacking)
        raise UserError(f"readers --check: reader {name!r} needs {told}: see face3d readers {name}")
    return build(cls, {"root": root, **given}, f"reader {name!r}"), given


def _found(root: Path, value: Any, info: FieldInfo | None) -> Any:
    """Return an option's value, a path as one below the root where only there is such a file."""
    if info is None or info.annotation not in (Path, Path | None) or not isinstance(value, str):
        return value
    below = root / value
    return str(below) if below.exists() and not Path(value).exists() else value
