"""Verification sets (LFW, CFP, CALFW …): images of people, and the lists of pairs that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, get_args

from pydantic import Field

from face3d_data.errors import UserError
from face3d_data.formats.pair_lists import (
    CFP_PROTOCOLS,
    ListedPair,
    read_cfp_pairs,
    read_lfw_pairs,
    read_two_line_pairs,
)
from face3d_data.names import check_id_part
from face3d_data.plurals import counted
from face3d_data.reader import Source
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles
from face3d_data.readers.shared.pattern import NamePattern, compile_pattern
from face3d_data.registry import register

SetLayout = Literal["lfw", "calfw", "cplfw", "cfp", "query_gallery", "pku_masked_face"]
Role = Literal["query", "gallery"]
PATTERNS: dict[str, str] = {
    "lfw": "{identity}/{capture}",
    "calfw": "{identity}_{number:int}",
    "cplfw": "{identity}_{number:int}",
    "cfp": "Data/Images/{identity}/{pose}/{capture}",
    "query_gallery": "{role}/{identity}/{capture}",
    "pku_masked_face": "{role}/{identity}[_{worn:int}]/{capture}",
}
KNOWN = {"pose": ("frontal", "profile"), "role": get_args(Role)}
"""Values that folders of these names may have."""
Who = tuple[str, str]
"""Person and capture."""


@register
class VerificationSets(ImageFolder):
    """Read LFW, CALFW, CPLFW, CFP (images and pairs), and query/gallery folders such as PKU-Masked-Face's.

    Layouts, below the root: `lfw` `<name>/<name>_0001.jpg`; `calfw` and `cplfw` `<name>_0001.jpg`, all in one folder;
    `cfp` `Data/Images/<person>/{frontal,profile}/<n>.jpg`, tagged with `pose`; `query_gallery`
    `{query,gallery}/<person>/<image>`, tagged with `role`. `pku_masked_face` has the same layout, and faces of `query`
    wear masks unless the person's folder ends with `_0` (bare) or `_1` (masked) [unconfirmed]. With `pairs`, an image
    of a pair that is missing in the folder is listed as dirty, with the line, and datasets keep the list as
    `pairs/LFW.csv` (`CALFW`, `CPLFW`, `CFP_FF`, `CFP_FP`); `pairs_as_text` returns it in the form of LFW's.
    """

    name = "verification_sets"
    version = 1
    tag_names = ("pose", "role")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "missing_image": "an image of a pair does not exist",
    }

    layout: SetLayout = Field("lfw", exclude=True, description="layout of the folders")
    pairs: Path | None = Field(
        None, exclude=True, description="list of pairs to check: a file, for cfp the folder Protocol"
    )
    masked: tuple[Role, ...] | None = Field(
        None, exclude=True, description="folders with masked faces [none; for pku_masked_face: query]"
    )

    @cached_property
    def _compiled(self) -> NamePattern:
        return super()._compiled if self.pattern is not None else compile_pattern(PATTERNS[self.layout])

    def scan(self) -> Iterator[Source]:
        """Yield every image, then every image that a pair names and that does not exist.

        Raises:
            UserError: the root or the list of pairs cannot be used.
        """
        wanted = self._wanted()
        for source in self._images():
            wanted.pop((source.person, source.capture), None)
            yield source
        for (person, capture), (where, lines) in wanted.items():
            more = f" and {counted(lines - 1, 'more line')}" if lines > 1 else ""
            detail = f"{where}{more}: there is no image {capture} of {person}"
            yield Source(person, capture, problem=("missing_image", detail))

    def _images(self) -> Iterator[Source]:
        try:
            yield from super().scan()
        except UserError as error:
            if self.pattern is None and "expected files named" in str(error):
                named = f"{PATTERNS[self.layout]}.jpg"
                raise UserError(
                    f"{self.name}: no image in {self.root}: layout {self.layout} wants {named}: set layout or root"
                ) from None
            raise

    def source(self, found: CaptureFiles) -> Source:
        """Return an image's source, with what its folders say."""
        match, tags = found.match, dict(found.match.tags)
        capture = found.stem if self.pattern is None and self.layout in ("calfw", "cplfw") else match.capture
        for name, values in KNOWN.items():
            if name in tags and self.pattern is None and tags[name] not in values:
                problem = ("name_not_matched", f"{found.stem}: folder {tags[name]!r} is none of {', '.join(values)}")
                return Source(match.person, capture, found.files, tags={}, problem=problem)
        worn = tags.pop("worn", None)
        masked = self.masked if self.masked is not None else ("query",) if self.layout == "pku_masked_face" else ()
        if worn == 1 if isinstance(worn, int) else tags.get("role") in masked:
            tags["mask"] = "worn"
        return Source(match.person, capture, found.files, tags=tags, arrays=self.outputs)

    def pair_lists(self) -> Mapping[str, Sequence[ListedPair]]:
        """Return the set's own list: `LFW`, `CALFW`, `CPLFW`, or `CFP_FF` and `CFP_FP`; none without `pairs`."""
        if self.pairs is None:
            return {}
        if self.layout == "cfp":
            return {f"CFP_{one}": read_pairs_of("cfp", self.pairs, one) for one in CFP_PROTOCOLS}
        return {self.layout.upper(): read_pairs_of(self.layout, self.pairs)}

    def _wanted(self) -> dict[Who, tuple[str, int]]:
        """Return each image that pairs name, the first line that does, and how many do."""
        wanted: dict[Who, tuple[str, int]] = {}
        for pairs in self.pair_lists().values():
            for pair in pairs:
                for image in (pair.first, pair.second):
                    where, lines = wanted.get(image, (pair.where, 0))
                    wanted[image] = (where, lines + 1)
        return wanted


