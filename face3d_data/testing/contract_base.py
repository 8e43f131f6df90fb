"""Base of the contract checks: what all kinds of component share, and how a violation is reported."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np

from face3d_data.component import Component
from face3d_data.errors import ContractError

_SLUG = re.compile(r"[a-z][a-z0-9_]*\Z")


def need(holds: bool, component: Any, message: str) -> None:
    """Check one rule.

    Raises:
        ContractError: it does not hold; the message names the component and the breach.
    """
    if not holds:
        raise ContractError(f"{component.kind} {component.name!r}: {message}")


def check_texts(component: Any) -> None:
    """Check what users see of a component of any kind: name, version, docstring, and a text for each option.

    Raises:
        ContractError: naming the component and what it breaks.
    """
    cls = type(component)
    need(bool(_SLUG.match(cls.name)), cls, f"the name {cls.name!r} is not lower_case")
    version = getattr(cls, "version", 1)
    need(isinstance(version, int) and version >= 1, cls, f"version {version!r} is not a whole number from 1 up")
    need("__doc__" in vars(cls) and bool((cls.__doc__ or "").strip()), cls, "no docstring: its first line is the help")
    for name, info in cls.model_fields.items():
        need(bool(info.description), cls, f"field {name!r} has no description")
    try:
        copy = pickled(component)
    except (AttributeError, pickle.PicklingError) as error:
        need(False, cls, f"workers cannot be given it ({error}): define its class at the top of a module")
    need(copy == component, cls, "a pickled copy is another one")


def check_component(component: Component) -> None:
    """Check what readers, stages and table steps share: texts, names of reasons, pickling, a stable fingerprint.

    Raises:
        ContractError: naming the component and what it breaks.
    """
    cls = type(component)
    check_texts(component)
    for slug, text in cls.reasons.items():
        need(bool(_SLUG.match(slug)) and bool(text), cls, f"reason {slug!r} is not a lower_case slug with a text")
    need(pickled(component).fingerprint() == component.fingerprint(), cls, "pickling changes its fingerprint")


def same_bytes(one: np.ndarray, two: np.ndarray | None) -> bool:
    """Return whether two arrays are the same, bit for bit."""
    return two is not None and one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def pickled(value: Any) -> Any:
    """Return a copy as a worker process gets it."""
    return pickle.loads(pickle.dumps(value))
