"""Lower bounds of pyproject.toml as pins for pip: `python tests/oldest/lower_bounds.py train test > pins.txt`.

The arguments are extras. What an extra of development asks for is no bound of the package: it keeps the pin of
constraints.txt, and so does torch, of which the index may offer one release only.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PINNED_EXTRAS = ("test", "dev", "docs")
PINNED = ("torch",)
LOWER = (">=", "==", "~=")


def lower_bound(text: str) -> tuple[str, str] | None:
    """Return the name and the lowest release of a requirement, or nothing where it is not for this machine.

    Raises:
        ValueError: it has no lower bound, or several.
    """
    requirement = Requirement(text)
    if requirement.marker and not requirement.marker.evaluate():
        return None
    bounds = [part.version for part in requirement.specifier if part.operator in LOWER]
    if len(bounds) != 1:
        raise ValueError(f"{text!r} has {len(bounds)} lower bounds: give one")
    return requirement.name, bounds[0]


def pins_of(constraints: str) -> dict[str, str]:
    """Return the releases that constraints.txt pins, by name."""
    lines = [line.split("==") for line in constraints.splitlines() if line and not line.startswith("#")]
    return {name.lower(): release for name, release in lines}


def lower_bounds(project: dict, pins: dict[str, str], extras: tuple[str, ...]) -> list[str]:
    """Return one `name==release` a dependency of the package and of some extras.

    Raises:
        ValueError: a dependency has no lower bound.
        KeyError: there is no such extra, or constraints.txt lacks a pin.
    """
    groups = [("", project["dependencies"]), *((extra, project["optional-dependencies"][extra]) for extra in extras)]
    lines = []
    for extra, requirements in groups:
        for name, release in filter(None, map(lower_bound, requirements)):
            pinned = extra in PINNED_EXTRAS or name in PINNED
            lines.append(f"{name}=={pins[name.lower()] if pinned else release}")
    return lines


def main() -> None:
    """Print the pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = pins_of((ROOT / "constraints.txt").read_text("utf-8"))
    print("\n".join(lower_bounds(project, pins, tuple(sys.argv[1:]))))


if __name__ == "__main__":
    main()
