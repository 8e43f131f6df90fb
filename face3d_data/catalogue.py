"""Catalogue of components: what the registries know of every kind, as JSON values."""

from __future__ import annotations

import dataclasses
import json
import textwrap
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from face3d_data.errors import UserError
from face3d_data.plurals import plural
from face3d_data.references import is_reference, load_reference
from face3d_data.registry import Adapt, Registry, hint, owner_of

_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
_NAMES = {int: "int", float: "float", str: "text", bool: "true/false", Path: "path", type(None): "null"}


class Catalogue:
    """What some registries know, looked up by kind and name.

    Args:
        registries: the registries.
        adapt: by kind, what makes a component of what a reference names.
    """

    def __init__(self, registries: Sequence[Registry], adapt: dict[str, Adapt] | None = None) -> None:
        self.kinds = {kind.name: kind for registry in registries for kind in registry.kinds.values()}
        self._registries = {kind: registry for registry in registries for kind in registry.kinds}
        self._adapt = adapt or {}

    def with_kinds_of(self, other: Catalogue) -> Catalogue:
        """Return a catalogue of the kinds of both."""
        registries = dict.fromkeys((*self._registries.values(), *other._registries.values()))
        return Catalogue(list(registries), {**self._adapt, **other._adapt})

    def broken_plugins(self) -> list[str]:
        """Return one line for each plugin that could not be loaded."""
        found = (line for registry in dict.fromkeys(self._registries.values()) for line in registry.broken_plugins())
        return list(dict.fromkeys(found))

    def entries(self, kinds: Iterable[str]) -> list[dict[str, Any]]:
        """Return a record of every component of some kinds (see `describe`)."""
        return [self._described(cls) for kind in kinds for cls in self._registries[kind].components(kind).values()]

    def entry(self, kinds: Sequence[str], name: str) -> dict[str, Any]:
        """Return the record of one component of some kinds.

        Raises:
            UserError: none of these kinds has that name.
        """
        if is_reference(name):
            kind = self._kind_of_reference(kinds, name)
            return self._described(self._registries[kind].find(kind, name, adapt=self._adapt.get(kind)))
        known = {kind: self._registries[kind].components(kind) for kind in kinds}
        for components in known.values():
            if name in components:
                return self._described(components[name])
        titles = " or ".join(self.kinds[kind].title for kind in kinds)
        names = sorted({name for components in known.values() for name in components})
        problem = f"no {titles} is named {name!r} ({hint(name, names)})"
        raise UserError("; ".join([problem, *self.broken_plugins()]))

    def _described(self, cls: type[Any]) -> dict[str, Any]:
        return {"title": self.kinds[cls.kind].title, **describe(cls)}

    def _kind_of_reference(self, kinds: Sequence[str], name: str) -> str:
        found = load_reference(name, f"{self.kinds[kinds[0]].title} {name}")
        return next((kind for kind in kinds if getattr(found, "kind", "") == kind), kinds[0])

    def kind(self, name: str) -> str:
        """Return the kind that a user names, by its name, its title or the plural of these.

        Raises:
            UserError: there is none.
        """
        found = self._kind(name)
        if found is None:
            raise UserError(f"there is no kind of component {name!r} ({hint(name, list(self.kinds))})")
        return found

    def has(self, name: str) -> bool:
        """Return whether it has a kind that a user names."""
        return self._kind(name) is not None

    def _kind(self, name: str) -> str | None:
        wanted = name.lower().replace("-", " ").replace("_", " ")
        for kind in self.kinds.values():
            if wanted in {form for word in (kind.name, kind.title) for form in (word, plural(word))}:
                return kind.name
        return None

    def counts(self) -> list[dict[str, Any]]:
        """Return a record of each kind: its name, what it is for, and how many components it has."""
        return [
            {
                "kind": kind.name,
                "title": kind.title,
                "does": kind.does,
                "components": len(self._registries[kind.name].components(kind.name)),
            }
            for kind in self.kinds.values()
        ]


def describe(cls: type[Any]) -> dict[str, Any]:
    """Return what is known of a component, as JSON values; a network is built without memory to be counted."""
    first, _, rest = (cls.__doc__ or "").strip().partition("\n")
    entry = {
        "name": cls.name,
        "kind": cls.kind,
        "package": owner_of(cls),
        "does": first.strip(),
        "more": textwrap.dedent(rest).strip(),
        "parameters": [parameter(cls, name) for name in cls.model_fields],
    }
    if hasattr(cls, "version"):
        entry["version"] = cls.version
    if cls.kind in ("reader", "stage", "table"):
        entry |= {
            "inputs": _groups(getattr(cls, "inputs", ())),
            "optional": list(getattr(cls, "optional", ())),
            "outputs": list(getattr(cls, "outputs", ())),
            "tags": list(getattr(cls, "tag_names", ())),
            "reasons": dict(cls.reasons),
        }
    if cls.kind == "stage":
        draws = getattr(cls, "random", False)
        entry["frame"] = getattr(cls, "frame", "")
        entry["draws"] = draws if isinstance(draws, bool) else "with some parameters"
    elif cls.kind == "augmentation":
        entry |= {"inputs": [list(cls.needs)], "optional": list(cls.reads), "outputs": list(cls.acts_on)}
        entry["tags"] = [f"aug_{name}" for name in cls.draws]
    elif cls.kind == "occluder":
        entry["values"] = _drawn(cls.draws)
    elif cls.kind == "model":
        entry["takes"] = cls.inputs
        if not any(info.is_required() for info in cls.model_fields.values()):
            # A class that derives from a network here has inherited the number of another network.
            entry["weights"] = vars(cls).get("default_weights") or cls().count_weights()
    return entry


def _drawn(draws: type[Any]) -> list[dict[str, str]]:
    """Return the fields of a drawn occluder with what its docstring says of each."""
    text = " ".join((draws.__doc__ or "").split())
    names = [field.name for field in dataclasses.fields(draws)]
    found = []
    for name, following in zip(names, [*names[1:], ""], strict=True):
        said = text.partition(f" {name}: ")[2].partition(f" {following}: " if following else "\0")[0]
        found.append({"name": name, "description": said})
    return found


def _groups(inputs: Sequence[str | tuple[str, ...]]) -> list[list[str]]:
    """Return the complete alternative groups of required arrays."""
    plain = [name for name in inputs if isinstance(name, str)]
    return [[*plain, *group] for group in inputs if not isinstance(group, str)] or [plain]


def parameter(cls: type[BaseModel], name: str) -> dict[str, Any]:
    """Return what is known of one field, as JSON values."""
    info = cls.model_fields[name]
    limits = [
        f"{sign} {getattr(item, key):g}" for item in info.metadata for key, sign in _SIGNS.items() if hasattr(item, key)
    ]
    required = info.is_required()
    default = None if required else info.get_default(call_default_factory=True)
    return {
        "name": name,
        "type": " ".join([type_text(info.annotation), *limits]),
        "required": required,
        "default": None if required else json.loads(json.dumps(default, default=str)),
        "in_fingerprint": not info.exclude,
        "description": info.description or "",
    }


def type_text(annotation: Any) -> str:
    """Return a type as a user writes its values: `int`, `box or similarity`, `float, float`."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(str(value) for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(part) for part in inner)
    if origin is typing.Annotated:
        return type_text(inner[0])
    if origin in (tuple, list, set, frozenset):
        return ", ".join("…" if part is Ellipsis else type_text(part) for part in inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ", ".join(f"{name}: {type_text(info.annotation)}" for name, info in annotation.model_fields.items())
    if origin is dict:
        return f"{type_text(inner[0])}: {type_text(inner[1])}"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))
