"""A tiny collection for reader `verification_sets`: people's folders and LFW's pairs."""

from pathlib import Path

from write_verification_sets import write_lfw

from face3d_data.readers.verification_sets import VerificationSets

SHARED = frozenset({"pairs.txt"})


def write(root: Path) -> None:
    write_lfw(root)


def reader(root: Path) -> VerificationSets:
    return VerificationSets(root=root, pairs=root / "pairs.txt")
