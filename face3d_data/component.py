"""Base of components (readers, stages, table steps): fields are parameters, and parameters make the fingerprint."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from face3d_data.digest import digest, digest_file
from face3d_data.errors import UserError, did_you_mean
from face3d_data.resources import Asset
from face3d_data.unchanged import stat_of


class _NotedFiles:
    """Files whose content enters a fingerprint, as they were before they were first read.

    All are equal: components with the same parameters are, whatever has been read of their files.

    Attributes:
        states: path to what shows that a file changed.
        all_noted: no file can be added but by a change.
    """

    def __init__(self) -> None:
        self.states: dict[Path, tuple[int, ...]] = {}
        self.all_noted = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _NotedFiles)

    __hash__ = None  # type: ignore[assignment]


class Component(BaseModel):
    """A reader, stage or table step: a frozen pydantic model whose fields are its parameters.

    Validation, YAML keys, command-line options, the catalogue and the fingerprint all come from the fields. Fields
    that only select or place (`root`, `device`, `jobs`) are declared with `exclude=True` and enter no fingerprint.
    A field typed `Path` that is not excluded enters it by the file's content; of a folder, by its files'.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=False, validate_default=True, allow_inf_nan=False
    )

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    reasons: ClassVar[dict[str, str]] = {}
    """Reason slug of a rejection to one line that explains it."""
    assets: ClassVar[tuple[Asset, ...]] = ()
    """Data files of the package whose content enters the fingerprint."""
    _files: _NotedFiles = PrivateAttr(default_factory=lambda: _NotedFiles())

    @model_validator(mode="before")
    @classmethod
    def _yes_is_no_number(cls, values: Any) -> Any:
        """Refuse true and false where a number is wanted: Python would take them for 1 and 0."""
        for name, value in values.items() if isinstance(values, dict) else ():
            info = cls.model_fields.get(name)
            if isinstance(value, bool) and info is not None and info.annotation in (int, float):
                raise ValueError(f"{name!r} = {str(value).lower()}: give a number")
        return values

    @model_validator(mode="after")
    def _paths_can_be(self) -> Self:
        """Refuse what can be no file's name here: too long, or with characters that names cannot hold."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for path in value if isinstance(value, list | tuple) else (value,):
                try:
                    path.lstat() if isinstance(path, Path) else None
                except (FileNotFoundError, NotADirectoryError, PermissionError):
                    continue  # whether it is there is asked by who opens it
                except (OSError, ValueError) as error:
                    why = getattr(error, "strerror", None) or str(error)
                    raise ValueError(f"{name!r} = {_shown(path)}: is not a path ({why})") from None
        self._note(list(self._own_files()))  # what follows may read them
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the resolved parameters that enter the fingerprint, as JSON values; sets are sorted."""
        values = self.model_dump(mode="json")
        unordered = [name for name in values if isinstance(getattr(self, name), set | frozenset)]
        return values | {name: sorted(values[name]) for name in unordered}

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield (label, path) of every file whose content enters the fingerprint."""
        yield from self._own_files()
        yield from ((asset.label, asset.file) for asset in self.assets)

    def _own_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the files among the parameters."""
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            several = value if isinstance(value, list | tuple) else (value,)
            for i, path in enumerate(() if info.exclude else several):
                if isinstance(path, Path):
                    label = name if path is value else f"{name}[{i}]"
                    yield from _files_of(label, path)

    def note_files(self) -> None:
        """Take down the state of all files whose content enters the fingerprint, to notice if one changes later."""
        if not self._files.all_noted:
            self._note(list(self.content_files()))
            self._files.all_noted = True

    def _note(self, files: Iterable[tuple[str, Path]]) -> None:
        for _, path in files:
            if path not in self._files.states:
                with suppress(OSError):  # whether it is there is asked by who opens it
                    self._files.states[path] = _state(path)

    def check_files(self) -> None:
        """Check that the files whose content enters the fingerprint are as they were before they were read.

        What was made of a file that changed meanwhile must not be kept under the digest of its content.

        Raises:
            UserError: one is not; it is named.
        """
        noted, here = self._files.states, set[Path]()
        if self._files.all_noted:
            here = {path for _, path in self._own_files()}
        for path in sorted({*noted, *here}):
            try:
                same = _state(path) == noted.get(path)
            except OSError:
                same = path not in noted
            if not same:
                raise UserError(f"{self.name}: {path} was changed after it was read: run again")

    def fingerprint(self, *seeds: int) -> str:
        """Return the digest of all that decides the output: name, version, parameters, files' content, seeds.

        Raises:
            UserError: a file-valued parameter cannot be read, or was changed after it was read.
        """
        self.note_files()
        self.check_files()
        parameters = self.parameters()
        contents = {}
        for label, path in self.content_files():
            parameters.pop(label.partition("[")[0], None)
            try:
                contents[label] = _content(path, _state(path))
            except OSError as error:
                raise UserError(f"{self.name}: {label}: {path} cannot be read ({error.strerror})") from None
        return digest(self.kind, self.name, self.version, parameters, contents, list(seeds))


