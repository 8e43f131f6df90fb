"""Dataset card of Hugging Face: README.md with the YAML that names splits and features, and what is in the rows."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from face3d_data.shards.export.columns import ExportColumns
from face3d_data.shards.export.croissant import PublishedFile, description_of
from face3d_data.shards.export.form import ExportRows
from face3d_data.shards.export.sharing import SharingTerms
from face3d_data.shards.schema import ONLY_SPLIT

CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""Hugging Face's names of sizes, by the number of rows that each is below."""
LARGEST = "1M<n<10M"
OPENED_AS = {ONLY_SPLIT: "train"}
"""Splits whose names `datasets` reserves, to those that it opens them as: `all` is the union of all splits there."""
UNITS = {"points": "mm", "depth": "mm, 0 = no reading", "vertices": "mm", "landmarks_3d": "mm", "map": "height in mm"}


def card_text(rows: ExportRows, columns: ExportColumns, files: Sequence[PublishedFile], terms: SharingTerms) -> str:
    """Return the text of a dataset card.

    Args:
        rows: what is exported.
        columns: of its files.
        files: these.
        terms: of its sources.
    """
    counts = {split: rows.dataset.info["splits"][split] for split in dict.fromkeys(file.split for file in files)}
    total = sum(one["samples"] for one in counts.values())
    head = {
        "license": "other",
        "license_name": "see-sources",
        "pretty_name": rows.dataset.name,
        "tags": ["face-recognition", "3d", "biometrics"],
        "size_categories": [next((name for most, name in CATEGORIES if total < most), LARGEST)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": OPENED_AS.get(split, split), "path": f"data/{split}-*.parquet"} for split in counts
                ],
            }
        ],
    }
    lines = ["---", yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(), "---", ""]
    lines += [
        f"# {rows.dataset.name}",
        "",
        description_of(rows, total),
        "",
        "| split | people | samples |",
        "|---|---|---|",
    ]
    lines += [f"| {split} | {one['people']:,} | {one['samples']:,} |" for split, one in counts.items()]
    lines += ["", "## Columns", "", "| column | what |", "|---|---|"]
    lines += [f"| `{name}` | {kind} |" for name, kind in column_kinds(columns).items()]
    lines += ["", "People are in one split only." if rows.dataset.info.get("by") == "identity" else
              "Every person is in every split, on purpose: a closed set."]  # fmt: skip
    lines += ["", "## Sources and terms", "", *terms_lines(terms), ""]
    return "\n".join(lines)


def column_kinds(columns: ExportColumns) -> dict[str, str]:
    """Return each column's kind, in words."""
    kinds = {name: "text" if kind == "string" else kind for name, kind in columns.texts.items()}
    for name, (shape, dtype) in columns.arrays.items():
        form = f"{dtype} {' × '.join(map(str, shape))}" if shape else dtype
        kinds[name] = "PNG, RGB" if name == "color" else form + (f", {UNITS[name]}" if name in UNITS else "")
    return kinds | ({"mesh": "PLY, mm"} if columns.has_mesh else {})


def terms_lines(terms: SharingTerms) -> list[str]:
    """Return a line on the terms of each source."""
    lines = []
    for source, found in terms.restricted.items():
        lines += [
            f"- `{source}`: {one.name}. Owner, whose terms apply: {one.ask} Cite: {one.citation}" for one in found
        ]
    lines += [
        f"- `{source}`: no terms are known to the program that wrote this card; who publishes it names them here."
        for source in terms.unknown
    ]
    return lines or ["Synthetic faces: they show no real person."]
