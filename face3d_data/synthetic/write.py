"""Synthetic people as files, in the layout that the reader `rgbd_folder` reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import make_folder
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json

MARKER = "synthetic.json"
LAYOUT = 1
_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def write_people(
    out: str | Path, people: int, captures: int, seed: int, width: int = 640, height: int = 480, jobs: int = 1
) -> Iterator[str]:
    """Write people x captures below `out` and yield each person's name when it is done.

    Layout: `<person>/capture_YY_color.png`, `<person>/capture_YY_depth.png` (uint16, mm), `<person>/landmarks.json`
    (written last: a person that has it is complete), `intrinsics.json` and the marker `synthetic.json` at the root.
    People that are complete already are kept.

    Args:
        out: folder; made where missing.
        people: how many people.
        captures: captures of each.
        seed: the population.
        width: px.
        height: px.
        jobs: worker processes.

    Raises:
        UserError: `out` is no folder, holds something else, or holds people of another seed, size or count of captures.
    """
    from joblib import Parallel, delayed

    out = Path(out)
    made_of = {"layout": LAYOUT, "seed": seed, "captures": captures, "width": width, "height": height}
    _claim(out, made_of)
    _write_camera(out, width, height)
    todo = [person for person in range(people) if not (out / _name(person) / "landmarks.json").exists()]
    yield from (_name(person) for person in range(people) if person not in set(todo))
    tasks = (delayed(write_person)(out, person, captures, seed, width, height) for person in todo)
    yield from Parallel(n_jobs=min(jobs, max(len(todo), 1)), return_as="generator")(tasks)


def write_person(out: str | Path, person: int, captures: int, seed: int, width: int, height: int) -> str:
    """Write one person's captures and, last, the landmarks; return the person's name."""
    from face3d_data.synthetic.capture import render_capture

    out = Path(out)
    folder = out / _name(person)
    make_folder(folder)
    entries = {}
    for capture in range(captures):
        made = render_capture(seed, person, capture, width=width, height=height)
        name = f"capture_{capture:02d}"
        _write_png(folder / f"{name}_color.png", made["color"][..., ::-1])
        _write_png(folder / f"{name}_depth.png", made["depth"].astype(np.uint16))
        entries[name] = _entry(made)
    _write_text(folder / "landmarks.json", json.dumps(entries, indent=1))
    return _name(person)


def _name(person: int) -> str:
    return f"person_{person:03d}"


def _entry(made: dict[str, Any]) -> dict[str, Any]:
    def named(points: np.ndarray, digits: int) -> dict[str, list[float]]:
        # through float64, so that what is read back as float32 is what was rendered
        return {name: [round(float(v), digits) for v in point] for name, point in zip(_NAMES, points, strict=True)}

    return {
        "landmarks_3d_mm": named(made["landmarks_3d"], 5),
        "landmarks_px": named(made["landmarks"], 6),
        "face_box_xyxy": [round(float(v), 2) for v in made["box"]],
        **{key: made[key] for key in ("expression", "yaw_deg", "pitch_deg", "roll_deg", "distance_mm")},
        "masked": False,
    }


def _claim(out: Path, made_of: dict[str, int]) -> None:
    """Make `out` and mark it, or see that it is marked as made with the same options.

    Raises:
        UserError: see `write_people`.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: use a folder that is new, empty or written by `face3d synth`")
    marker = out / MARKER
    if marker.exists():
        try:
            there = parse_json(marker.read_text())
        except (OSError, ValueError):
            there = None
        if there != made_of:
            differs = [key for key in made_of if not isinstance(there, dict) or there.get(key) != made_of[key]]
            raise UserError(
                f"{out} was written with another {', '.join(differs)}: use another folder or remove this one"
            )
        return
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and was not written by `face3d synth`: use another folder")
    make_folder(out)
    _write_text(marker, json.dumps(made_of))


def _write_camera(out: Path, width: int, height: int) -> None:
    from face3d_data.synthetic.scene import camera_for

    camera = camera_for(width, height)
    values = {key: getattr(camera, key) for key in ("fx", "fy", "cx", "cy", "width", "height")}
    _write_text(out / "intrinsics.json", json.dumps({**values, "depth_scale": 0.001}, indent=1))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    import cv2

    _, data = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    path.write_bytes(data.tobytes())


def _write_text(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.write_text(text)
    draft.replace(path)
