"""Trees that have all names of a database and nothing in their files: for checks of readers, counts and protocols.

Totals a category are the published ones. How they are spread over people and codes is not published: it is made up
here, evenly and always alike, but for what is said beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

BOSPHORUS_PEOPLE = 105
BOSPHORUS_CODES: Mapping[str, Mapping[str, int]] = {
    "E": {"ANGER": 71, "DISGUST": 69, "FEAR": 70, "HAPPY": 106, "SADNESS": 66, "SURPRISE": 71},
    "LFAU": {
        **dict.fromkeys(("9", "10", "12", "12L", "12R", "12LW", "14", "15", "16"), 78),
        **dict.fromkeys(("17", "18", "20", "22", "23", "24", "25", "26", "27", "28", "34"), 77),
    },
    "UFAU": {"1": 87, "2": 87, "4": 86, "43": 86, "44": 86},
    "CAU": {"A12A15": 57, "A22A25": 56, "A26A12lw": 56},
    "YR": dict.fromkeys(("R10", "R20", "R30", "R45", "L45", "R90", "L90"), 105),
    "PR": {"U": 105, "SU": 105, "D": 105, "SD": 104},
    "CR": {"RD": 105, "RU": 106},
    "O": {"EYE": 105, "MOUTH": 105, "GLASSES": 104, "HAIR": 67},
    "IGN": {"X": 18},
}
"""Scans a code. Sums a category are published; single codes are so for E, YR and O, even shares for LFAU, UFAU, CAU,
and for PR and CR the nearest to one a person. What ignored scans are called is not known: `IGN_X`."""
BOSPHORUS_NEUTRAL = 299
BOSPHORUS_SUFFIXES = (".bnt", ".lm3", ".lm2", ".png")
_LABELS = (
    *("Outer left eye corner", "Inner left eye corner", "Inner right eye corner", "Outer right eye corner"),
    *("Nose tip", "Left mouth corner", "Right mouth corner"),
)
_POINTS = ((-45, 30), (-15, 30), (15, 30), (45, 30), (0, 0), (-25, -35), (25, -35))
_LM3 = "#\n#\n7 landmarks:\n" + "".join(f"{label}\n{x} {y} 0\n" for label, (x, y) in zip(_LABELS, _POINTS, strict=True))
_LM2 = (
    "#\n\n7 landmarks: labels and coordinates\n\nLabels:\n"
    + "".join(f"{label}\n" for label in _LABELS)
    + "\n2D Image coordinates:\n"
    + "".join(f"{800 + 5 * x} {600 - 5 * y}\n" for x, y in _POINTS)
)
"""Landmark files are read when a folder is listed: the least that has all five points."""

FRGC_SEASONS: Mapping[str, tuple[range, int]] = {
    "Fall2003range": (range(370), 1893),
    "Spring2004range": (range(121, 466), 2114),
    "Spring2003range": (range(277), 943),
}
"""Season to its people, by numbers made up, and its scans. That the first two have 4,007 scans of 466 people together
is published; each season's numbers are [unconfirmed]. The last one is the training part."""
FRGC_COMPARED = ("Fall2003range", "Spring2004range")

LOCK3DFACE_PEOPLE, LOCK3DFACE_VIDEOS = 509, 5671
LOCK3DFACE_VIDEO_CODES = (
    *("NU_1", "NU_2", "FE_1", "FE_2", "PS_1", "PS_2", "OC_1", "OC_2", "TM_1", "TM_2", "TM_3"),
    "TM_4",
)
"""What a person of twelve videos has; most have the first eleven. How many there are a category is made up."""

KINECT_PEOPLE = 52
KINECT_STATES = (
    *("Neutral", "Smile", "OpenMouth", "LightOn", "OcclusionEyes", "OcclusionMouth", "OcclusionPaper"),
    *("LeftProfile", "RightProfile"),
)


