"""Base of the contract checks: texts, gradients, and the report of a breach."""

from __future__ import annotations

import re

import torch

from face3d_data.references import is_reference
from face3d_data.testing.contract_base import need
from face3d_training.registry import Spec

_SLUG = re.compile(r"[a-z][a-z0-9_]*\Z")


def check_texts(spec: Spec) -> None:
    """Check what users see: name, docstring, and a text for each option.

    Raises:
        ContractError: naming the component and what it breaks.
    """
    cls = type(spec)
    need(is_reference(cls.name) or bool(_SLUG.match(cls.name)), spec, f"the name {cls.name!r} is not lower_case")
    need("__doc__" in vars(cls) and bool((cls.__doc__ or "").strip()), spec, "no docstring: its first line is the help")
    for name, info in cls.model_fields.items():
        need(bool(info.description), spec, f"field {name!r} has no description")


def learns(gradient: torch.Tensor | None) -> bool:
    """Return whether a gradient is there, finite and not zero."""
    return gradient is not None and bool(torch.isfinite(gradient).all()) and bool(gradient.abs().sum() > 0)


def generator(seed: int) -> torch.Generator:
    """Return a generator of its own, so that a check draws from nobody else's."""
    return torch.Generator().manual_seed(seed)
