"""Watching of captures one by one: answers, tracks through videos, pictures, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from face3d_data.inputs.captures import RawCapture
from face3d_data.plurals import counted
from face3d_training.recognition.answers import Answer, Answers, draw_answers, drawn
from face3d_training.recognition.gallery import UNKNOWN
from face3d_training.recognition.page import RecognitionPage
from face3d_training.recognition.tracks import FaceTracker, Track


class Watcher:
    """What is done with every capture.

    Args:
        answers: the network and the gallery.
        say: called with each line on what is seen.
        pictures: folder of pictures with boxes and names; None: none are written.
        page: opens the page, by the first picture's width and height; None: there is none.
        keep: keep all answers; a camera's would fill the memory.

    Attributes:
        found: the answers that are kept.
        usable: faces that could be compared; `named` are those of the gallery, `lost` inputs without such a face.
        first: the first answer, in words.
    """

    def __init__(
        self,
        answers: Answers,
        say: Callable[[str], None],
        pictures: Path | None = None,
        page: Callable[[tuple[int, int]], RecognitionPage] | None = None,
        keep: bool = True,
    ) -> None:
        self.answers, self.say, self.pictures = answers, say, pictures
        self._open_page = page
        self.page: RecognitionPage | None = None
        self.found: list[Answer] = []
        self.usable = self.named = self.lost = 0
        self.first = ""
        self._keep = keep

    @property
    def summary(self) -> str:
        """How many faces there were, in one line."""
        left = f"; {counted(self.lost, 'input')} without a usable face" if self.lost else ""
        return f"{counted(self.usable, 'face')}: {self.named} of the gallery, {self.usable - self.named} unknown{left}"

    def single(self, captures: Iterable[RawCapture]) -> None:
        """Look at captures, each by itself."""
        for capture in captures:
            new = self.answers.of(capture)
            self._take(capture, new)
            for answer in new:
                self.say(answer.in_words)

    def video(self, captures: Iterable[RawCapture]) -> None:
        """Look at captures that are the frames of one video; a line is said when a track begins or its name changes.

        Captures of different people's folders are no frames of one video: tracks end where the folder changes.
        """
        tracker, names, folder = FaceTracker(self.answers.recogniser), dict[int, str](), None
        for capture in captures:
            if folder is not None and capture.person != folder:
                self.say(f"note: {capture.path}: lies in another folder than the frames before: new tracks begin")
                tracker.cut()
            folder = capture.person
            new = tracker.step(self.answers.finder.faces(capture))
            self._take(capture, new)
            for answer in new:
                if answer.track is None or answer.decision is None or names.get(answer.track) == answer.decision.name:
                    continue
                names[answer.track] = answer.decision.name
                self.say(f"track {answer.track}, {answer.in_words}")
        for track in sorted([*tracker.ended, *tracker.tracks], key=lambda track: track.number):
            self.say(_summary(track))

    def _take(self, capture: RawCapture, answers: list[Answer]) -> None:
        self.found += answers if self._keep else []
        for answer in answers:
            self.first = self.first or answer.in_words
            self.usable += answer.decision is not None
            self.named += answer.is_known
            self.lost += answer.decision is None
        if self.pictures is not None and not draw_answers(self.pictures, capture, answers):
            self.say(f"note: {capture.path}: has no image, so no picture of it is written")
        if self._open_page is None or capture.sample is None or "color" not in capture.sample.arrays:
            return
        picture = drawn(capture.sample.arrays["color"], answers)
        if self.page is None:
            self.page = self._open_page(picture.size)
        seen = [answer.decision for answer in answers if answer.decision is not None]
        self.page.show(picture, [(decision.name, decision.best.distance) for decision in seen])


def _summary(track: Track) -> str:
    if not track.frames:
        return f"track {track.number}: no frame of it can be used"
    name = "nobody of the gallery" if track.name == UNKNOWN else track.name
    return f"track {track.number}: {name}, {counted(track.frames, 'frame')}"
