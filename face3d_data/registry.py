"""Where components register, and where they are found by kind and name."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import logging
import pkgutil
from importlib.metadata import entry_points
from typing import TypeVar

from face3d_data.component import Component
from face3d_data.errors import UserError

ENTRY_POINTS = "face3d_data.components"
BUILTIN_PACKAGES = ("face3d_data.readers", "face3d_data.stages", "face3d_data.tables")

C = TypeVar("C", bound=type[Component])
_components: dict[tuple[str, str], type[Component]] = {}
_broken: list[str] = []
log = logging.getLogger("face3d_data")


def register(cls: C) -> C:
    """Class decorator: make a reader, stage or table step known under its kind and name.

    Raises:
        ValueError: the class has no name, or another class has it already.
    """
    if not cls.name or not cls.kind:
        raise ValueError(f"{cls.__name__} needs a name and a kind (derive from Reader, Stage or TableStep)")
    known = _components.get((cls.kind, cls.name))
    same = known is not None and (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
    if known is not None and not same:
        raise ValueError(f"two {cls.kind}s are named {cls.name!r}: {known.__module__} and {cls.__module__}")
    _components[cls.kind, cls.name] = cls
    return cls


@functools.cache
def _load_all() -> None:
    for package_name in BUILTIN_PACKAGES:
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package_name}.{module.name}")
    _broken.extend(load_plugins(ENTRY_POINTS))


def load_plugins(group: str) -> list[str]:
    """Import every plugin of an entry point group, which registers it; warn of each that cannot be loaded.

    Returns:
        A line for each of these.
    """
    broken = []
    for entry in entry_points(group=group):
        try:
            entry.load()
        except (Exception, SystemExit) as error:  # whatever a plugin's import may raise
            owner = entry.dist.name if entry.dist else "?"
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            broken.append(f"plugin {entry.value} of package {owner} cannot be loaded ({text}): mend or uninstall it")
            log.warning(broken[-1])
    return broken


def broken_plugins() -> list[str]:
    """Return one line for each plugin that could not be loaded."""
    _load_all()
    return list(_broken)


def _load_one(kind: str, name: str) -> None:
    """Import the module that bears a component's name, so that naming one stage does not import them all."""
    module = f"face3d_data.{kind}s.{name}"
    if name.isidentifier() and importlib.util.find_spec(module) is not None:
        importlib.import_module(module)


def components(kind: str) -> dict[str, type[Component]]:
    """Return every registered component of a kind (`reader`, `stage`, `table`), by name, sorted."""
    _load_all()
    return {name: cls for (k, name), cls in sorted(_components.items()) if k == kind}


def find(kind: str, name: str, where: str = "") -> type[Component]:
    """Return the component class of that kind and name.

    Raises:
        UserError: no such component; the message lists what there is.
    """
    _load_one(kind, name)
    if (kind, name) in _components:
        return _components[kind, name]
    known = components(kind)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        broken = "".join(f"; {line}" for line in _broken)
        raise UserError(f"{where + ': ' if where else ''}no {kind} is named {name!r} ({hint}){broken}")
    return known[name]
