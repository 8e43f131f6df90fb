"""Descriptions of databases: `manifests/datasets/<name>.yaml`, contents, size and contact of each."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from face3d_data.component import explain_validation
from face3d_data.errors import UserError
from face3d_data.resources import package_folder
from face3d_data.yaml_file import read_yaml


class Expected(BaseModel):
    """What a whole copy of a database holds as its reader finds it, and its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int | None = Field(None, ge=1, description="people that the reader finds [those of `people`]")
    captures: int | None = Field(
        None, ge=1, description="captures that the reader finds [those of `captures`]; null: unknown"
    )
    recordings: int | None = Field(None, ge=1, description="videos, if captures are their frames")
    recordings_by: tuple[str, ...] = Field((), description="tags that distinguish the recordings of a person")
    files: dict[str, int | None] = Field(
        default={},
        description="pattern of a path from the root (`bs???/bs*.bnt`; `**/` for any folders before it) to the number "
        "of such files; null: unknown",
    )
    options: dict[str, Any] = Field(default={}, description="options that the reader needs for this database")


class Database(BaseModel):
    """A database as its file describes it; every key but `expect` is written in each file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="full name")
    reader: str = Field(min_length=1, description="name of its reader")
    what: str = Field(min_length=1, description="summary in one to three lines")
    modalities: tuple[str, ...] = Field(min_length=1, description="data of each capture")
    people: int | None = Field(ge=1, description="number of people, as published")
    captures: int | None = Field(ge=1, description="number of captures, as published")
    counts: dict[str, int] = Field(
        description="category, as the reader tags it, to its number of captures, if published"
    )
    ask: str = Field(min_length=1, description="owner, whose terms apply")
    citation: str = Field(min_length=1, description="publication to cite")
    protocol: str | None = Field(description="the published protocol, in words")
    notes: str = Field(description="what is unconfirmed")
    expect: Expected = Field(default=Expected(), description="content of a complete copy")

    def people_expected(self) -> int | None:
        """Return how many people the reader has to find."""
        return self.expect.people if "people" in self.expect.model_fields_set else self.people

    def captures_expected(self) -> int | None:
        """Return how many captures the reader has to find."""
        return self.expect.captures if "captures" in self.expect.model_fields_set else self.captures

    def read_as(self, reader: BaseModel) -> bool:
        """Return whether a reader has the options that this database needs."""
        return all(getattr(reader, name, None) == value for name, value in self.expect.options.items())


def descriptions_folder() -> Path:
    """Return the folder that holds the descriptions."""
    return package_folder() / "manifests" / "datasets"


@functools.cache
def databases() -> dict[str, Database]:
    """Return every description by its file's name, sorted.

    Raises:
        UserError: one is not as it has to be.
    """
    return {path.stem: read_database(path) for path in sorted(descriptions_folder().glob("*.yaml"))}


def databases_of(reader: str) -> dict[str, Database]:
    """Return the descriptions of the databases that a reader reads, by name."""
    return {name: database for name, database in databases().items() if database.reader == reader}


def read_database(path: str | Path) -> Database:
    """Return one description.

    Raises:
        UserError: the file cannot be read, or a key is missing, unknown or wrong.
    """
    path = Path(path)
    record = read_yaml(path, "the keys that manifests/README.md names")
    try:
        return Database(**record)
    except ValidationError as error:
        raise UserError(f"{path}: {explain_validation(error, Database)}") from None
