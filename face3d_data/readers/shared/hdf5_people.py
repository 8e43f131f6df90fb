"""People of the rows of an HDF5 file: by texts, by numbers, or by labels that a list names."""

from __future__ import annotations

from collections.abc import Mapping

from face3d_data.errors import Unreadable
from face3d_data.formats.h5_points import StoredArray, read_point_rows
from face3d_data.names import encode_part, name_of
from face3d_data.readers.shared.hdf5_files import H5File

WHO = ("identity", "pid", "class", "label")
"""What may say who a row shows, the surest first."""


def people_of(
    one: H5File, arrays: Mapping[str, StoredArray], texts: Mapping[str, list[str]], person: str | None
) -> tuple[list[str], dict[int, tuple[str, str]]]:
    """Return each row's person, and the rows whose label has no name: problem and detail by row.

    Args:
        one: the file.
        arrays: what it has.
        texts: those of them that are texts, read.
        person: the array with the person of each row; None: the first of `WHO` that the file has.

    Raises:
        Unreadable: `unreadable`: it has no such array, or labels that cannot be read.
    """
    which = person or next((name for name in WHO if name in arrays), None)
    if which is None or which not in arrays:
        wanted = person or "identity, pid, class or label"
        raise Unreadable("unreadable", f"{one.label}: has no {wanted}, so the person of a row is unknown")
    if which == "identity":
        # With a dataset before it, it is an identity of ours; a bare name is as other programs write it.
        return [name_of(text).replace("~", "%7E") if "/" in text else person_of_text(text) for text in texts[which]], {}
    if which in texts:
        return [person_of_text(text) for text in texts[which]], {}
    codes = read_point_rows(one.path, arrays[which]).reshape(-1).tolist()
    problems = {
        row: ("no_name", f"{one.label}: row {row}: {which} {code} is nobody")
        for row, code in enumerate(codes)
        if code < 0
    }
    if which != "label" or one.names is None:
        return [f"{code:05d}" for code in codes], problems
    people = []
    for row, code in enumerate(codes):
        known = 0 <= code < len(one.names) and bool(one.names[code])
        people.append(one.names[code] if known else f"{code:05d}")
        if not known and row not in problems:
            has = f"line {code + 1} is empty" if code < len(one.names) else f"has {len(one.names)} lines"
            detail = f"{one.label}: row {row}: label {code}, shape_names.txt {has}"
            problems[row] = ("no_name", detail)
    return people, problems


def person_of_text(text: str) -> str:
    """Return a text as a person's name, with what names cannot hold encoded."""
    return encode_part(text) if set(text) & set("/~\0") else text
