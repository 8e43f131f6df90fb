"""Folder of a clean-up: findings as CSV and JSON, lists for table steps, the sheet; complete or absent."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from face3d_data.atomic import atomic_folder
from face3d_data.csv_cells import guarded
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_data.tables.split import person_of
from face3d_training.cleanup.findings import Cleanup, Finding

FINDINGS, BLOCK_LIST, SAME_PERSON, RECORD, SHEET = (
    "cleanup.csv",
    "block.csv",
    "same_person.csv",
    "cleanup.json",
    "cleanup.html",
)
MARK = "face3d_cleanup"
"""Key of the JSON by which a folder is known to be a clean-up's."""
COLUMNS = (*("reason", "id", "person", "similarity", "like", "like_similarity", "blocked", "detail", "file_path"),)


def write_cleanup(folder: str | Path, cleanup: Cleanup, sheet: str) -> list[str]:
    """Write the folder of a clean-up, completely or not at all; a clean-up that was there is replaced.

    `block.csv` (for the option `block` of `select`) and `same_person.csv` (for `combine`) are left out where they
    would list nobody.

    Args:
        folder: the folder.
        cleanup: the findings.
        sheet: HTML.

    Returns:
        Names of the files that were written.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    folder = Path(folder)
    check_replaceable(folder)
    record = json.dumps(record_of(cleanup), indent=1, ensure_ascii=False, allow_nan=False)
    texts = {
        FINDINGS: _csv(COLUMNS, map(list, _rows(cleanup))),
        RECORD: f"{record}\n",
        SHEET: sheet,
    }
    if blocked := cleanup.blocked:
        texts[BLOCK_LIST] = _csv(["sample_id"], ([one] for one in blocked))
    if pairs := [one for one in cleanup.findings if one.reason == "same_person"]:
        lines = ([person_of(one.person), person_of(one.like), _number(one.similarity)] for one in pairs)
        texts[SAME_PERSON] = _csv(["identity", "same_as", "similarity"], lines)
    try:
        with atomic_folder(folder.absolute()) as partial:
            for name, text in texts.items():
                (partial / name).write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror or error}): use another folder") from None
    return list(texts)


def check_replaceable(folder: str | Path) -> None:
    """Check, before any work, that a clean-up can be written into a folder: nothing else is there.

    Raises:
        UserError: it contains something other than a clean-up.
    """
    folder = Path(folder)
    if not folder.exists() or (folder.is_dir() and (not any(folder.iterdir()) or _is_ours(folder / RECORD))):
        return
    raise UserError(f"--out {folder}: contains something other than a clean-up: use a folder that does not exist yet")


def _is_ours(record: Path) -> bool:
    try:
        found = parse_json(record.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and MARK in found


def record_of(cleanup: Cleanup) -> dict[str, Any]:
    """Return a clean-up as JSON values: settings, counts, findings and what was looked at."""
    return {
        MARK: 1,
        "settings": asdict(cleanup.rule),
        "samples": len(cleanup.faces),
        "people": len(cleanup.clusters),
        "counts": cleanup.counts(),
        "findings": [
            {
                name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in asdict(one).items()
            }
            for one in cleanup.findings
        ],
        "about": cleanup.faces.facts,
    }


def _rows(cleanup: Cleanup) -> Iterable[Sequence[str]]:
    files = dict(zip(cleanup.faces.ids, cleanup.faces.files, strict=True))
    for one in cleanup.findings:
        yield [guarded(cell) for cell in _cells(one, files.get(one.id, ""))]


def _cells(one: Finding, file: str) -> list[str]:
    numbers = _number(one.similarity), _number(one.like_similarity)
    return [
        *(one.reason, one.id, one.person, numbers[0], one.like, numbers[1]),
        *("yes" if one.blocked else "no", one.detail, file),
    ]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
