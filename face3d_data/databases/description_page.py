"""Page of a database's description: lines of text for a terminal."""

from __future__ import annotations

from face3d_data.catalogue_page import row_lines
from face3d_data.databases.description import Database


def description_lines(database: Database, width: int) -> list[str]:
    """Return a database's description as lines, wrapped to `width`, after an empty one."""
    numbers = {"people": database.people, "captures": database.captures}
    facts = [
        ("what", database.what),
        ("has", ", ".join(database.modalities)),
        ("numbers", ", ".join(f"{n:,} {what}" for what, n in numbers.items() if n is not None)),
        ("counts", ", ".join(f"{category} {n:,}" for category, n in database.counts.items())),
        ("protocol", database.protocol or ""),
        ("ask", database.ask),
        ("cite", database.citation),
        ("notes", database.notes),
    ]
    given = [(name, " ".join(text.split())) for name, text in facts if text.strip()]
    return ["", f"database: {database.name}", *row_lines(given, width, 2)]
