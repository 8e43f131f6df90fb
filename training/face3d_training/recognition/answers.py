"""Answers on captures: the person that each face shows, in words, JSON, CSV and pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import atomic_path, make_folder, write_atomic
from face3d_data.errors import UserError
from face3d_data.inputs.captures import RawCapture
from face3d_training.recognition.faces import FaceFinder, SeenFace
from face3d_training.recognition.gallery import UNKNOWN
from face3d_training.recognition.people import Decision, Recogniser

COLUMNS = ("input", "face", "track", "name", "nearest", "distance", "probability", "x1", "y1", "x2", "y2", "problem")
KNOWN_COLOR, UNKNOWN_COLOR, FONT_PX = (40, 160, 60), (200, 60, 40), 18


@dataclass(frozen=True)
class Answer:
    """What is said of one face.

    Attributes:
        face: the face.
        decision: the person that it shows; None where it cannot be used.
        track: number of the face's track through a video; None for single captures.
    """

    face: SeenFace
    decision: Decision | None
    track: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether it shows somebody of the gallery."""
        return self.decision is not None and self.decision.name != UNKNOWN

    @property
    def in_words(self) -> str:
        """The answer in one line."""
        where = self.face.path + (f", face {self.face.number + 1}" if self.face.number else "")
        if self.decision is None:
            reason, detail = self.face.problem or ("", "")
            return f"{where}: no answer: {reason}: {detail}"
        best = self.decision.best
        sure = "" if best.probability is None else f", probability {best.probability:.3f}"
        nearest = "" if self.is_known else f" (nearest: {best.name})"
        return f"{where}: {self.decision.name}{nearest}, distance {best.distance:.3f}{sure}"

    def record(self) -> dict[str, Any]:
        """Return the answer as plain values."""
        box = None if self.face.box is None else [round(float(x), 1) for x in self.face.box]
        record: dict[str, Any] = {"input": self.face.path, "face": self.face.number, "box_px": box}
        record |= {} if self.track is None else {"track": self.track}
        if self.decision is None:
            reason, detail = self.face.problem or ("", "")
            return {**record, "name": None, "known": False, "problem": f"{reason}: {detail}"}
        candidates = [
            {"name": one.name, "distance": one.distance, "probability": one.probability}
            for one in self.decision.candidates
        ]
        return {
            **record,
            "name": self.decision.name,
            "known": self.is_known,
            "candidates": candidates,
            "seconds": round(self.face.seconds, 4),
        }


class Answers:
    """A network and a gallery, asked about captures.

    Args:
        finder: captures to embedded faces.
        recogniser: the people that they show.
    """

    def __init__(self, finder: FaceFinder, recogniser: Recogniser) -> None:
        self.finder, self.recogniser = finder, recogniser

    def of(self, capture: RawCapture) -> list[Answer]:
        """Return what is said of every face of a capture, at least one answer."""
        faces = self.finder.faces(capture)
        usable = [face.embedding for face in faces if face.embedding is not None]
        vectors = np.stack(usable) if usable else np.zeros((0, 0), np.float32)
        decided = iter(self.recogniser.decide(vectors))
        return [Answer(face, next(decided) if face.embedding is not None else None) for face in faces]


def check_new(csv_file: Path | None, pictures: Path | None) -> None:
    """Check, before any work, that results replace nothing.

    Raises:
        UserError: a file is there, or a folder with something in it.
    """
    if csv_file is not None and csv_file.exists():
        raise UserError(f"--csv {csv_file}: already exists: use another name, or remove it first")
    if pictures is not None and pictures.exists() and any(pictures.iterdir()):
        raise UserError(f"--pictures {pictures}: is not empty: use another folder")


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Write answers as CSV, completely or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for answer in answers:
        rows.writerow(_row(answer))
    try:
        write_atomic(path, text.getvalue())
    except OSError as error:
        raise UserError(f"--csv {path}: cannot be written ({error.strerror}): use another file") from None


def _row(answer: Answer) -> dict[str, Any]:
    row: dict[str, Any] = {"input": answer.face.path, "face": answer.face.number, "track": answer.track}
    if answer.face.box is not None:
        row |= {key: f"{value:.1f}" for key, value in zip(("x1", "y1", "x2", "y2"), answer.face.box, strict=True)}
    if answer.decision is None:
        return {**row, "problem": ": ".join(answer.face.problem or ())}
    best = answer.decision.best
    sure = "" if best.probability is None else f"{best.probability:.6f}"
    return {**row, "name": answer.decision.name, "nearest": best.name, "distance": f"{best.distance:.6f}",
            "probability": sure}  # fmt: skip


def draw_answers(folder: Path, capture: RawCapture, answers: Iterable[Answer]) -> bool:
    """Write a capture's image with the box and name of each face into a folder, as PNG; tell whether it has an image.

    A picture that is there already is kept: the new one gets a number.

    Raises:
        UserError: the folder cannot be written.
    """
    if capture.sample is None or "color" not in capture.sample.arrays:
        return False
    picture = drawn(capture.sample.arrays["color"], answers)
    stem = "_".join(Path(capture.path).with_suffix("").parts[-2:])
    name, number = f"{stem}.png", 1
    while (folder / name).exists():
        number += 1
        name = f"{stem}-{number}.png"
    try:
        make_folder(folder)
        with atomic_path(folder / name) as temporary, open(temporary, "wb") as file:
            picture.save(file, "PNG")
    except OSError as error:
        raise UserError(f"--pictures {folder}: cannot be written ({error.strerror}): use another folder") from None
    return True


def drawn(color: np.ndarray, answers: Iterable[Answer]) -> Any:
    """Return an image u1 (H, W, 3) with the box and name of each face, as a Pillow image."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    letters = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"  # has the accents that Pillow's own lacks
    picture = Image.fromarray(np.ascontiguousarray(color))
    pen, font = ImageDraw.Draw(picture), ImageFont.truetype(letters, max(FONT_PX, color.shape[0] // 30))
    for answer in answers:
        if answer.face.box is None:
            continue
        x1, y1, x2, y2 = (float(x) for x in answer.face.box)
        paint = KNOWN_COLOR if answer.is_known else UNKNOWN_COLOR
        label = answer.decision.name if answer.decision is not None else (answer.face.problem or ("",))[0]
        pen.rectangle((x1, y1, x2, y2), outline=paint, width=3)
        left, top, right, bottom = pen.textbbox((x1, y1), label, font=font)
        pen.rectangle((left, y1 - (bottom - top) - 8, right + 6, y1), fill=paint)
        pen.text((x1 + 3, y1 - (bottom - top) - 6), label, fill=(255, 255, 255), font=font)
    return picture
