"""Preparation of two datasets compared: that faces were put in place as those were that a network learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face3d_data.digest import canonical
from face3d_data.json_text import parse_json

PLACING = ("align_3d", "crop")
"""Stages that decide where a face lies in its points, maps or images."""


def differences_in_place(learnt: str | None, there: Mapping[str, Any] | None, dataset: str, network: str) -> list[str]:
    """Return a line for each stage by which faces were put in place otherwise than those that a network learnt from.

    Args:
        learnt: the preparation that its checkpoint keeps, as JSON; None or empty: not known.
        there: that of a dataset; None or empty: not known.
        dataset: what messages call it.
        network: what messages call the network.
    """
    before = parse_json(learnt) if learnt else {}
    if not before.get("ways") or not (there or {}).get("ways"):
        return []
    lines = []
    for stage in PLACING:
        old, new = _options(before, stage), _options(there or {}, stage)
        if not old or old.keys() & new.keys():
            continue
        was, now = next(iter(old.values())), next(iter(new.values()), None)
        if now is None:
            lines.append(
                f"dataset {dataset}: was made without {stage}, which placed the faces that {network} learnt from"
            )
            continue
        keys = [key for key in was if was.get(key) != now.get(key)]
        shown = ", ".join(f"{key} is {now.get(key)} and was {was.get(key)}" for key in keys)
        lines.append(f"dataset {dataset}: {stage} placed its faces unlike those that {network} learnt from ({shown})")
    return lines


def _options(record: Mapping[str, Any], stage: str) -> dict[str, Mapping[str, Any]]:
    """Return the options of a stage in each way, each once, by their text."""
    found = (entry["with"] for way in record["ways"] for entry in way if entry["stage"] == stage)
    return {canonical(options): options for options in found}
