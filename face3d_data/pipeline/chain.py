"""Chains: a pipeline written as the commands of one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face3d_data.errors import UserError

Fragment = tuple[str, dict[str, Any]]
"""What one command of a chain stands for: source, step or dataset, and what its YAML would hold."""


def assemble(fragments: Sequence[Fragment]) -> dict[str, Any]:
    """Return the mapping that a YAML file would hold, each step fed by the one before it unless it says otherwise.

    Raises:
        UserError: the chain does not begin with `read`.
    """
    if not fragments or fragments[0][0] != "source" or any(kind == "source" for kind, _ in fragments[1:]):
        raise UserError("chain: begin with one source: face3d chain read READER --root DIR …")
    source = dict(fragments[0][1])
    last = source.pop("step_id")
    raw: dict[str, Any] = {"sources": {last: source}, "steps": [], "datasets": {}}
    for kind, fragment in fragments[1:]:
        if kind == "step":
            step = {key: value for key, value in fragment.items() if value is not None and value != {}}
            step["id"] = fragment["id"] or _free_id(raw, fragment.get("stage") or fragment["table"])
            step["from"] = fragment["from"] or last
            raw["steps"].append(step)
            last = step["id"]
        else:
            options = {key: value for key, value in fragment.items() if key != "name"}
            raw["datasets"][fragment["name"]] = {"from": last, **options}
    return raw


def _free_id(raw: dict[str, Any], name: str) -> str:
    taken = {*raw["sources"], *(step["id"] for step in raw["steps"])}
    candidates = (name, *(f"{name}{i}" for i in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)
