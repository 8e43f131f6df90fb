"""Tables of `scaling.py`: figures by rows and operation, costs of a row, fitted exponents, files that changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Line = dict[str, Any]
LARGEST = 12
"""Changed files that are printed by name."""
MILLION = 1_000_000
MOST_S = {"noop": 20.0, "explain": 10.0, "add": 30.0}
"""Goals for a million rows, by the clock."""
MOST_ROW_BYTES, MOST_GROWTH = 600.0, 1.1


def over_start_s(line: Line) -> float:
    """Return the processor seconds of a command, less those of a process that only imports."""
    return max(1e-3, line["processor_s"] - line["start_processor_s"])


def row_bytes(line: Line) -> float:
    """Return what the driver held at its peak, less what it held after the imports, a row."""
    return (line["peak_bytes"] - line["imported_bytes"]) / line["rows"]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of least squares of log cost over log size: 1 is linear.

    Args:
        sizes: at least two different ones.
        costs: one for each, above 0.
    """
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def fits(lines: Sequence[Line]) -> list[Line]:
    """Return, for each checkout, kind and operation with two sizes or more, exponents and how a row's cost grows."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line["checkout"], line["kind"], line["operation"]), []).append(line)
    found = []
    for (checkout, kind, operation), group in groups.items():
        group.sort(key=lambda line: line["rows"])
        first, last = group[0], group[-1]
        if first["rows"] == last["rows"]:
            continue
        rows, seconds = [line["rows"] for line in group], [over_start_s(line) for line in group]
        held = (last["peak_bytes"] - first["peak_bytes"]) / (last["rows"] - first["rows"])
        found.append(
            {
                "checkout": checkout,
                "kind": kind,
                "operation": operation,
                "exponent": exponent(rows, seconds),
                "row_cost_grows": (seconds[-1] / rows[-1]) / (seconds[0] / rows[0]),
                "bytes_of_a_further_row": held,
            }
        )
    return found


def missed(lines: Sequence[Line], checkout: str) -> list[str]:
    """Return a line for each goal that a checkout misses; seconds count only where a million rows were run."""
    mine = [line for line in lines if line["checkout"] == checkout]
    found = []
    for line in mine:
        most = MOST_S.get(line["operation"], math.inf)
        if line["rows"] == MILLION and line["wall_s"] > most:
            found.append(f"{line['operation']}, {line['kind']}: {line['wall_s']:.1f} s, goal {most:.0f}")
    for fit in fits(mine):
        what = f"{fit['operation']}, {fit['kind']}"
        if fit["bytes_of_a_further_row"] > MOST_ROW_BYTES:
            found.append(f"{what}: {fit['bytes_of_a_further_row']:.0f} bytes a row, goal {MOST_ROW_BYTES:.0f}")
        if fit["row_cost_grows"] > MOST_GROWTH:
            found.append(f"{what}: a row costs {fit['row_cost_grows']:.2f} times as much, goal {MOST_GROWTH}")
    return found


def print_tables(lines: Sequence[Line]) -> None:
    """Print the figures, the fits, and what a capture that was added changed."""
    print(
        f"\n{'checkout':12}{'kind':7}{'operation':10}{'rows':>10}{'clock s':>10}{'all s':>9}{'driver s':>10}"
        f"{'µs a row':>10}{'peak MB':>9}{'B a row':>9}{'files':>8}{'MB':>9}"
    )
    for line in lines:
        us = 1e6 * over_start_s(line) / line["rows"]
        parts = line.get("sizes", {}).values()
        files, size = sum(part["files"] for part in parts), sum(part["bytes"] for part in parts) / 1e6
        disk = f"{files:8,}{size:9,.1f}" if parts else f"{'':8}{'':9}"
        print(
            f"{line['checkout']:12}{line['kind']:7}{line['operation']:10}{line['rows']:10,}{line['wall_s']:10.2f}"
            f"{line['processor_s']:9.2f}{line['driver_s']:10.2f}{us:10.1f}{line['peak_bytes'] / 1e6:9.0f}"
            f"{row_bytes(line):9.0f}{disk}"
        )
    for number, fit in enumerate(fits(lines)):
        if not number:
            print(f"\n{'checkout':12}{'kind':7}{'operation':10}{'exponent':>10}{'a row, x':>10}{'B a further row':>17}")
        print(
            f"{fit['checkout']:12}{fit['kind']:7}{fit['operation']:10}{fit['exponent']:10.2f}"
            f"{fit['row_cost_grows']:10.2f}{fit['bytes_of_a_further_row']:17.0f}"
        )
    for line in lines:
        if "changes" in line:
            print_changes(line)


def print_changes(line: Line) -> None:
    """Print which files an operation changed, and the workspace's size before and after it."""
    whole = [sum(part["bytes"] for part in line[name].values()) / 1e6 for name in ("sizes_before", "sizes")]
    where = f"{line['checkout']}, {line['kind']}, {line['rows']:,} rows"
    print(f"\n{line['operation']}, {where}: {whole[0]:,.1f} MB before, {whole[1]:,.1f} after")
    for name, some in line["changes"].items():
        print(f"  {name}: {some['files']:,} files, {some['bytes']:,} bytes")
        for path, size in list(some["largest"].items())[:LARGEST] if name == "written" else ():
            print(f"    {size:12,} {path}")
