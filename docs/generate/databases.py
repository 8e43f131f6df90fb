"""The page on which database to get, made from manifests/datasets: what each holds, and whose terms to ask for."""

from __future__ import annotations

from pages_text import cell, names, prose

from face3d_data.databases.description import Database, databases

HEAD = """# Which database to get

Databases of faces are given out by the groups that recorded them, each under its own terms; most want an agreement
signed by a permanent member of your institution, and none may be passed on. `face3d_data` brings none of them: it reads
your copy. Once you have one, `face3d readers --check READER FOLDER` says what is missing, before anything runs.

Numbers are those published; what is unconfirmed is marked. Terms change: the licence that you are sent is what holds.

"""


def page() -> str:
    """Return the page: a table of all databases, then each with its terms, protocol and citation."""
    known = databases()
    lines = [HEAD, "| database | holds | people | captures | reader |", "|---|---|---|---|---|"]
    for name, database in known.items():
        numbers = f"{number(database.people)} | {number(database.captures)}"
        lines.append(
            f"| [{cell(database.name)}](#{name}) | {cell(', '.join(database.modalities))} | {numbers} "
            f"| [`{database.reader}`](../reference/readers.md#{database.reader}) |"
        )
    for name, database in known.items():
        lines += ["", f"## {database.name} {{ #{name} }}", "", *entry(database)]
    return "\n".join(lines) + "\n"


def entry(database: Database) -> list[str]:
    """Return the part of the page on one database."""
    facts = [
        ("Licence", prose(database.ask)),
        ("Read by", names([database.reader])),
        ("Published protocol", prose(database.protocol or "none known")),
        ("Cite", prose(database.citation)),
        ("Notes", prose(database.notes)),
    ]
    listed = [f"- **{title}**: {' '.join(text.split())}" for title, text in facts if text.strip()]
    return [prose(database.what), "", *listed]


def number(value: int | None) -> str:
    """Return a number of people or captures, or that none was published."""
    return "–" if value is None else f"{value:,}"
