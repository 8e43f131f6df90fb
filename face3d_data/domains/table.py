"""Table of domains: one line per source, and its notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face3d_data.domains.domain import Domain


HEADER = (
    "",
    "datasets",
    "people",
    "captures",
    "a person",
    "samples",
    "masked",
    "points",
    "readings",
    "depth mm",
    "noise mm",
)


def domain_table(found: Sequence[Domain]) -> list[str]:
    """Return a line for each domain under a header, columns aligned."""
    rows = [HEADER, *(_cells(domain) for domain in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cells(domain: Domain) -> tuple[str, ...]:
    name = domain.name if domain.kind != "dataset" else f"(dataset {domain.name})"
    depth_mm, noise_mm = domain.depth_mm(), domain.values("noise_mm")
    return (
        name if domain.kind != "all" else "(all)",
        ",".join(domain.datasets),
        f"{domain.people:,}",
        f"{domain.captures:,}",
        _spread(domain.captures_of),
        f"{domain.samples:,}",
        f"{domain.masked / domain.samples:.0%}",
        _spread(domain.points),
        _spread(domain.values("readings")),
        "-" if depth_mm is None else f"{depth_mm[0]:.0f} to {depth_mm[2]:.0f}",
        _noise(noise_mm),
    )


def _spread(values: Sequence[float]) -> str:
    """Return the median, and least and most where they differ."""
    from face3d_data.domains.domain import spread

    found = spread(values)
    if found is None:
        return "-"
    least, middle, most = (f"{value:,.0f}" for value in found)
    return middle if least == most else f"{middle} ({least} to {most})"


def _noise(values: Sequence[float]) -> str:
    from face3d_data.domains.domain import spread
    from face3d_data.geometry.reading_noise import LEAST_SIGMA_MM

    found = spread(values)
    if found is None:
        return "-"
    least, middle, most = (f"<{LEAST_SIGMA_MM:g}" if value < LEAST_SIGMA_MM else f"{value:.2f}" for value in found)
    return middle if least == most else f"{middle} ({least} to {most})"


def domain_notes(found: Sequence[Domain], step: str, most: int, waiting: Sequence[str]) -> list[str]:
    """Return what has to be known to read the table."""
    read = "; ".join(
        f"{domain.name} {len(domain.measured)} of {domain.captures:,}" for domain in found if domain.kind == "source"
    )
    lines = [
        f"rows of {step!r}; of what differs: the median (least to most)",
        f"readings, depth and noise are of the face, in at most {most} captures of a source, the first by a digest "
        f"of their ids: {read}",
    ]
    unread = {domain.name: domain.unread for domain in found if domain.kind == "source" and domain.unread}
    if unread:
        several = ", ".join(f"{name} {number}" for name, number in unread.items())
        lines.append(f"not measured (no depth or points, or unreadable): {several}")
    if waiting:
        lines.append(f"not finished: {', '.join(waiting)} still have inputs to process")
    return lines
