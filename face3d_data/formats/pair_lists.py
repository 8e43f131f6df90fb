"""Pair lists of verification sets, with each line checked; the reader finds the images that they name.

- LFW: a header `folds<TAB>pairs per fold` (or the pairs alone), then in each fold as many lines `name<TAB>1<TAB>4` as
  `name<TAB>1<TAB>name<TAB>2` (http://vis-www.cs.umass.edu/lfw/README.txt).
- CALFW and CPLFW: two lines a pair, `file name<SPACE>number`, the same number in both: 0 = two people. In CALFW the
  numbers of one person's pairs go from 1 to 10, the fold; of the others' folds nothing is said.
- CFP: `Pair_list_F.txt` and `Pair_list_P.txt` number the images (`12 ../Data/Images/002/frontal/02.jpg`), and
  `Split/{FF,FP}/NN/{same,diff}.txt` hold `number,number`; in FP the second is a profile (the database's Readme.txt).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from face3d_data.errors import Unreadable
from face3d_data.formats.text_bytes import read_text

LONGEST_LIST = 50_000_000
"""Bytes of a list."""
CFP_PROTOCOLS = {"FF": ("F", "F"), "FP": ("F", "P")}
NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class ListedPair:
    """One pair.

    Attributes:
        where: file and line, for messages.
        same: whether it shows one person.
        first: its first image, as (folder, name): LFW gives a person and a number, the others a path alone.
        second: its second.
        fold: number of its fold from 0, -1 where the list has none.
    """

    where: str
    same: bool
    first: tuple[str, str]
    second: tuple[str, str]
    fold: int = -1


def read_lfw_pairs(path: str | Path) -> list[ListedPair]:
    """Return the pairs of LFW's `pairs.txt`, `pairsDevTrain.txt` or `pairsDevTest.txt`.

    Raises:
        ValueError: a line does not have this form; the message names file and line.
        OSError: the file is gone.
    """
    path = Path(path)
    lines = _lines(path)
    head = re.fullmatch(r"([0-9]{1,9})(?:\t([0-9]{1,9}))?", lines[0][1]) if lines else None
    rows = lines[1:] if head else lines
    folds, per_fold = (int(head[1]), int(head[2])) if head and head[2] else (1, int(head[1]) if head else 0)
    if head and len(rows) != 2 * folds * per_fold:
        raise ValueError(f"{path.name}, line 1: asks for {2 * folds * per_fold} lines of pairs, there are {len(rows)}")
    return [_lfw_pair(f"{path.name}, line {number}", text, i, per_fold) for i, (number, text) in enumerate(rows)]


def _lfw_pair(where: str, text: str, place: int, per_fold: int) -> ListedPair:
    fields = [field.strip() for field in text.split("\t")]
    same = len(fields) == 3
    numbers = [*fields[1:2], fields[-1]]
    if len(fields) not in (3, 4) or not all(fields) or not all(map(NUMBER.fullmatch, numbers)):
        raise ValueError(f"{where}: expected name, number, number or name, number, name, number between TABs")
    if per_fold and same != (place // per_fold % 2 == 0):
        raise ValueError(f"{where}: is out of order: each fold has {per_fold} pairs of one person, then of two")
    fold = place // (2 * per_fold) if per_fold else -1
    return ListedPair(where, same, (fields[0], numbers[0]), (fields[0 if same else 2], numbers[1]), fold)


def read_two_line_pairs(path: str | Path) -> list[ListedPair]:
    """Return the pairs of `pairs_CALFW.txt` or `pairs_CPLFW.txt`; not all pairs have a fold there, so no folds are
    returned.

    Raises:
        ValueError: a line does not have this form; the message names file and line.
        OSError: the file is gone.
    """
    path = Path(path)
    lines = _lines(path)
    found = []
    for i in range(0, len(lines), 2):
        where = f"{path.name}, line {lines[i][0]}"
        if i + 1 == len(lines):
            raise ValueError(f"{where}: the second line is missing: each pair takes two")
        (name1, label1), (name2, label2) = (_named(path, *line) for line in lines[i : i + 2])
        if label1 != label2:
            raise ValueError(f"{path.name}, line {lines[i + 1][0]}: says {label2} where the line before says {label1}")
        found.append(ListedPair(where, label1 != 0, ("", name1), ("", name2)))
    return found


def _named(path: Path, number: int, text: str) -> tuple[str, int]:
    name, _, label = text.rpartition(" ")
    if not name.strip() or not NUMBER.fullmatch(label):
        raise ValueError(f"{path.name}, line {number}: expected a file's name and a number, 0 for two people")
    return name.strip(), int(label)


def read_cfp_pairs(folder: str | Path, protocol: str) -> list[ListedPair]:
    """Return the pairs of CFP, fold after fold, those of one person first.

    Args:
        folder: its folder `Protocol`.
        protocol: `FF` (frontal to frontal) or `FP` (frontal to profile).

    Raises:
        ValueError: a file is missing, or a line is not as the form asks, named by file and line.
    """
    folder = Path(folder)
    sides = CFP_PROTOCOLS[protocol]
    images = {side: _numbered(folder / f"Pair_list_{side}.txt") for side in set(sides)}
    splits = folder / "Split" / protocol
    folds = sorted(path.name for path in splits.iterdir() if path.is_dir()) if splits.is_dir() else []
    if not folds:
        raise ValueError(f"{splits}: has no folder of a fold (01 to 10)")
    return [
        pair
        for number, name in enumerate(folds)
        for same, file_name in ((True, "same.txt"), (False, "diff.txt"))
        for pair in _cfp_fold(splits / name / file_name, same, number, [images[side] for side in sides])
    ]


def _cfp_fold(path: Path, same: bool, fold: int, images: list[dict[int, str]]) -> Iterator[ListedPair]:
    name = "/".join(path.parts[-3:])
    for number, text in _lines(path):
        where = f"{name}, line {number}"
        match = re.fullmatch(r"([0-9]{1,9})\s*,\s*([0-9]{1,9})", text)
        if match is None:
            raise ValueError(f"{where}: expected two numbers and a comma between them")
        codes = [int(match[1]), int(match[2])]
        for code, known in zip(codes, images, strict=True):
            if code not in known:
                raise ValueError(f"{where}: image {code} is not in the list of images")
        yield ListedPair(where, same, ("", images[0][codes[0]]), ("", images[1][codes[1]]), fold)


def _numbered(path: Path) -> dict[int, str]:
    found = {}
    for number, text in _lines(path):
        match = re.fullmatch(r"([0-9]{1,9})\s+(\S.*)", text)
        if match is None:
            raise ValueError(f"{path.name}, line {number}: expected a number and a path")
        found[int(match[1])] = match[2]
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return (number, text) of the lines that are not empty."""
    try:
        text = read_text(path, LONGEST_LIST, wanted="for a list of pairs")
    except Unreadable as error:
        raise ValueError(error.detail) from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
