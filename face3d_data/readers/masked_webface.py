"""Training tree of the latent-part network (LPD, mindspore-ai/models): plain faces and synthetic masks over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from pydantic import PrivateAttr

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.reader import Source
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles
from face3d_data.readers.shared.pattern import Match, NamePattern, compile_pattern
from face3d_data.readers.shared.strays import Folder
from face3d_data.readers.shared.walk import walk
from face3d_data.registry import register
from face3d_data.sample import Tag

PLAIN_FOLDER = "faces_webface_112x112_raw_image"
STYLES = ("n95", "3m", "new", "mask_1", "mask_2", "mask_3", "mask_4", "mask_5")
"""Folders of masked images that its loader (MGDataset) draws from."""
TEST = "test"
PATTERN = "{style}/{identity}/{number:int}[_{visible_ratio:float}]"
NEEDED = ("style", "number", "visible_ratio")


@register
class MaskedWebface(ImageFolder):
    """Read LPD's training tree: `faces_webface_112x112_raw_image/<person>/<number>_<scale>.jpg` and masks beside it.

    The masked versions of a plain image are `<style>/<person>/<number>.jpg`, beside the plain folder: `n95`, `3m`,
    `new`, `mask_1` to `mask_5`. The style becomes the tag `mask`, and the scale, which only the plain image's name
    has, the tag `visible_ratio` of the plain image and of its masked versions, as its loader has it: here a plain face
    has the visible share of its masks. Captures are `<number>` and `<number>_<style>`. A masked image without a
    plain one is listed, as its loader does not read it either. Images of one number are one photograph: split this tree
    by people, and draw no pairs of it. The files below `test` are one row: reader
    `verification_sets` reads them. `face3d export --format masked-webface` writes both.
    """

    name = "masked_webface"
    version = 1
    tag_names = ("number", "visible_ratio")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_plain_image": "a masked image has no plain image of its number, and so no scale",
        "bad_scale": "the scale in a plain image's name is no share above 0 and up to 1",
    }

    @cached_property
    def _compiled(self) -> NamePattern:
        if self.pattern is None:
            return compile_pattern(PATTERN)
        compiled = super()._compiled
        missing = [name for name in NEEDED if name not in {field.name for field in compiled.fields}]
        if missing:
            wanted = f"has no {{{missing[0]}}}: the usual one is {PATTERN}"
            raise UserError(f"{self.name}: pattern {self.pattern!r} {wanted}")
        return compiled

    _scales: dict[tuple[str, str], float] = PrivateAttr(default_factory=dict)
    """Person and number as written of each plain image, to its scale."""

    def declared_tags(self) -> tuple[str, ...]:
        """Return the reader's own tags and those of the pattern; the style is the tag `mask`."""
        return tuple(name for name in super().declared_tags() if name != "style")

    def begin(self) -> None:
        """Read the scales of the plain images from their names.

        Raises:
            UserError: the root has no plain folder.
        """
        if not (self.root / PLAIN_FOLDER).is_dir():
            inside = self.root.resolve().name == PLAIN_FOLDER
            remedy = f"to {self.root.resolve().parent}" if inside else f"to the folder that contains {PLAIN_FOLDER}"
            raise UserError(f"{self.name}: no folder {PLAIN_FOLDER} in {self.root}: set root {remedy}")
        self._scales.clear()
        for folder in walk(self.root / PLAIN_FOLDER):
            for file in folder.files:
                name = self.name_of(f"{PLAIN_FOLDER}/{folder.name}/{file}")
                match = None if name is None else self._match(name)
                scale = None if match is None else _scale(match)
                if match is not None and scale is not None:
                    self._scales.setdefault((match.person, _number(file)), scale)

    def source(self, found: CaptureFiles) -> Source:
        """Return an image's source: its style and scale are tags."""
        match, number = found.match, _number(found.stem)
        if "style" not in match.tags:
            return super().source(found)  # an image given alone
        style = str(match.tags["style"])
        tags: dict[str, Tag] = {name: tag for name, tag in match.tags.items() if name != "style"}
        if style == PLAIN_FOLDER:
            plain = Source(match.person, number, found.files, tags=tags, arrays=self.outputs)
            problem = self._wrong_plain(found)
            return plain if problem is None else replace(plain, tags={}, problem=problem)
        masked = Source(match.person, f"{number}_{style}", found.files, arrays=self.outputs)
        problem = self._wrong_masked(found, style)
        if problem is not None:
            return replace(masked, problem=problem)
        scale = self._scales[match.person, number]
        return replace(masked, tags={**tags, "mask": style, "visible_ratio": scale})

    def _wrong_plain(self, found: CaptureFiles) -> tuple[str, str] | None:
        if "visible_ratio" not in found.match.tags:
            return "name_not_matched", f"{found.stem}: a plain image is named <number>_<scale>"
        if _scale(found.match) is None:
            return "bad_scale", f"{found.stem}: the scale is a share of the face, above 0 and up to 1"
        return None

    def _wrong_masked(self, found: CaptureFiles, style: str) -> tuple[str, str] | None:
        if style not in STYLES:
            known = ", ".join((PLAIN_FOLDER, *STYLES))
            return "name_not_matched", f"{found.stem}: folder {style!r} is not a style: expected one of {known}"
        if "visible_ratio" in found.match.tags:
            return "name_not_matched", f"{found.stem}: a masked image is named <number>: its scale is the plain image's"
        if (found.match.person, _number(found.stem)) not in self._scales:
            wanted = f"{PLAIN_FOLDER}/{found.match.person}/{_number(found.stem)}_<scale>"
            return "no_plain_image", f"{style}/{found.match.person}/{found.stem}: there is no {wanted}"
        return None

    def scan(self) -> Iterator[Source]:
        """Yield every image of the training tree, and one row for all of the test tree.

        Raises:
            UserError: the root cannot be used.
        """
        yield from super().scan()
        files = sum(len(folder.files) for folder in walk(self.root / TEST)) if (self.root / TEST).is_dir() else 0
        if files:
            remedy = f"read them with verification_sets, layout query_gallery, root {self.root / TEST}"
            problem = ("other_format", f"{TEST}: {counted(files, 'file')} of the test tree: {remedy}")
            yield Source(".", TEST, problem=problem, stands_for=files)

    def _sources(self, folder: Folder, *rest: object) -> Iterator[Source]:
        """Yield a folder's captures, none of the test tree."""
        if folder.name != TEST and not folder.name.startswith(f"{TEST}/"):
            yield from super()._sources(folder, *rest)  # type: ignore[arg-type]


def _number(stem: str) -> str:
    """Return the number of an image as its name has it: `03` of `03_0.62`."""
    return stem.partition("_")[0].partition(".")[0]


def _scale(match: Match) -> float | None:
    """Return the scale in a plain image's name, None where it is no share."""
    scale = match.tags.get("visible_ratio")
    return scale if isinstance(scale, float) and 0 < scale <= 1 else None