def read_pairs_of(layout: str, path: str | Path, protocol: str = "FP") -> list[ListedPair]:
    """Return the pairs of a set's own list, each image as (person, capture), as the reader calls them.

    Args:
        layout: the reader's option.
        path: the list; for `cfp` the folder `Protocol`.
        protocol: `FF` or `FP`, of `cfp`.

    Raises:
        UserError: the list cannot be read, a line is not as its form asks or contradicts its own names, or the layout
            has no pairs.
    """
    path = Path(path)
    try:
        if layout == "cfp":
            pairs = read_cfp_pairs(path, protocol)
        elif layout in ("calfw", "cplfw"):
            pairs = read_two_line_pairs(path)
        elif layout == "lfw":
            pairs = read_lfw_pairs(path)
        else:
            raise ValueError(f"{path.name}: layout {layout} has no pairs: leave pairs out")
        return [_checked(layout, pair) for pair in pairs]
    except ValueError as error:
        raise UserError(f"verification_sets: pairs: {error}") from None


def _checked(layout: str, pair: ListedPair) -> ListedPair:
    first, second = (_image(layout, image, pair.where) for image in (pair.first, pair.second))
    if first == second:
        raise ValueError(f"{pair.where}: pairs an image with itself")
    if pair.same != (first[0] == second[0]):
        said = "one person" if pair.same else "two people"
        raise ValueError(f"{pair.where}: calls {first[0]} and {second[0]} {said}")
    return ListedPair(pair.where, pair.same, first, second, pair.fold)


def _image(layout: str, image: tuple[str, str], where: str) -> Who:
    """Return person and capture of an image as its list names it."""
    folder, text = image
    path = PurePosixPath(text.replace("\\", "/"))
    if layout == "lfw":
        person, capture = folder, f"{folder}_{int(text):04d}"
    elif layout == "cfp":
        person, capture = path.parent.parent.name, f"{path.parent.name}_{path.stem}"
    else:
        person, capture = path.stem.rpartition("_")[0], path.stem
    wrong = check_id_part(person, "the person") or check_id_part(capture, "the image")
    if wrong:
        raise ValueError(f"{where}: {text!r} names no image ({wrong})")
    return person, capture


def pairs_as_text(layout: str, path: str | Path, protocol: str = "FP") -> str:
    """Return a set's own list in the form that `face3d evaluate --pairs` reads, with captures for image numbers.

    Args:
        layout: as `read_pairs_of` takes it.
        path: likewise.
        protocol: likewise.

    Raises:
        UserError: as `read_pairs_of`.
    """
    path = Path(path)
    pairs = read_pairs_of(layout, path, protocol)
    folds: dict[tuple[int, bool], list[ListedPair]] = {}
    for pair in pairs:
        folds.setdefault((pair.fold, pair.same), []).append(pair)
    counts = {len(some) for some in folds.values()}
    in_folds = len(counts) == 1 and all((fold, not same) in folds and fold >= 0 for fold, same in folds)
    lines = [f"{len(folds) // 2}\t{counts.pop()}"] if in_folds else []
    for pair in sorted(pairs, key=lambda pair: (pair.fold, not pair.same)) if in_folds else pairs:
        (name1, one), (name2, two) = pair.first, pair.second
        lines.append("\t".join((name1, one, two) if pair.same else (name1, one, name2, two)))
    return "\n".join([*lines, ""])