def bosphorus_names() -> Iterator[tuple[str, str]]:
    """Yield person and scan, `bs000` and `bs000_N_N_0`, of all 4,666 scans."""
    for place in range(BOSPHORUS_NEUTRAL):
        person = place % BOSPHORUS_PEOPLE
        yield _bosphorus_name(person, "N_N", place // BOSPHORUS_PEOPLE)
    start = 0
    for category, codes in BOSPHORUS_CODES.items():
        for code, total in codes.items():
            for place in range(total):
                person = (start + place) % BOSPHORUS_PEOPLE
                yield _bosphorus_name(person, f"{category}_{code}", place // BOSPHORUS_PEOPLE)
            start += total


def _bosphorus_name(person: int, code: str, number: int) -> tuple[str, str]:
    return f"bs{person:03d}", f"bs{person:03d}_{code}_{number}"


def write_bosphorus_names(
    root: Path, suffixes: Sequence[str] = BOSPHORUS_SUFFIXES, people: int = BOSPHORUS_PEOPLE
) -> None:
    """Write Bosphorus, `bs000/bs000_N_N_0.bnt` and its three twins: 105 people, 4,666 scans, or the first of them."""
    texts = {".lm3": _LM3, ".lm2": _LM2}
    scans = [(who, scan) for who, scan in bosphorus_names() if int(who[2:]) < people]
    _write(root, ((f"{who}/{scan}{end}", texts.get(end, "")) for who, scan in scans for end in suffixes))


def write_frgc_names(root: Path, textures: bool = True, seasons: Sequence[str] = FRGC_COMPARED) -> None:
    """Write FRGC v2, `Fall2003range/04200d020.abs.gz` with `04200d021.ppm`: 466 people, 4,007 scans."""

    def names() -> Iterator[tuple[str, str]]:
        for number, (season, (people, total)) in enumerate(FRGC_SEASONS.items()):
            for place in range(total if season in seasons else 0):
                person, scan = people[place % len(people)], place // len(people)
                stem, recording = f"{season}/{4200 + person:05d}d", 100 * (1 + number % 2) + 2 * scan
                yield f"{stem}{recording:03d}.abs.gz", ""
                if textures:
                    yield f"{stem}{recording + 1:03d}.ppm", ""

    _write(root, names())


def write_lock3dface_names(root: Path, kinds: Sequence[str] = ("COLOR", "DEPTH", "INFRARED"), frames: int = 1) -> None:
    """Write Lock3DFace, folders `001_Kinect_NU_1DEPTH` of `01.png`: 509 people, 5,671 videos of few frames."""

    def names() -> Iterator[tuple[str, str]]:
        for person in range(LOCK3DFACE_PEOPLE):
            n_videos = LOCK3DFACE_VIDEOS // LOCK3DFACE_PEOPLE + (person < LOCK3DFACE_VIDEOS % LOCK3DFACE_PEOPLE)
            for code in LOCK3DFACE_VIDEO_CODES[:n_videos]:
                for kind in kinds:
                    end = "png" if kind == "DEPTH" else "jpg"
                    for frame in range(1, frames + 1):
                        yield f"{person + 1:03d}_Kinect_{code}{kind}/{frame:02d}.{end}", ""

    _write(root, names())


def write_kinectfacedb_names(root: Path) -> None:
    """Write KinectFaceDB, `0001/s1/RGB/rgb_0001_s1_Neutral.bmp` and twins: 52 people, 2 sessions, 9 states."""

    def names() -> Iterator[tuple[str, str]]:
        for person in range(1, KINECT_PEOPLE + 1):
            for session in ("s1", "s2"):
                for state in KINECT_STATES:
                    folder, what = f"{person:04d}/{session}", f"{person:04d}_{session}_{state}"
                    yield f"{folder}/RGB/rgb_{what}.bmp", ""
                    yield f"{folder}/Depth/DepthBMP/depth_{what}.bmp", ""
                    yield f"{folder}/Depth/DepthKinect/depth_{what}.txt", ""
                    yield f"{folder}/3DObj/depth_{what}.obj", ""

    _write(root, names())


def _write(root: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write files, path below the root and text, and their folders; those of one text are links to one file."""
    made: set[str] = set()
    first: dict[str, str] = {}
    for name, text in files:
        path = os.path.join(root, name)
        folder = os.path.dirname(path)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        if text in first:
            os.link(first[text], path)
            continue
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        first[text] = path
