"""Explanation of why a step will run: its lock of the last complete run compared with its present state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face3d_data.plurals import counted


def why(
    now: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    todo: int,
    inputs: int,
    forced: bool,
    settled: bool = False,
) -> str:
    """Return one line with the reason why a step will run, or that it is up to date.

    Args:
        now: the step's record as the lock would hold it.
        before: its record in the last complete run's lock, None if there is none.
        todo: inputs without a settled result.
        inputs: all inputs that are known now.
        forced: asked for by name.
        settled: there are results of all inputs, but not their arrays, which a later step needs.
    """
    if forced:
        return f"forced: {counted(inputs, 'input')} again"
    changes = differences(now, before) if before is not None else []
    if not todo:
        told = f" (changed, but done before: {'; '.join(changes)})" if changes else ""
        return f"up to date: {counted(inputs, 'input')} done{told}"
    if settled:
        return f"arrays to be made again for a step after it (not stored: `keep: true` stores them): {todo} of {inputs}"
    if before is None:
        return f"first run: {counted(todo, 'input')}"
    if changes:
        return f"{'; '.join(changes)}: {todo} of {inputs} inputs"
    return f"{todo} new inputs of {inputs}"


def differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Return what differs between two records of a step, one phrase each."""
    found = []
    if now["name"] != before["name"]:
        return [f"{before['name']} became {now['name']}"]
    if now["version"] != before["version"]:
        found.append(f"version of {now['name']} changed {before['version']} → {now['version']}")
    old, new = before["parameters"], now["parameters"]
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            found.append(f"parameter {name} changed {old.get(name)!r} → {new.get(name)!r}")
    if now.get("seeds") != before.get("seeds"):
        found.append(f"seed changed {before.get('seeds')} → {now.get('seeds')}")
    if not found and now["fingerprint"] != before["fingerprint"]:
        found.append("the content of a file that it reads changed")
    return found


def package_differences(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """Return the libraries whose version differs; they re-run nothing, but may explain a difference."""
    return [
        f"{name} {before.get(name, 'absent')} → {now.get(name, 'absent')}"
        for name in sorted({*now, *before})
        if now.get(name) != before.get(name)
    ]