def _files_of(label: str, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (label, path) of a file, or of every file in a folder."""
    if not path.is_dir():
        yield label, path
        return
    for file in sorted(path.iterdir()):
        if file.is_file():
            yield f"{label}[{file.name}]", file


def _state(path: Path) -> tuple[int, ...]:
    return stat_of(path)


@functools.lru_cache(maxsize=1024)
def _content(path: Path, state: tuple[int, ...]) -> str:
    return digest_file(path)


PLAIN_WORDS = {
    "tuple_type": "give a list",
    "dict_type": "give names with values: {name: value}",
    "float_parsing": "give a number",
    "int_parsing": "give a whole number",
}
"""What stands for pydantic's words, by the type of an error."""

SHOWN_CHARS = 200
"""More of a value is not shown in messages."""

T = TypeVar("T", bound=Component)


def build(cls: type[T], parameters: dict[str, Any], where: str) -> T:
    """Make a component from a mapping of parameters, turning pydantic's report into one line.

    Args:
        cls: the component's class.
        parameters: parameter name to value, as read from YAML or the command line.
        where: what the message names first (`step 'plain'`).

    Raises:
        UserError: an unknown or missing parameter, or a value that is not allowed.
    """
    try:
        made = cls(**parameters)
        made.note_files()
        return made
    except ValidationError as error:
        raise UserError(f"{where} ({cls.name}): {explain_validation(error, cls)}") from None


def explain_validation(error: ValidationError, cls: type[BaseModel]) -> str:
    """Return one line that names each wrong key and the remedy."""
    lines = []
    for item in error.errors():
        # A wrong key of a mapping is told as (mapping, key, "[key]").
        loc = item["loc"][:-2] if item["loc"][-1:] == ("[key]",) else item["loc"]
        key, value = ".".join(str(part) for part in loc), _shown(item.get("input"))
        said = PLAIN_WORDS.get(item["type"]) or " ".join(item["msg"].removeprefix("Value error, ").split())
        if item["type"] == "extra_forbidden":
            names = [info.alias or name for name, info in cls.model_fields.items()]
            known = f" (known: {', '.join(names) or 'none'})" if len(loc) == 1 else ""
            lines.append(f"unknown option {key!r}{known}{did_you_mean(str(loc[-1]), names if known else ())}")
        elif item["type"] == "missing" and isinstance(loc[-1], int):
            lines.append(f"{'.'.join(map(str, loc[:-1]))!r} = {value}: too few values")
        elif item["type"] == "missing":
            lines.append(f"option {key!r} is required")
        else:
            lines.append(f"{key!r} = {value}: {said}" if loc else said)
    return "; ".join(lines)


def distinct_names(values: Iterable[Any]) -> list[str]:
    """Return names as a validator is given them, before anything was checked.

    Raises:
        ValueError: one is no text, or appears twice.
    """
    names = list(values)
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"{_shown(name)} is not a name: use a list of names")
        if names.count(name) > 1:
            raise ValueError(f"{_shown(name)} appears twice: name it once")
    return names


def _shown(value: Any) -> str:
    """Return a value as it was given, cut where it is long: paths are no objects there."""
    if isinstance(value, list | tuple) and any(isinstance(part, Path) for part in value):
        value = [str(part) for part in value]
    text = repr(str(value) if isinstance(value, Path) else value)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 20]} … {text[-17:]}"


def named_values(annotation: Any) -> tuple[Any, ...]:
    """Return the values that a field's type lists by name: those of its `Literal`, alone or in a union."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in named_values(part))
