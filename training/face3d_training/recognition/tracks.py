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
ANOTHER_BEYOND = 1.4
"""A face farther than this times the threshold from a track's mean is another one: of the packaged network's
calibration, 3 in 1,000 pairs of one person are, and 19 in 20 of two people."""


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
        odd: the embedding of the latest frame, where it is another face's: one such frame may be a bad one.
    """

    number: int
    box: np.ndarray
    embeddings: list[np.ndarray] = field(default_factory=list)
    name: str = UNKNOWN
    frames: int = 0
    missed: int = 0
    odd: np.ndarray | None = None

    @property
    def mean(self) -> np.ndarray:
        """f4 (1, E), the mean of the latest embeddings, of unit length."""
        total = np.sum(self.embeddings, axis=0, dtype=np.float64)
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float32)[None]


class FaceTracker:
    """Faces of one frame after the other, joined to tracks by where they are, and parted where another face is there.

    A single frame whose embedding is far from its track's mean and from the frame before changes nothing; with the
    second in a row a new track begins, as after a cut in a film.

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

    def cut(self) -> None:
        """End all tracks: what comes next is another film."""
        self.ended += self.tracks
        self.tracks = []

    def _is_another(self, track: Track, face: SeenFace) -> bool:
        """Tell whether a face cannot be that of a track: far from its mean, and no small step from its latest frame."""
        if face.embedding is None or not track.embeddings:
            return False
        known = [track.mean[0]] if track.odd is not None else [track.mean[0], track.embeddings[-1]]
        return all(float(np.linalg.norm(one - face.embedding)) > self._far for one in known)

    @property
    def _far(self) -> float:
        return ANOTHER_BEYOND * self.recogniser.threshold.distance

    def _joined(self, faces: Sequence[SeenFace]) -> list[Track]:
        """Return the track of each face, a new one where none was near."""
        found: dict[int, Track] = {}
        if faces and self.tracks:
            boxes = np.stack([face.box for face in faces if face.box is not None])
            shares = overlap(boxes, np.stack([track.box for track in self.tracks]))
            others = np.array([[self._is_another(track, face) for track in self.tracks] for face in faces])
            away = np.array([track.missed / (MOST_MISSED * 100) for track in self.tracks])  # decides between equals
            rows, columns = linear_sum_assignment(others + away - shares)
            found = {
                int(row): self.tracks[column]
                for row, column in zip(rows, columns, strict=True)
                if shares[row, column] >= LEAST_OVERLAP
            }
        joined = []
        for i, face in enumerate(faces):
            assert face.box is not None
            track = found.get(i)
            track = self._new(face.box) if track is None else self._parted(track, face)
            track.box = face.box
            joined.append(track)
        return joined

    def _new(self, box: np.ndarray) -> Track:
        self._count += 1
        self.tracks.append(Track(self._count, box))
        return self.tracks[-1]

    def _parted(self, track: Track, face: SeenFace) -> Track:
        """Return the track that a face at a track's place is on: a new one if it is the second of another face."""
        before, track.odd = track.odd, face.embedding if self._is_another(track, face) else None
        if before is None or track.odd is None or face.box is None:
            return track
        track.odd, new = None, self._new(face.box)
        if float(np.linalg.norm(before - face.embedding)) <= self._far:
            new.embeddings, new.frames = [before], 1
            track.frames = max(track.frames - 1, 0)
        return new

    def _answer(self, track: Track | None, face: SeenFace) -> Answer:
        if face.embedding is None:
            return Answer(face, None, None if track is None else track.number)
        if track is None:
            return Answer(face, self.recogniser.decide(face.embedding[None])[0])
        if track.odd is None:
            track.embeddings = [*track.embeddings, face.embedding][-MOST_FRAMES:]
        track.frames += 1
        (decision,) = self.recogniser.decide(track.mean)
        kept = next((one for one in decision.candidates if one.name == track.name), None)
        limit = KEPT_BEYOND * self.recogniser.threshold.distance
        if decision.name == UNKNOWN and kept is not None and kept is decision.best and kept.distance <= limit:
            decision = Decision(track.name, decision.candidates)
        track.name = decision.name
        return Answer(face, decision, track.number)
