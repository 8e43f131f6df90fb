"""Ids and the names made from them for files and CSVs: reversible, without dots or separators."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

from face3d_data.digest import digest

_PLAIN = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*")
_TO_ENCODE = re.compile(r"[^A-Za-z0-9_/~\n-]|__|_[/~\n]|[/~\n]_|\A_|_\Z")
"""What some part of ids, a line each, is percent-encoded for."""
_SAFE = re.compile(r"[A-Za-z0-9_-]")


def same_form(text: str) -> str:
    """Return a name in the one form in which names are kept and compared: Unicode's NFC.

    An accented letter may be written as one character or as two; file systems and programs differ in which they write.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def loose_form(text: str) -> str:
    """Return what names have in common that a person would call one: no case, blanks, compatibility forms (NFKC).

    Parts of an id are taken each by itself. Two names of one loose form are suspected to be one, never made one.
    """
    return "/".join(_loose_part(part) for part in text.split("/"))


def _loose_part(part: str) -> str:
    if not part.isascii():
        part = unicodedata.normalize("NFKC", "".join(c for c in part if unicodedata.category(c) != "Cf"))
        part = unicodedata.normalize("NFKC", part.casefold())
    return " ".join(part.casefold().split())


def encode_part(part: str) -> str:
    """Return one part of an id so that parts can be joined by `__` and split again.

    `%`, `.`, `~`, everything outside `[A-Za-z0-9_-]`, and any `_` beside another `_` or at an end are percent-encoded
    as UTF-8.
    """
    if _PLAIN.fullmatch(part):
        return part
    out = []
    for i, char in enumerate(part):
        at_edge = i in (0, len(part) - 1) or "_" in (part[i - 1], part[i + 1])
        if _SAFE.match(char) and not (char == "_" and at_edge):
            out.append(char)
        else:
            out.extend(f"%{byte:02X}" for byte in char.encode())
    return "".join(out)


def name_of(sample_id: str) -> str:
    """Return the file name of an id or identity: parts encoded and joined by `__`, the `~` of suffixes kept."""
    parts = sample_id.split("/")
    return "__".join("~".join(encode_part(piece) for piece in part.split("~")) for part in parts)


def names_of(ids: Sequence[str]) -> list[str]:
    """Return `name_of` each id, many times faster where nothing in any of them has to be encoded."""
    text = "\n".join(ids)
    if _TO_ENCODE.search(text) or text.count("\n") != len(ids) - 1:
        return list(map(name_of, ids))
    return text.replace("/", "__").split("\n")


def file_name_of(sample_id: str, most_bytes: int = 200) -> str:
    """Return a name that any file system accepts: `name_of`, but a very long one is cut and made unique by a digest."""
    name = name_of(sample_id)
    return name if len(name) <= most_bytes else f"{name[: most_bytes - 17]}~{digest(sample_id)[:16]}"


def id_of(name: str) -> str:
    """Return the id that `name_of` made `name` from."""
    return "/".join("~".join(unquote(piece) for piece in part.split("~")) for part in name.split("__"))


def check_id_part(text: str, what: str) -> str | None:
    """Return what is wrong with a person's or capture's name as a part of an id, or None."""
    if not text:
        return f"{what} is empty"
    if "/" in text or "\x00" in text or "~" in text:
        return f"{what} {text!r} holds '/', '~' or a zero byte"
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{what} {text!r} is not UTF-8"
    return None
