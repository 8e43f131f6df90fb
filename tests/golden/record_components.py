"""Write components.json: the version and the defaults of every reader, stage and table step.

    python tests/golden/record_components.py

Cached results hang on both, so a default may only change together with the version: where it does not, this script
refuses to write, as the test refuses to pass. A component that was never released may be recorded afresh: remove its
entry from components.json first.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined, to_jsonable_python

from face3d_data.registry import components

PATH = Path(__file__).with_name("components.json")


def current() -> dict[str, dict]:
    """Return `kind/name` to version and the defaults that enter the fingerprint."""
    found = {}
    for kind in ("reader", "stage", "table"):
        for name, cls in components(kind).items():
            if cls.__module__.startswith("face3d_data."):
                found[f"{kind}/{name}"] = {"version": cls.version, "defaults": defaults(cls)}
    return found


def defaults(cls) -> dict:
    """Return the defaults of the fields that enter the fingerprint; a required field has `<required>`."""
    values = {
        name: info.get_default(call_default_factory=True) for name, info in cls.model_fields.items() if not info.exclude
    }
    return {n: "<required>" if v is PydanticUndefined else to_jsonable_python(v) for n, v in values.items()}


def differences(recorded: dict[str, dict], now: dict[str, dict]) -> list[str]:
    """Return one line for every default that changed while the version did not."""
    lines = []
    for key in sorted(recorded.keys() & now.keys()):
        old, new = recorded[key], now[key]
        if old["version"] != new["version"] or old["defaults"] == new["defaults"]:
            continue
        for field in sorted(old["defaults"].keys() | new["defaults"].keys()):
            before, after = old["defaults"].get(field, "<absent>"), new["defaults"].get(field, "<absent>")
            if before != after:
                lines.append(f"{key}: {field} changed {before!r} -> {after!r}: raise its version {new['version']}")
    return lines


def main() -> int:
    """Write the file, or say what speaks against it."""
    recorded = json.loads(PATH.read_text()) if PATH.exists() else {}
    wrong = differences(recorded, current())
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    PATH.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
