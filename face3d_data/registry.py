"""Registry of components: all kinds of extension register here and are found by kind and name."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import logging
import os
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import Any, TypeVar

from face3d_data.errors import UserError
from face3d_data.references import is_reference, load_reference, search_here

ENTRY_POINTS = "face3d_data.components"
PLUGINS = "FACE3D_PLUGINS"
"""Environment variable: modules here or on PYTHONPATH that are imported as plugins, before they are installed."""

C = TypeVar("C", bound=type[Any])
Adapt = Callable[[Any, str], "type[Any] | None"]
"""Makes a component's class of what a reference (`my_package:my_function`) names; None of what it cannot be made of."""
log = logging.getLogger("face3d_data")


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    Attributes:
        name: as classes declare it (`kind = "stage"`).
        title: what people call one of them.
        does: what it is for, in one line.
        package: where the modules lie that register the shipped ones.
        modules: those of its modules that do; all if empty.
    """

    name: str
    title: str
    does: str
    package: str
    modules: tuple[str, ...] = ()


class Registry:
    """Components of some kinds, by kind and name: shipped, of installed packages, and by reference.

    Args:
        kinds: the kinds that it holds.
        group: entry point group whose modules register the components of other packages on import.
    """

    def __init__(self, kinds: Sequence[Kind], group: str) -> None:
        self.kinds = {kind.name: kind for kind in kinds}
        self.group = group
        self._known: dict[tuple[str, str], type[Any]] = {}
        self._broken: list[str] = []
        self._complete = False

    def register(self, cls: C) -> C:
        """Class decorator: make a component known under its kind and name.

        Raises:
            ValueError: the class has no name or kind, or another class has its name.
        """
        kind = self.kinds.get(getattr(cls, "kind", ""))
        if kind is None or not getattr(cls, "name", ""):
            raise ValueError(f"{cls.__name__} needs a name and a kind ({', '.join(self.kinds)}): derive from its base")
        known = self._known.get((kind.name, cls.name))
        same = known is not None and (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
        if known is not None and not same:
            raise ValueError(f"two {kind.title}s are named {cls.name!r}: {known.__module__} and {cls.__module__}")
        self._known[kind.name, cls.name] = cls
        return cls

    def components(self, kind: str) -> dict[str, type[Any]]:
        """Return every registered component of a kind, by name, sorted."""
        self._load_all()
        return {name: cls for (k, name), cls in sorted(self._known.items()) if k == kind}

    def find(self, kind: str, name: str, where: str = "", adapt: Adapt | None = None) -> type[Any]:
        """Return the component class of that kind and name.

        Args:
            kind: the kind.
            name: a registered name, or a reference `module:Name` to one in a module that can be imported from here.
            where: what messages name first (`step 'plain'`).
            adapt: makes a component of an object that a reference names and that is not one.

        Raises:
            UserError: no such component; the message lists what there is.
        """
        if is_reference(name):
            return self._referenced(kind, name, where, adapt)
        self._load_one(kind, name)
        if (kind, name) in self._known:
            return self._known[kind, name]
        known = self.components(kind)
        if name not in known:
            title = self.kinds[kind].title
            broken = "".join(f"; {line}" for line in self._broken)
            raise UserError(f"{_before(where)}there is no {title} {name!r} ({hint(name, known)}){broken}")
        return known[name]

    def shipped(self, kind: str, name: str) -> bool:
        """Return whether a component of that name comes with this program; its module alone is imported."""
        self._load_one(kind, name)
        if (kind, name) not in self._known:
            self._load_all()
        return owner_of(self._known.get((kind, name))) == ""

    def broken_plugins(self) -> list[str]:
        """Return one line for each plugin that could not be loaded."""
        self._load_all()
        return list(self._broken)

    def forget_plugins(self) -> None:
        """Look for the plugins of installed packages again when they are next asked for."""
        self._complete = False

    def _load_all(self) -> None:
        if self._complete:
            return
        for kind in self.kinds.values():  # shipped names first: a plugin cannot take them
            path = importlib.import_module(kind.package).__path__
            for name in kind.modules or [module.name for module in pkgutil.iter_modules(path)]:
                importlib.import_module(f"{kind.package}.{name}")
        self._broken = load_plugins(self.group)
        self._complete = True

    def _load_one(self, kind: str, name: str) -> None:
        """Import the module that bears a component's name, so that naming one stage does not import them all."""
        module = f"{self.kinds[kind].package}.{name}"
        if name.isidentifier() and importlib.util.find_spec(module) is not None:
            importlib.import_module(module)

    def _referenced(self, kind: str, reference: str, where: str, adapt: Adapt | None) -> type[Any]:
        title = self.kinds[kind].title
        found = load_reference(reference, f"{_before(where)}{title} {reference}")
        if isinstance(found, type) and getattr(found, "kind", None) == kind:
            if not getattr(found, "name", ""):
                raise UserError(f'{_before(where)}{title} {reference}: has no name: write name = "…" in the class')
            return found
        made = adapt(found, reference) if adapt is not None else None
        if made is None:
            what = getattr(found, "kind", "") or ("class" if isinstance(found, type) else type(found).__name__)
            article = "an" if what[0] in "aeio" else "a"
            raise UserError(
                f"{_before(where)}{title} {reference}: is {article} {what}, not a {title}: see docs/extend/{kind}.md"
            )
        return made


