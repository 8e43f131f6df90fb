"""Open-set identification of captures by the packaged network: error rates beside what its calibration promises.

    python benchmarks/identify.py --plain CAPTURES [--masked CAPTURES] [--model packaged|RUN] [--fmr 1e-3]

Half of the people are enrolled from the first capture of each, the others are strangers; then the halves are swapped.
Every other capture is a probe. FNIR: share of probes of enrolled people that are not given their name; FPIR: share of
strangers' probes that are given any. Also the time of a capture on one core, from files to decision.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from face3d_data.cli.recognition_options import open_network
from face3d_data.inputs.captures import RawCapture, captures_in
from face3d_training.recognition.answers import Answer, Answers
from face3d_training.recognition.enrolment import Enrolment
from face3d_training.recognition.faces import FaceFinder
from face3d_training.recognition.people import Recogniser, choose_threshold

FIRST = "capture_00"


def main() -> None:
    """Judge both halves, and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--plain", type=Path, required=True, help="a folder for each person, as rgbd_folder reads it")
    parser.add_argument("--masked", type=Path, help="captures of the same people in masks")
    parser.add_argument("--model", default="packaged")
    parser.add_argument("--fmr", type=float, default=1e-3)
    parser.add_argument("--calibration", type=Path)
    given = parser.parse_args()
    embedder = open_network(given.model, "cpu")
    calibration = embedder.calibration(given.calibration)
    limit = choose_threshold(calibration, given.fmr, None, embedder.name)
    plain = without_landmarks(given.plain)
    masked = without_landmarks(given.masked) if given.masked else []
    people = sorted({one.person for one in plain})
    halves = [people[: len(people) // 2], people[len(people) // 2 :]]
    found: dict[str, list[tuple[bool, Answer]]] = {"plain": [], "masked": []}
    started = time.process_time()
    for half in halves:
        work = Enrolment(Path("gallery.h5"), None)
        work.use(embedder, given.model)
        work.enrol(embedder, [one for one in plain if one.person in half and FIRST in one.path])
        answers = Answers(FaceFinder(embedder), Recogniser(work.gallery, limit, calibration))
        for kind, probes in (("plain", [one for one in plain if FIRST not in one.path]), ("masked", masked)):
            found[kind] += judged(answers, probes, half)
    count = len(found["plain"]) + len(found["masked"]) + len(people)
    print(f"{1e3 * (time.process_time() - started) / count:.0f} ms of processor time a capture")
    assert limit.point is not None
    promised = 1 - (1 - given.fmr) ** len(halves[0])
    print(f"promised: FPIR {promised:.4f} with {len(halves[0])} people enrolled; {limit.point.in_words}")
    for kind, judgements in found.items():
        if judgements:
            print(rates(kind, judgements))


def without_landmarks(folder: Path) -> list[RawCapture]:
    """Return the captures in a folder; faces have to be found, even where a file has their landmarks."""
    found = captures_in(folder)
    return [one if one.sample is None else replace(one, sample=one.sample.without("landmarks")) for one in found]


def judged(answers: Answers, probes: Sequence[RawCapture], enrolled: Sequence[str]) -> list[tuple[bool, Answer]]:
    """Return for each probe whether its person is enrolled, and what is said of its surest face."""
    return [(probe.person in enrolled, answers.of(probe)[0]) for probe in probes]


def rates(kind: str, judgements: Sequence[tuple[bool, Answer]]) -> str:
    """Return the error rates of one kind of probes in a line."""
    own = [answer for known, answer in judgements if known]
    strange = [answer for known, answer in judgements if not known]
    named = np.array([answer.decision is not None and answer.decision.name == answer.face.person for answer in own])
    first = np.array(
        [answer.decision is not None and answer.decision.best.name == answer.face.person for answer in own]
    )
    false = np.array([answer.is_known for answer in strange])
    wrong = sum(not right and answer.is_known for right, answer in zip(named, own, strict=True))
    return (
        f"{kind}: FNIR {1 - named.mean():.3f} ({(~named).sum()} of {len(own)}; {wrong} under another name; the nearest "
        f"person right {first.mean():.3f}), FPIR {false.mean():.4f} ({false.sum()} of {len(strange)})"
    )


if __name__ == "__main__":
    main()
