"""Sheet of a clean-up: one HTML file with a picture of every finding, beside the people it is compared with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from face3d_data.plurals import counted
from face3d_training.cleanup.findings import FINDING_REASONS, Cleanup, Finding
from face3d_training.cleanup.pictures import Picture
from face3d_training.evaluation.report.face_picture import picture_uri

TEMPLATE = "cleanup.html.j2"
EXAMPLES = 3
"""Captures that are shown of each person: the nearest to the mean of the main cluster."""
SHOWN = 400
"""Findings of each reason that have a picture; the others are in the CSV alone."""


def make_sheet(
    cleanup: Cleanup, picture: Picture, title: str, progress: Callable[[str, int, int], None] = lambda p, d, t: None
) -> str:
    """Return the sheet as HTML that contains everything.

    Args:
        cleanup: the findings.
        picture: draws a face by its id.
        title: what stands above.
        progress: called with the part of the work, what is done of it and the total.
    """
    shown = _Pictures(cleanup, picture)
    counts = cleanup.counts()
    total, done, parts = sum(min(number, SHOWN) for number in counts.values()), 0, []
    for reason, number in counts.items():
        mine = [one for one in cleanup.findings if one.reason == reason]
        if not mine:
            continue
        cards = []
        for one in mine[:SHOWN]:
            cards.append(_card(one, shown))
            done += 1
            progress("pictures", done, total)
        left = f"{number - SHOWN:,} more in cleanup.csv" if number > SHOWN else ""
        parts.append(
            {"reason": reason, "title": FINDING_REASONS[reason], "count": number, "cards": cards, "left": left}
        )
    rule, faces = cleanup.rule, cleanup.faces
    context = {
        "title": title,
        "subtitle": f"{counted(len(faces), 'capture')} of {counted(len(cleanup.clusters), 'person')}; affinity "
        f"{rule.affinity}, linkage {rule.linkage}, distance threshold {rule.threshold:g}",
        "parts": parts,
        "facts": [(name, str(value)) for name, value in faces.facts.items() if value not in ("", [])],
    }
    return _template().render(context)


@functools.cache
def _template() -> Any:
    text = files(__package__).joinpath(TEMPLATE).read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)


class _Pictures:
    """Pictures of faces and people as a page contains them, each drawn once."""

    def __init__(self, cleanup: Cleanup, picture: Picture) -> None:
        self._cleanup, self._row = cleanup, {one: row for row, one in enumerate(cleanup.faces.ids)}
        self.face = functools.cache(lambda face_id: self._uri(picture(face_id)))
        self.people = functools.cache(self._people)

    def examples(self, person: str, without: str = "") -> list[dict[str, str]]:
        """Return the captures nearest to the mean of a person's main cluster, as ids and pictures."""
        return [{"id": one, "uri": self.face(one)} for one in self.people(person) if one != without][:EXAMPLES]

    def person_of(self, face_id: str) -> str:
        """Return the person that the label of a face says."""
        return self._cleanup.faces.people[self._row[face_id]]

    def _people(self, person: str) -> Sequence[str]:
        faces, main = self._cleanup.faces, self._cleanup.clusters[person].main
        nearest = np.argsort(-(faces.vectors[list(main)] @ self._cleanup.mean(person)), kind="stable")
        return [faces.ids[main[place]] for place in nearest[: EXAMPLES + 1]]

    @staticmethod
    def _uri(image: np.ndarray | None) -> str:
        return "" if image is None else picture_uri(image)


def _card(one: Finding, shown: _Pictures) -> dict[str, Any]:
    return {
        "id": one.id or f"{one.person} = {one.like}",
        "detail": one.detail,
        "groups": [{"title": title, "faces": faces} for title, faces in _groups(one, shown) if faces],
    }


def _groups(one: Finding, shown: _Pictures) -> Iterator[tuple[str, list[dict[str, str]]]]:
    mine = f"labelled {one.person} ({one.similarity:.3f})"
    if one.reason == "same_person":
        yield one.person, shown.examples(one.person)
        yield f"{one.like} ({one.similarity:.3f})", shown.examples(one.like)
        return
    yield "capture", [{"id": one.id, "uri": shown.face(one.id)}]
    if one.reason == "duplicate":
        kept = f"stays: {one.like} of {shown.person_of(one.like)} ({one.similarity:.4f})"
        yield kept, [{"id": one.like, "uri": shown.face(one.like)}]
        return
    yield mine, shown.examples(one.person, one.id)
    if one.like:
        yield f"looks like {one.like} ({one.like_similarity:.3f})", shown.examples(one.like)
