"""Table of benchmarks/recognition.py: its evaluations side by side, one block for each figure.

python benchmarks/recognition_table.py "ict, left out=work/evaluations/strangers_ict-left_out" …
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from face3d_training.evaluation.report.files import METRICS

RENDERED = "rendered, not real scans"
PROTOCOLS = {"plain_to_plain": "plain", "masked_to_plain": "masked → plain"}
FIGURES = {"rank-1": "rank 1", "AUC": "auc", "FNMR at FMR 1e-3": "tar 1e-3"}
"""Figures, and what metrics.json calls them; a false non-match rate is the complement of a true accept rate."""
COMPLEMENT = "tar 1e-3"
CASE = re.compile(r"-(no_\w+|s\d+)$")
"""End of a run's name that says what it learnt from, or its seed."""
Evaluations = Mapping[str, Path]


def main() -> None:
    """Print the table of the evaluations that are named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("evaluations", nargs="+", metavar="COLUMN=FOLDER")
    found = dict(one.split("=", 1) for one in parser.parse_args().evaluations)
    folders = {column: Path(folder) for column, folder in found.items()}
    print("\n".join([*table(folders), *differences(folders)]))


def table(evaluations: Evaluations) -> list[str]:
    """Return the tables as Markdown: one for each figure, methods in rows, populations in columns."""
    read = {column: json.loads((folder / METRICS).read_text()) for column, folder in evaluations.items()}
    columns = [
        (column, protocol) for column, metrics in read.items() for protocol in PROTOCOLS if _has(metrics, protocol)
    ]
    cells = {(column, *key): shown for column, metrics in read.items() for key, shown in _cells(metrics)}
    rows = list(dict.fromkeys(key[1] for key in cells))
    lines = []
    for figure in FIGURES:
        lines += ["", f"**{figure}**, 95 % intervals over people ({RENDERED})", ""]
        lines.append("| | " + " | ".join(f"{column}: {PROTOCOLS[protocol]}" for column, protocol in columns) + " |")
        lines.append("|---" * (1 + len(columns)) + "|")
        for row in rows:
            shown = [cells.get((column, row, protocol, figure), "–") for column, protocol in columns]
            lines.append(f"| {row} | " + " | ".join(shown) + " |")
    people = ", ".join(f"{column} {metrics['dataset']['people']}" for column, metrics in read.items())
    return [*lines, "", f"People: {people}."]


def differences(evaluations: Evaluations) -> list[str]:
    """Return the paired differences of rank-1 as Markdown, in points, each with its interval over people."""
    lines = ["", f"**Differences of rank-1**, in points, paired over people ({RENDERED})", ""]
    lines += ["| | | plain | masked → plain |", "|---|---|---|---|"]
    for column, folder in evaluations.items():
        for found in json.loads((folder / METRICS).read_text())["differences"]:
            shown = [_points(found["figures"].get(protocol, {}).get("rank 1")) for protocol in PROTOCOLS]
            lines.append(f"| {column} | {found['better']} – {found['other']} | " + " | ".join(shown) + " |")
    return lines


def _has(metrics: Mapping[str, Any], protocol: str) -> bool:
    return any(protocol in method["identification"] for method in metrics["methods"].values())


def _cells(metrics: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield ((row, protocol, figure), text) of an evaluation; runs of several seeds are one row, of their mean."""
    grouped = {name for group in metrics["seeds"] for name in group["methods"]}
    for name, method in metrics["methods"].items():
        if name not in grouped:
            for protocol in PROTOCOLS:
                for figure, key in FIGURES.items():
                    yield (CASE.sub("", name), protocol, figure), _text(_of_method(method, protocol, key), key)
    for group in metrics["seeds"]:
        row = CASE.sub("", group["methods"][0])
        for protocol in PROTOCOLS:
            for figure, key in FIGURES.items():
                mean = _text(group["figures"].get(protocol, {}).get(key), key)
                over = group["spread"].get(protocol, {}).get(key)
                std = f" ± {over['std']:.3f} ({len(group['methods'])} seeds)" if over else ""
                yield (row, protocol, figure), mean + std


def _of_method(method: Mapping[str, Any], protocol: str, key: str) -> Mapping[str, Any] | None:
    identified, verified = (method[kind].get(protocol) for kind in ("identification", "verification"))
    if key == "rank 1":
        return identified and identified["rank"]["1"]
    return verified and (verified["auc"] if key == "auc" else verified["tar"].get(key.split()[1]))


def _text(figure: Mapping[str, Any] | None, key: str) -> str:
    """Return a figure with its interval."""
    if not figure or figure.get("value") is None:
        return "–"
    value, low, high = figure["value"], figure.get("low"), figure.get("high")
    if key == COMPLEMENT:
        value, low, high = 1 - value, None if high is None else 1 - high, None if low is None else 1 - low
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def _points(figure: Mapping[str, Any] | None) -> str:
    if not figure or figure.get("value") is None:
        return "–"
    shown = [f"{100 * figure[key]:+.1f}" for key in ("value", "low", "high") if figure.get(key) is not None]
    return shown[0] if len(shown) < 3 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


if __name__ == "__main__":
    main()
