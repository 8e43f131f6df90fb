"""Preparation of captures for a network: the stages that made its training samples, run in memory on one capture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from face3d_data.component import build
from face3d_data.errors import Reject, UserError
from face3d_data.function_stage import stage_of_function
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.stage import Stage
from face3d_data.stages.detect import Detect
from face3d_data.stages.locate_3d import Locate3d
from face3d_data.stages.undistort import Undistort

SMALLEST_PX = 40.0
"""Width of the smallest face that is looked for where the network's own preparation does not say it."""
NOTHING_FITS = "unfit"
"""Reason of a capture that lacks the arrays that every way of preparing begins with."""
FOR_COLOR = (
    "give depth beside it or a scan, or by --model a network that learnt from color, such as of face3d train --config "
    "arcface (docs/how_to/recognition.md)"
)
"""What helps where an image without depth is given to a network of depth."""
Steps = tuple[Stage, ...]


@dataclass(frozen=True)
class PreparedFace:
    """One face of a capture, as a network takes it, or why it cannot be taken.

    Attributes:
        arrays: the network's fields by name; empty where the face cannot be used.
        box: f4 (4,), x1, y1, x2, y2 px in the image; None where the capture has no image.
        score: how sure the detector is, from 0 to 1; NaN where none looked.
        problem: (reason, detail) where the face cannot be used, or where no face was found at all.
        others: how many more faces the capture shows, where one was asked for.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    box: np.ndarray | None = None
    score: float = float("nan")
    problem: tuple[str, str] | None = None
    others: int = 0


@dataclass(frozen=True)
class Preparation:
    """How captures become samples of a network's dataset.

    Attributes:
        ways: stages from a source to the dataset; those are taken whose first stage has the arrays that it needs.
        fields: arrays that the network takes.
        half: the dataset stored 32-bit numbers as 16-bit ones.
    """

    ways: tuple[Steps, ...]
    fields: tuple[str, ...]
    half: bool

    @classmethod
    def of(cls, record: Mapping[str, Any], fields: Sequence[str], network: str) -> Preparation:
        """Return the preparation that a dataset's or a network's record describes.

        Args:
            record: as `pipeline/preparation.preparation_record` makes it.
            fields: arrays that the network takes.
            network: what messages call it.

        Raises:
            UserError: there is no record, or this version has no such stage or option.
        """
        if not record.get("ways"):
            raise UserError(
                f"{network}: does not say how its samples were prepared: train it on a dataset that this version wrote"
            )
        if record.get("normalize") and "points" in fields:
            raise UserError(
                f"{network}: learnt from points on the unit sphere (normalize: true): train it on points in millimetres"
            )
        ways = tuple(_needed(tuple(_stage(entry, network) for entry in way), fields) for way in record["ways"])
        different = tuple(way for i, way in enumerate(ways) if way not in ways[:i])
        return cls(different, tuple(fields), record.get("dtype") == "float16")

    def faces(self, sample: Sample, every: bool = True) -> list[PreparedFace]:
        """Return the faces of a capture; without a face, one entry that has a problem.

        Args:
            sample: a capture as its reader gives it.
            every: all faces in its image, the surest first; False: the one that stage `detect` selects.

        Raises:
            Unreadable: an array of the capture cannot be read.
        """
        steps = self._steps(frozenset(sample.arrays))
        if steps is None:
            return [PreparedFace(problem=(NOTHING_FITS, self._lacking(sample.arrays)))]
        steps = _without_lens(sample, steps)
        before, finder, after = _around_detect(steps)
        found: list[Sample] = []
        try:
            for step in before:
                sample = step.apply(sample)
            found = [sample] if finder is None else finder.every_face(sample) if every else [finder.apply(sample)]
        except Reject as error:
            return [PreparedFace(problem=(error.reason, error.detail))]
        return [self._face(one, after, every) for one in found]

    def check_takes(self, arrays: Collection[str], where: str) -> None:
        """Check that captures with these arrays can be prepared.

        Args:
            arrays: names of what a capture has.
            where: what the message begins with.

        Raises:
            UserError: they cannot; the message is what `faces` would say of each.
        """
        if self._steps(frozenset(arrays)) is None:
            raise UserError(f"{where}: {self._lacking(arrays)}")

    def _face(self, sample: Sample, steps: Sequence[Stage], every: bool) -> PreparedFace:
        box, score = _box_of(sample), float(sample.tags.get("face_score", float("nan")))
        others = 0 if every else max(0, int(sample.tags.get("faces_found", 1)) - 1)
        try:
            for step in steps:
                sample = step.apply(sample)
            missing = [name for name in self.fields if name not in sample.arrays]
            if missing:
                raise Reject(f"missing_{missing[0]}", "the capture does not have it")
        except Reject as error:
            return PreparedFace({}, box, score, (error.reason, error.detail), others)
        arrays = {name: self._stored(sample.arrays[name]) for name in self.fields}
        return PreparedFace(arrays, box, score, None, others)

    def _stored(self, array: np.ndarray) -> np.ndarray:
        """Return an array as a shard would hand it back."""
        return array.astype(np.float16).astype(np.float32) if self.half and array.dtype == np.float32 else array

    def _steps(self, there: frozenset[str]) -> Steps | None:
        """Return the stages for a capture with these arrays; where its landmarks are missing, with a stage for them."""
        for way in self.ways:
            if _is_complete(way, there):
                return way
        for finder in (Detect(min_face_px=SMALLEST_PX), Locate3d()):
            for way in self.ways:
                if finder.missing(there) is None and _is_complete((finder, *way), there):
                    return (finder, *way)
        return None

    def _lacking(self, there: Collection[str]) -> str:
        wanted = self.ways[0][0] if self.ways[0] else None
        lack = sorted(set(wanted.groups()[0] if wanted else self.fields) - set(there) - {"landmarks", "landmarks_3d"})
        have = ", ".join(sorted(there)) or "nothing"
        alone = " alone" if set(there) == {"color"} else ""
        said = f"it has {have}{alone}, and the network's preparation begins with {', '.join(lack)}"
        return f"{said}: {FOR_COLOR}" if alone else said


def _box_of(sample: Sample) -> np.ndarray | None:
    """Return the face's box in the image, around landmarks where only these are known; None without either."""
    if "box" in sample.arrays or "landmarks" not in sample.arrays:
        return sample.arrays.get("box")
    from face3d_data.detectors.given import box_around

    try:
        return box_around(sample.arrays["landmarks"])
    except ValueError:
        return None


