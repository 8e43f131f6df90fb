"""HTML page of exported dirty captures: reasons with their counts, and what each capture shows."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.image import IMAGE_SUFFIXES, read_color, read_depth_png
from face3d_data.formats.image_header import read_image_header
from face3d_data.pictures.sample_picture import color_depth, fit
from face3d_data.plurals import counted

THUMBNAIL_PX = 120
SHOWN = 60
"""Captures of a reason that are drawn; the table lists all."""
MOST_PIXELS = 50_000_000
JPEG_QUALITY = 80
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 24px auto; max-width: 1160px; padding: 0 16px; color: #1d2733; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 4px 14px 4px 0; vertical-align: top; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; }
.card { width: 260px; border: 1px solid #d5dbe2; border-radius: 6px; padding: 8px; font-size: 13px; }
.card p { margin: 4px 0 0; overflow-wrap: anywhere; } .card img { height: 120px; margin-right: 4px; }
.gone { color: #b42318; } .soft { color: #5d6b7a; }
"""


@dataclass
class Bad:
    """One dirty row with what became of its files.

    Attributes:
        row: the row as `face3d dirty` lists it.
        state: one of `STATES`.
        files: copied files, relative to the folder.
        gone: files that no longer exist.
        outside: files that do not lie below the source's root; links are followed.
    """

    row: Mapping[str, str]
    state: str = "no_file"
    files: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


def page(found: Sequence[Bad], folder: Path, states: Mapping[str, str]) -> str:
    """Return the page as HTML, without links to anything but the files beside it.

    Args:
        found: the rows.
        folder: where their files are.
        states: what a row's state means.
    """
    by_reason: dict[str, list[Bad]] = {}
    for bad in found:
        by_reason.setdefault(bad.row["reason"], []).append(bad)
    ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    counts = "".join(
        f'<tr><td><a href="#{quote(reason)}">{html.escape(reason)}</a></td><td>{len(mine)}</td>'
        f"<td>{html.escape(', '.join(sorted({bad.row['step'] for bad in mine})))}</td></tr>"
        for reason, mine in ordered
    )
    sections = "".join(_section(reason, mine, folder, states) for reason, mine in ordered)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Dirty rows</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{len(found)} dirty rows</h1>\n"
        f"<table><tr><th>reason</th><th>rows</th><th>steps</th></tr>{counts}</table>\n{sections}</body></html>\n"
    )


def _section(reason: str, mine: Sequence[Bad], folder: Path, states: Mapping[str, str]) -> str:
    cards = "".join(_card(bad, folder, states) for bad in mine[:SHOWN])
    more = len(mine) - SHOWN
    note = f'<p class="soft">{counted(more, "more row is", "more rows are")} in dirty.csv.</p>' if more > 0 else ""
    return f'<h2 id="{quote(reason)}">{html.escape(reason)}: {len(mine)}</h2><div class="cards">{cards}</div>{note}\n'


def _card(bad: Bad, folder: Path, states: Mapping[str, str]) -> str:
    row = bad.row
    pictures = "".join(filter(None, (_picture(folder / name) for name in bad.files[:3])))
    links = ", ".join(f'<a href="{quote(name)}">{html.escape(Path(name).name)}</a>' for name in bad.files)
    gone = "".join(f'<p class="gone">gone: {html.escape(path)}</p>' for path in bad.gone)
    state = "" if bad.state == "copied" else f'<p class="soft">{html.escape(states[bad.state])}</p>'
    return (
        f'<div class="card">{pictures}<p><b>{html.escape(row["sample_id"])}</b></p>'
        f"<p>{html.escape(row['step'])}: {html.escape(row['detail'])}</p><p>{links}</p>{state}{gone}</div>"
    )


def _picture(path: Path) -> str:
    """Return a small picture of an image file, nothing where it cannot be decoded."""
    import cv2

    pixels = _pixels(path)
    if pixels is None:
        return ""
    small = np.ascontiguousarray(fit(pixels, THUMBNAIL_PX)[..., ::-1])
    encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    return f'<img alt="{html.escape(path.name)}" src="data:image/jpeg;base64,{base64.b64encode(encoded).decode()}">'


def _pixels(path: Path) -> np.ndarray | None:
    """Return an image as u1 (H, W, 3) RGB, depth in colours; None if it is not an image or too large to show."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    try:
        header = read_image_header(path)
        if header.width * header.height > MOST_PIXELS:
            return None
        if header.kind == "png" and header.bits == 16 and header.channels == 1:
            return color_depth(read_depth_png(path).astype(np.float32))
        return read_color(path)
    except (Unreadable, OSError):
        return None
