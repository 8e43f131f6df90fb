"""Tables of docs/reference/overview.md, written from the registry and the commands: python docs/generate/tables.py."""

from __future__ import annotations

import re
from pathlib import Path

from face3d_data.cli.main import face3d
from face3d_data.registry import components

PAGE = Path(__file__).resolve().parents[1] / "reference" / "overview.md"
KINDS = {"reader": "reader", "stage": "stage", "table": "table step"}


def component_rows() -> list[str]:
    """Return the table of the package's own components, a row each."""
    rows = ["| kind | name | what it does |", "|---|---|---|"]
    for kind, word in KINDS.items():
        for name, cls in components(kind).items():
            if cls.__module__.startswith("face3d_data."):
                rows.append(f"| {word} | `{name}` | {(cls.__doc__ or '').strip().splitlines()[0]} |")
    return rows


def command_rows() -> list[str]:
    """Return the table of commands, each with the first paragraph of its help."""
    rows = ["| command | what it does |", "|---|---|"]
    for name in face3d.list_commands(None):
        text = " ".join((face3d.get_command(None, name).help or "").split("\n\n")[0].split())
        rows.append(f"| `face3d {name}` | {text} |")
    return rows


def written(page: str) -> str:
    """Return the page with both tables as the program has them."""
    for name, rows in (("components", component_rows()), ("commands", command_rows())):
        table = "\n".join(rows).replace("\\", r"\\")
        page = re.sub(rf"(<!-- {name}\b.*?-->\n).*?(<!-- /{name} -->)", rf"\g<1>{table}\n\2", page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
