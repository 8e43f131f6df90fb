"""Rules of the published protocols: which captures enrol, and in which category each probe is counted.

A rule reads the tags that the database's reader gives (`category`, `code`, `session`, `expression`), never names. How
many there have to be is in `counts`: by memory of the papers named there, but where it says how it was checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

RULES_VERSION = 1
"""Raised with every change of a rule: it enters the digest of datasets that ask for one."""
NEUTRAL = "neutral"
YAWS = ("R10", "R20", "R30", "R45", "R90", "L45", "L90")
OCCLUSIONS = ("EYE", "MOUTH", "GLASSES", "HAIR")
KINECT_STATES = (
    *("Neutral", "Smile", "OpenMouth", "LightOn", "OcclusionEyes", "OcclusionMouth", "OcclusionPaper"),
    *("LeftProfile", "RightProfile"),
)


@dataclass(frozen=True)
class ProtocolRole:
    """Role of a capture in a protocol.

    Attributes:
        category: category it is counted in as a probe, `YR/R10` within `YR`; empty: it is never a probe.
        enrols: whether it may be a person's gallery; the first that may is.
        recording: what is one recording with the person's other captures of the same text (frames of a video): none
            of them is a probe if one of them enrols. Empty: every capture is its own.
        left_out: why it is neither, for the note that counts these.
        before: what comes first among the captures of a person, before their ids are compared.
    """

    category: str = ""
    enrols: bool = False
    recording: str = ""
    left_out: str = ""
    before: str = ""


@dataclass(frozen=True)
class Rule:
    """A published protocol.

    Attributes:
        title: in words.
        people: people in its gallery, as published.
        counts: category to its probes, as published; not every category's number is.
        probes: all probes, as published.
        tags: tags that it reads.
        place: place of a capture by these tags, missing ones empty.
        readers: readers that give these tags of the database.
        of_videos: `probes` counts recordings, of which several frames may be probes.
    """

    title: str
    people: int
    probes: int
    counts: Mapping[str, int]
    tags: tuple[str, ...]
    place: Callable[[Mapping[str, str]], ProtocolRole]
    readers: tuple[str, ...]
    of_videos: bool = False


def _bosphorus(tags: Mapping[str, str]) -> ProtocolRole:
    group, code = tags["category"].upper(), re.split(r"[_/]", tags["code"].upper())
    if group == "N":
        return ProtocolRole("N", enrols=True)
    if group == "E":
        return ProtocolRole("E")
    if group in ("LFAU", "UFAU", "CAU"):
        return ProtocolRole(f"AU/{group}")
    if group in ("YR", "O"):
        known = next((name for name in (*YAWS, *OCCLUSIONS) if name in code), "")
        return ProtocolRole(f"{group}/{known}" if known else group)
    if group in ("PR", "CR"):
        return ProtocolRole(group)
    return ProtocolRole(left_out="ignored by the database (IGN)" if group == "IGN" else "of no category of Bosphorus")


def _frgc(tags: Mapping[str, str]) -> ProtocolRole:
    session, expression = tags["session"], tags["expression"].lower()
    if not tags["recording"]:
        return ProtocolRole(left_out="of no recording of FRGC")
    if session.startswith("Spring2003"):
        return ProtocolRole(left_out="of Spring 2003, the training part")
    if expression in ("", "unknown", "not given"):
        return ProtocolRole("unlabelled", enrols=True, before=session)
    return ProtocolRole(NEUTRAL if expression == NEUTRAL else "non_neutral", enrols=True, before=session)


def _lock3dface(tags: Mapping[str, str]) -> ProtocolRole:
    group = tags["category"].upper()
    if group not in ("NU", "FE", "PS", "OC", "TM"):
        return ProtocolRole(left_out="of no category of Lock3DFace")
    number = tags["number"].partition(".")[0]
    return ProtocolRole(group, enrols=group == "NU", recording=f"{group} {number}", before=number.zfill(6))


def _eurecom_kinect(tags: Mapping[str, str]) -> ProtocolRole:
    session = re.sub(r"[^0-9]", "", tags["session"].partition(".")[0])
    by_letters = {state.lower(): state for state in KINECT_STATES}
    texts = (tags[name] for name in ("category", "code", "expression"))
    state = next((by_letters[text] for text in (_letters(text) for text in texts) if text in by_letters), "")
    if not state:
        return ProtocolRole(left_out="of no state of KinectFaceDB")
    if session == "1":
        return ProtocolRole(enrols=True) if state == "Neutral" else ProtocolRole(left_out="of session 1, not neutral")
    return ProtocolRole(state) if session == "2" else ProtocolRole(left_out="of neither session")


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        # Savran et al., BIOID 2008. That the scans of N, E and the three AU groups are 2,902, and the first neutral
        # ones 105, is read in public code that quotes Kim et al., IJCB 2017; each number by itself is [unconfirmed].
        "bosphorus": Rule(
            "Bosphorus: all against the first neutral scan",
            people=105,
            probes=4543,
            counts={
                **{"N": 194, "E": 453, "AU": 2150, "AU/LFAU": 1549, "AU/UFAU": 432, "AU/CAU": 169},
                **{"YR": 735, **{f"YR/{yaw}": 105 for yaw in YAWS}, "PR": 419, "CR": 211},
                **{"O": 381, "O/EYE": 105, "O/MOUTH": 105, "O/GLASSES": 104, "O/HAIR": 67},
            },
            tags=("category", "code"),
            place=_bosphorus,
            readers=("bosphorus",),
        ),
        # Phillips et al., CVPR 2005: 466 people, 4,007 scans. Neutral ones as in Mian et al., PAMI 2007 [unconfirmed]:
        # 2,410 of them, 466 of which enrol. File names do not tell it.
        "frgc": Rule(
            "FRGC v2: all against the first scan",
            people=466,
            probes=3541,
            counts={NEUTRAL: 1944, "non_neutral": 1597},
            tags=("recording", "session", "expression"),
            place=_frgc,
            readers=("frgc",),
        ),
        # Zhang et al., ICB 2016; Mu et al., CVPR 2019: 509 people, 5,671 videos. Videos a category: not found.
        "lock3dface": Rule(
            "Lock3DFace: all videos against the first neutral one",
            people=509,
            probes=5162,
            counts={},
            tags=("category", "number"),
            place=_lock3dface,
            readers=("lock3dface", "lock3dface_bundle"),
            of_videos=True,
        ),
        # Min, Kose, Dugelay, TSMC 2014: 52 people, two sessions, nine states.
        "eurecom_kinect": Rule(
            "KinectFaceDB: session 2 against neutral in session 1",
            people=52,
            probes=468,
            counts=dict.fromkeys(KINECT_STATES, 52),
            tags=("session", "category", "code", "expression"),
            place=_eurecom_kinect,
            readers=("eurecom_kinect",),
        ),
    }
)
"""Published protocols by the name of the reader that reads the database."""