def _stage(entry: Mapping[str, Any], network: str) -> Stage:
    """Return a stage of a record."""
    cls = find("stage", entry["stage"], adapt=stage_of_function)
    if cls.version != entry["version"]:
        raise UserError(
            f"{network}: its samples were made by version {entry['version']} of stage {cls.name}, and this is version "
            f"{cls.version}: make its dataset and train it with this version"
        )
    return build(cls, dict(entry["with"]), f"{network}: stage {cls.name}")


def _needed(steps: Steps, fields: Collection[str]) -> Steps:
    """Return those stages that the network's arrays depend on, such as no `subsample` after the maps were made."""
    wanted, kept = set(fields), list[Stage]()
    for step in reversed(steps):
        if wanted & set(step.outputs):
            kept.append(step)
            wanted |= set(step.names_read())
    return tuple(reversed(kept))


def _is_complete(steps: Steps, there: frozenset[str]) -> bool:
    """Tell whether each stage has the arrays that it needs, by what the capture has and the stages before may set."""
    have = set(there)
    for step in steps:
        if step.missing(have) is not None:
            return False
        have |= set(step.created())
    return True


def _without_lens(sample: Sample, steps: Steps) -> Steps:
    """Return the stages behind `undistort`, where the lens has distortion and one of them works with a pinhole."""
    if "distortion" not in sample.arrays or not sample.arrays["distortion"][:-1].any():
        return steps
    pinhole = [s for s in steps if "intrinsics" in s.names_read() and "distortion" not in s.names_read()]
    return (Undistort(), *steps) if pinhole and not any(isinstance(step, Undistort) for step in steps) else steps


def _around_detect(steps: Steps) -> tuple[Steps, Detect | None, Steps]:
    """Return the stages before `detect`, that one, and the stages after it; without it all come after."""
    for i, step in enumerate(steps):
        if isinstance(step, Detect):
            return steps[:i], step, steps[i + 1 :]
    return (), None, steps
