"""Writers of tiny verification sets in the layouts of LFW, CALFW, CPLFW, CFP and of query/gallery folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scans import face_scan

from face3d_data.testing.write import write_image

NAMES = ("Ann_Lee", "Bo_de_la_Cruz", "Cy-Young_3")


def picture(person: int, number: int) -> np.ndarray:
    """Return the picture of a synthetic person, RGB; numbers from 2 show captures 0 and 1 darker."""
    color = face_scan(person, number % 2, 24).color
    return color if number < 2 else (color // number).astype(np.uint8)


def write_lfw(root: Path, people: int = 3, images: int = 3) -> None:
    """Write `<name>/<name>_0001.jpg` and, beside them, `pairs.txt` of two folds with a pair of each kind."""
    for person, name in enumerate(NAMES[:people]):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(1, images + 1):
            write_image(root / name / f"{name}_{number:04d}.jpg", picture(person, number))
    a, b, c = NAMES
    rows = ["2\t1", f"{a}\t1\t2", f"{a}\t3\t{b}\t1", f"{b}\t2\t3", f"{b}\t1\t{c}\t3"]
    (root / "pairs.txt").write_text("\n".join(rows) + "\n")


def write_calfw(root: Path, people: int = 3, images: int = 2) -> None:
    """Write `aligned images/<name>_0001.jpg` and `pairs_CALFW.txt`: one person's pairs with their fold, then others."""
    _write_flat(root / "aligned images", people, images, "{name}_{number:04d}.jpg")
    a, b, c = NAMES
    rows = [f"{a}_0001.jpg 1", f"{a}_0002.jpg 1", f"{c}_0002.jpg 10", f"{c}_0001.jpg 10"]
    rows += [f"{a}_0001.jpg 0", f"{b}_0001.jpg 0", f"{b}_0002.jpg 0", f"{c}_0001.jpg 0"]
    (root / "pairs_CALFW.txt").write_text("\n".join(rows) + "\n")


def write_cplfw(root: Path, people: int = 3, images: int = 2) -> None:
    """Write `images/<name>_1.jpg` and `pairs_CPLFW.txt`, 1 for one person and 0 for two."""
    _write_flat(root / "images", people, images, "{name}_{number}.jpg")
    a, b, _ = NAMES
    rows = [f"{a}_1.jpg 1", f"{a}_2.jpg 1", f"{a}_1.jpg 0", f"{b}_2.jpg 0"]
    (root / "pairs_CPLFW.txt").write_text("\r\n".join(rows))


def _write_flat(folder: Path, people: int, images: int, file_name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for person, name in enumerate(NAMES[:people]):
        for number in range(1, images + 1):
            write_image(folder / file_name.format(name=name, number=number), picture(person, number))


def write_cfp(root: Path, people: int = 3, frontal: int = 2, profile: int = 1) -> None:
    """Write `Data/Images/001/{frontal,profile}/01.jpg`, their fiducials' files, and `Protocol` with two folds."""
    lists: dict[str, list[str]] = {"F": [], "P": []}
    for person in range(people):
        for side, pose, count in (("F", "frontal", frontal), ("P", "profile", profile)):
            for number in range(1, count + 1):
                place = f"{person + 1:03d}/{pose}/{number:02d}"
                path = root / "Data" / "Images" / f"{place}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_image(path, picture(person, number))
                points = root / "Data" / "Fiducials" / f"{place}.txt"
                points.parent.mkdir(parents=True, exist_ok=True)
                points.write_text("1.0,2.0\n" * 30)
                lists[side].append(f"{len(lists[side]) + 1} ../Data/Images/{place}.jpg")
    protocol = root / "Protocol"
    for side, rows in lists.items():
        protocol.mkdir(exist_ok=True)
        (protocol / f"Pair_list_{side}.txt").write_text("\n".join(rows) + "\n")
    # Of person p (from 0), frontal images are 2p+1 and 2p+2, the profile is p+1.
    folds = {"FF": [("1,2", "1,3"), ("3,4", "4,5")], "FP": [("1,1", "1,2"), ("4,2", "3,3")]}
    for name, splits in folds.items():
        for number, (same, diff) in enumerate(splits, 1):
            folder = protocol / "Split" / name / f"{number:02d}"
            folder.mkdir(parents=True)
            (folder / "same.txt").write_text(same + "\n")
            (folder / "diff.txt").write_text(diff + "\n")


def write_query_gallery(root: Path, people: int = 3, images: int = 2, suffixes: bool = False) -> None:
    """Write `gallery/<person>/<n>.png` and `query/<person>/<n>.png`; with suffixes, folders `<person>_0` and `_1`."""
    for masked, role in enumerate(("gallery", "query")):
        for person in range(people):
            folder = root / role / (f"{person}_{masked}" if suffixes else f"{person}")
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(images):
                write_image(folder / f"{number}.png", picture(person, number + masked))
