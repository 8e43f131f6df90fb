"""Sheet of mask styles on one face: the stages that draw them, and the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.component import build
from face3d_data.errors import Reject, UserError
from face3d_data.sheets.mask_subjects import Subject

if TYPE_CHECKING:
    import numpy as np

    from face3d_data.pictures.mask_sheet import SheetView
    from face3d_data.sample import Sample
    from face3d_data.stage import Stage


def mask_stages(styles: str | None, worn: str, style_files: Sequence[str | Path]) -> list[tuple[str, Stage]]:
    """Return a stage for each style and way of wearing, with its title.

    Args:
        styles: names with commas between; None: those of the package, then those of the files.
        worn: ways of wearing, with commas between.
        style_files: the user's own styles.

    Raises:
        UserError: an unknown name, or a file that is no style.
    """
    from face3d_data.stages.mask import Mask
    from face3d_data.wear.mask_style import mask_styles

    files = tuple(Path(each).absolute() for each in style_files)
    every = [*mask_styles(), *(path.stem for path in files)]
    asked = every if styles is None else [name.strip() for name in styles.split(",")]
    whole = build(Mask, {"styles": asked, "worn": worn, "style_files": files}, "masks")
    pairs = ((style, way) for style in asked for way in whole.worn)
    return [
        (
            style if way == "proper" else f"{style}, {way}",
            whole.model_copy(update={"styles": {style: 1.0}, "worn": {way: 1.0}}),
        )
        for style, way in pairs
    ]


def occlude_stages() -> list[tuple[str, Stage]]:
    """Return a stage for each kind of occluder that is no mask, with its title."""
    from face3d_data.stages.occlude import NAMES, Occlude

    return [(name, Occlude(kinds={name: 1.0})) for name in NAMES]


def write_mask_sheet(
    out: str | Path,
    subject: Subject,
    stages: Sequence[tuple[str, Stage]],
    seed: int,
    size: int,
    tell: Callable[[str], Any],
) -> Path:
    """Write the sheet of what a subject wears, a line for each to `tell`, and return its path.

    Raises:
        UserError: the face can wear none of it, or the file cannot be written.
    """
    from face3d_data.pictures.mask_sheet import look_at, sheet
    from face3d_data.pictures.sample_picture import write_png
    from face3d_data.wear.wearing import find_face

    out = Path(out)
    try:
        look = look_at(find_face(subject.sample.arrays).view.to_face)
    except Reject as error:
        raise UserError(f"{subject.name}: {error}: use a capture of one face that looks at the camera") from None
    bare = ["nothing"] if subject.photo is None else ["nothing", "depth and points:", "the mean face's"]
    rows = [(bare, _row(subject.sample, subject.photo, look, size))]
    for title, stage in stages:
        try:
            worn = stage.apply(subject.sample, seed)
            seen = None if subject.photo is None else stage.apply(subject.photo, seed)
        except Reject as error:
            tell(f"{title}: not drawn: {error}")
            continue
        tags = (worn if seen is None else seen).tags
        tell(f"{title}: visible_ratio {tags['visible_ratio']:.2f}")
        rows.append((_lines(title, tags), _row(worn, seen, look, size)))
    if len(rows) == 1:
        raise UserError(
            f"{subject.name}: nothing could be drawn: use a face that looks at the camera and is not cut off"
        )
    try:
        write_png(out, sheet(rows))
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written ({error.strerror}): use another path") from None
    return out


def _row(sample: Sample, seen: Sample | None, look: SheetView, size: int) -> list[np.ndarray]:
    from face3d_data.pictures.mask_sheet import front, panels

    pictures = panels(sample.arrays, look, size)
    if seen is not None:
        pictures[0] = front(seen.arrays["color"], sample.arrays["intrinsics"], look, size)
    return pictures


def _lines(title: str, tags: Any) -> list[str]:
    color = " ".join(str(tags[name]) for name in ("mask_color", "mask_pattern") if tags.get(name, "plain") != "plain")
    return [*title.split(", "), *([color] if color else []), f"visible {tags['visible_ratio']:.2f}"]