def load_plugins(group: str) -> list[str]:
    """Import every plugin of an entry point group, which registers it, and every module that `FACE3D_PLUGINS` names.

    Returns:
        A line for each that cannot be loaded, which is said as a warning too.
    """
    modules = os.environ.get(PLUGINS, "").replace(",", " ").split()
    if modules:
        search_here(os.getcwd())
    own: list[tuple[str, Callable[[], object], str]] = [
        (f"{name} of {PLUGINS}", partial(importlib.import_module, name), "fix it, or leave it out") for name in modules
    ]
    installed: list[tuple[str, Callable[[], object], str]] = [
        (f"{entry.value} of package {entry.dist.name if entry.dist else '?'}", entry.load, "fix or uninstall it")
        for entry in entry_points(group=group)
    ]
    return [line for plugin in (*installed, *own) if (line := _load(*plugin))]


def _load(what: str, load: Callable[[], object], remedy: str) -> str:
    """Load a plugin; return nothing, or the line that says why it cannot be."""
    try:
        load()
    except (Exception, SystemExit) as error:  # whatever a plugin's import may raise
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        line = f"plugin {what} cannot be loaded ({text}): {remedy}"
        log.warning(line)
        return line
    return ""


def hint(name: str, known: Sequence[str] | dict[str, Any]) -> str:
    """Return what helps where a name is not known: the nearest that is, else all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def owner_of(cls: type[Any] | None) -> str:
    """Return the package that a component comes from; empty for those of this program."""
    top = cls.__module__.partition(".")[0] if cls is not None else "?"
    return "" if top in ("face3d_data", "face3d_training") else top


def _before(where: str) -> str:
    return f"{where}: " if where else ""


COMPONENTS = Registry(
    (
        Kind(
            "reader",
            "reader",
            "captures on disk to samples",
            "face3d_data.readers",
        ),
        Kind("stage", "stage", "a sample to samples, in a worker", "face3d_data.stages"),
        Kind("table", "table step", "a whole table of samples to another", "face3d_data.tables"),
        Kind(
            "augmentation",
            "augmentation",
            "a change of a capture, in augment and training",
            "face3d_data.augment",
        ),
        Kind("occluder", "occluder", "something before a face, in stage occlude", "face3d_data.wear.occluders"),
        Kind(
            "detector",
            "detector",
            "faces in a picture, in stage detect",
            "face3d_data.detectors",
            ("facemesh", "mtcnn"),
        ),
    ),
    ENTRY_POINTS,
)
"""The kinds of component that make datasets; networks and losses are in `face3d_training.registry`."""
register, components, find = COMPONENTS.register, COMPONENTS.components, COMPONENTS.find


def broken_plugins() -> list[str]:
    """Return one line for each plugin that could not be loaded."""
    return COMPONENTS.broken_plugins()
