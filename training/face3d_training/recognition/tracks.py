"""Tracks of faces through the frames of a video: one person keeps one name from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from face3d_data.detectors.boxes import overlap
from face3d_training.recognition.answers import Answer
from face3d_training.recognition.faces import SeenFace
from face3d_training.recognition.gallery import UNKNOWN
from face3d_training.recognition.people import Decision, Recogniser

LEAST_OVERLAP = 0.2
"""Overlap with the box of the frame before from which a face is the same one."""
MOST_FRAMES = 30
"""Latest frames whose mean embedding decides."""
MOST_MISSED = 15
"""Frames without the face after which a track ends."""
KEPT_BEYOND = 1.15
"""A name once given is kept up to this times the threshold, so that it does not flicker."""


@dataclass(eq=False)
class Track:
    """One face through a video.

    Attributes:
        number: of the track, from 1.
        box: f4 (4,), where it was last.
        embeddings: of its latest frames.
        name: the person, or `unknown`.
        frames: in how many frames it was recognisable.
        missed: frames since it was last seen.
    """

    number: int
    box: np.ndarray
    embeddings: list[np.ndarray] = field(default_factory=list)
    name: str = UNKNOWN
    frames: int = 0
    missed: int = 0

    @property
    def mean(self) -> np.ndarray:
        """f4 (1, E), the mean of the latest embeddings, of unit length."""
        total = np.sum(self.embeddings, axis=0, dtype=np.float64)
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float32)[None]


class FaceTracker:
    """Faces of one frame after the other, joined to tracks by where they are.

    Args:
        recogniser: the people, and up to which distance a face is one of them.

    Attributes:
        tracks: of faces that were seen lately; `ended` are the earlier ones.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.tracks: list[Track] = []
        self.ended: list[Track] = []
        self._count = 0

    def step(self, faces: Sequence[SeenFace]) -> list[Answer]:
        """Return the answer of each face of the next frame, with the number of its track.

        A face without a box, or of which nothing was found, is on no track. One that cannot be recognised in this frame
        keeps its track's name.
        """
        placed = [face for face in faces if face.box is not None]
        tracks = dict(zip(map(id, placed), self._joined(placed), strict=True))
        for track in self.tracks:
            track.missed = 0 if track in tracks.values() else track.missed + 1
        self.ended += [track for track in self.tracks if track.missed > MOST_MISSED]
        self.tracks = [track for track in self.tracks if track.missed <= MOST_MISSED]
        return [self._answer(tracks.get(id(face)), face) for face in faces]

    def _joined(self, faces: Sequence[SeenFace]) -> list[Track]:
        """Return the track of each face, a new one where none was near."""
        found: dict[int, Track] = {}
        if faces and self.tracks:
            boxes = np.stack([face.box for face in faces if face.box is not None])
            shares = overlap(boxes, np.stack([track.box for track in self.tracks]))
            rows, columns = linear_sum_assignment(-shares)
            found = {
                int(row): self.tracks[column]
                for row, column in zip(rows, columns, strict=True)
                if shares[row, column] >= LEAST_OVERLAP
            }
        joined = []
        for i, face in enumerate(faces):
            assert face.box is not None
            track = found.get(i)
            if track is None:
                self._count += 1
                track = Track(self._count, face.box)
                self.tracks.append(track)
            track.box = face.box
            joined.append(track)
        return joined

    def _answer(self, track: Track | None, face: SeenFace) -> Answer:
        if face.embedding is None:
            return Answer(face, None, None if track is None else track.number)
        if track is None:
            return Answer(face, self.recogniser.decide(face.embedding[None])[0])
        track.embeddings = [*track.embeddings, face.embedding][-MOST_FRAMES:]
        track.frames += 1
        (decision,) = self.recogniser.decide(track.mean)
        kept = next((one for one in decision.candidates if one.name == track.name), None)
        limit = KEPT_BEYOND * self.recogniser.threshold.distance
        if decision.name == UNKNOWN and kept is not None and kept is decision.best and kept.distance <= limit:
            decision = Decision(track.name, decision.candidates)
        track.name = decision.name
        return Answer(face, decision, track.number)
