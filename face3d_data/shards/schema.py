"""Schema of a dataset: its entry in a pipeline, the columns of its files, and the arrays in a shard."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from face3d_data.component import distinct_names
from face3d_data.digest import canonical
from face3d_data.sample import ARRAYS, PIXELS, POSITIONS
from face3d_data.tables.published_rules import RULES, RULES_VERSION
from face3d_data.tables.query import parse_query

SCHEMA_VERSION = 3
DESCRIPTION = "dataset.json"
OWN_DIGEST = "description_sha256"
"""Key of dataset.json that holds the digest of all its other keys."""
DATASET_COLUMNS = (
    *("id", "name", "class", "sample_id", "identity", "dataset", "split", "variant", "origin_id"),
    *("shard", "index", "n_points", "key", "root", "content"),
)
"""Columns of the split CSVs, gallery.csv and probe.csv, before those of tags; other programs read the first three.

`root` and `content` are tokens with blanks between them: of the recording's files (`face3d_data.roots`), and of the
stored arrays that show the face, as `<form>:<hash>`. Rows with a common token come from the same bytes, or are them.
"""
DATASET_DIRTY_COLUMNS = ("sample_id", "source", "step", "status", "reason", "detail", "path")
STANDARD_SPLITS = ("train", "eval", "test")
ONLY_SPLIT = "all"
"""Name of the split of a dataset whose rows were never split."""
STORED_NAMES = {"points": "data", "normals": "normal"}
"""Arrays that have another name in a shard, the one that loaders of ModelNet-style files expect."""
TEXT_DATASETS = ("sample_id", "identity", "variant", "root", "content")
"""Arrays of texts in every shard."""
FRAMES: dict[str, tuple[int, ...]] = {"centroid": (3,), "scale": ()}
"""Arrays f4 of a shard whose points are on the unit sphere, and their shape in one row."""
UNITS = {
    **dict.fromkeys(("points", "depth", "grid", *POSITIONS, "vertex_residual"), "mm"),
    **dict.fromkeys(("box", *PIXELS, "intrinsics"), "px"),
}
UNIT_SPHERE = "unit sphere: mm = data * scale + centroid"


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PairsSpec(_Spec):
    """Verification pairs, drawn from one split."""

    split: str = Field(default="test", description="split that pairs are drawn from")
    folds: int = Field(default=10, ge=1, description="folds with disjoint people, at most one per two people")
    per_fold: int = Field(default=300, ge=1, description="genuine pairs per fold, and as many impostor pairs")


def _of_the_grammar(query: str | None) -> str | None:
    if query:
        parse_query(query)
    return query


QueryText = Annotated[str | None, AfterValidator(_of_the_grammar)]


class GallerySpec(_Spec):
    """Enrolled samples: one of each of the first captures of every person."""

    split: str = Field(default="test", description="split that the gallery is taken from")
    captures: int = Field(default=1, ge=1, description="captures of each person")
    query: QueryText = Field(default=None, description="query on tags and columns: which rows are enrolled")


class ProbeSpec(_Spec):
    """Samples to be recognised: every row of the split whose capture is not in the gallery."""

    split: str = Field(default="test", description="split that the probes are taken from")
    query: QueryText = Field(default=None, description="query on tags and columns: which rows are probes")


class PublishedSpec(_Spec):
    """Lists as papers judge a database with: gallery, and probes by category."""

    names: tuple[str, ...] = Field(min_length=1, description=f"protocols: {', '.join(RULES)}")
    split: str | None = Field(default=None, description="split of the protocols [test, or the only split]")

    @model_validator(mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        return {"names": value} if isinstance(value, str | list | tuple) else value

    @field_validator("names", mode="before")
    @classmethod
    def _known(cls, names: Any) -> Any:
        names = (names,) if isinstance(names, str) else names
        for name in distinct_names(names) if isinstance(names, list | tuple) else ():
            if name not in RULES:
                raise ValueError(f"{name!r} is not a published protocol: choose among {', '.join(RULES)}")
        return names


class DatasetSpec(_Spec):
    """One entry of a pipeline's `datasets`."""

    upstream: str = Field(alias="from", description="step whose rows are written")
    fields: tuple[str, ...] = Field(min_length=1, description="arrays of every sample in the shards")
    shard_size: int = Field(default=4096, ge=1, description="most samples in a shard")
    dtype: Literal["float32", "float16"] = Field(default="float32", description="how 32-bit arrays are stored")
    normalize: bool = Field(default=False, description="store points on the unit sphere, with centroid and scale")
    tags: tuple[str, ...] = Field(default=(), description="tags that become columns of the CSVs, after the others")
    pairs: PairsSpec | None = None
    gallery: GallerySpec | None = None
    probe: ProbeSpec | None = None
    protocol: PublishedSpec | None = None

    @field_validator("fields", "tags", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("pairs", "gallery", "probe", mode="before")
    @classmethod
    def _true_is_default(cls, value: Any) -> Any:
        return {True: {}, False: None}[value] if isinstance(value, bool) else value

    @field_validator("fields")
    @classmethod
    def _declared(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        for name in fields:
            if name not in ARRAYS:
                raise ValueError(f"{name!r} is not an array: choose among {', '.join(ARRAYS)}")
        if len(set(fields)) < len(fields):
            raise ValueError("a field is named twice")
        return fields

    @field_validator("tags")
    @classmethod
    def _no_columns_yet(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        for name in tags:
            if name in DATASET_COLUMNS:
                raise ValueError(f"{name!r} is a column of every dataset already: leave it out")
        if len(set(tags)) < len(tags):
            raise ValueError("a tag is named twice")
        return tags

    @model_validator(mode="after")
    def _points_to_normalize(self) -> DatasetSpec:
        if self.normalize and "points" not in self.fields:
            raise ValueError("normalize: true needs 'points' among the fields")
        return self

    def content(self) -> Mapping[str, Any]:
        """Return what decides the dataset's bytes: everything but the name of the upstream step."""
        content = self.model_dump(mode="json", exclude={"upstream", "protocol"})
        published = self.protocol and {**self.protocol.model_dump(mode="json"), "rules": RULES_VERSION}
        return {**content, "protocol": published} if published else content

    def stored_dtype(self, field: str) -> str:
        """Return the dtype that an array has in a shard: `f4` becomes `f2` where the spec says float16."""
        dtype = ARRAYS[field].dtype
        return "f2" if dtype == "f4" and self.dtype == "float16" else dtype

    def unit(self, field: str) -> str:
        """Return the unit of an array in a shard, empty where it has none."""
        return UNIT_SPHERE if field == "points" and self.normalize else UNITS.get(field, "")


def description_digest(info: Mapping[str, Any]) -> str:
    """Return the SHA-256, 64 hex digits, of what dataset.json holds beside `OWN_DIGEST`."""
    text = canonical({key: value for key, value in info.items() if key != OWN_DIGEST})
    return hashlib.sha256(text.encode()).hexdigest()


def stored_name(field: str) -> str:
    """Return the name of an array in a shard."""
    return STORED_NAMES.get(field, field)


@functools.cache
def is_fixed(field: str) -> bool:
    """Return whether an array has the same shape in every sample by declaration."""
    return all(isinstance(size, int) for size in ARRAYS[field].shape)


def split_order(splits: Sequence[str]) -> list[str]:
    """Return the names of splits: train, eval, test (all three, where one of them is there), then others by name."""
    present = set(splits)
    standard = STANDARD_SPLITS if present.intersection(STANDARD_SPLITS) else ()
    return [*standard, *sorted(present.difference(STANDARD_SPLITS))]


def shard_name(split: str, bucket: str) -> str:
    """Return a shard's path in the dataset's folder."""
    return f"shards/{split}-{bucket}.h5"


def labels_name(split: str) -> str:
    """Return the file of a split's labels: .npy, int64 (n,), in the order of its rows.

    They are not in the shards: one new person moves the labels of half of all others.
    """
    return f"{split}_labels.npy"
