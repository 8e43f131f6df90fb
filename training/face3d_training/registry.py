"""Where models and losses register, and where they are found by name; options are a spec's fields, as stages' are."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from face3d_data.component import did_you_mean, explain_validation
from face3d_data.errors import UserError
from face3d_data.registry import load_plugins

ENTRY_POINTS = "face3d_training.components"
PACKAGES = ("face3d_training.models", "face3d_training.losses")


class Spec(BaseModel):
    """A model or a loss by its options: a frozen pydantic model whose fields are the options.

    Attributes:
        kind: `model` or `loss`.
        name: what configs call it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""


S = TypeVar("S", bound=type[Spec])
_specs: dict[tuple[str, str], type[Spec]] = {}


def register(cls: S) -> S:
    """Class decorator: make a model or loss known under its kind and name.

    Raises:
        ValueError: it has no name or kind, or another class has its name.
    """
    if not cls.name or not cls.kind:
        raise ValueError(f"{cls.__name__} needs a name and a kind (derive from ModelSpec or LossSpec)")
    known = _specs.get((cls.kind, cls.name))
    if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"two {cls.kind}s are named {cls.name!r}: {known.__module__} and {cls.__module__}")
    _specs[cls.kind, cls.name] = cls
    return cls


@functools.cache
def _load_all() -> None:
    for package_name in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package_name).__path__):
            importlib.import_module(f"{package_name}.{module.name}")
    load_plugins(ENTRY_POINTS)


def specs(kind: str) -> dict[str, type[Spec]]:
    """Return every registered spec of a kind (`model`, `loss`), by name, sorted; imports torch."""
    _load_all()
    return {name: cls for (k, name), cls in sorted(_specs.items()) if k == kind}


def make_spec(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Return the spec of that kind and name with these options.

    Raises:
        UserError: no such name, an unknown option, or a value that is not allowed.
    """
    known = specs(kind)
    if name not in known:
        raise UserError(f"no {kind} is named {name!r} (known: {', '.join(known)}){did_you_mean(name, known)}")
    try:
        return known[name](**options)
    except ValidationError as error:
        raise UserError(f"{kind} {name}: {explain_validation(error, known[name])}") from None
