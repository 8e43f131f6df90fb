"""Tags as columns of a dataset's CSVs: after the fixed ones, in the digest, read back as what they were, verified."""

import csv

import numpy as np
import pandas as pd
import pytest
from made import build, manifest, plan_of, spec_of
from pydantic import ValidationError

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DATASET_COLUMNS

TAGS = ["mask", "visible_ratio", "mask_seed", "indoors"]


@pytest.fixture(scope="module")
def frame():
    """Masked rows know how much is visible, the others do not; the texts look like numbers and like nothing."""
    frame = manifest(n_people=12, variants=("plain", "mask:kn95.0"))
    masked = (frame["mask"] == "worn").tolist()
    values = {
        "mask": ["NA" if worn else "01" for worn in masked],
        "visible_ratio": [0.5 + i / 1000 if worn else None for i, worn in enumerate(masked)],
        "mask_seed": [2**53 + 1 + i if worn else None for i, worn in enumerate(masked)],
        "indoors": [i % 2 == 0 if worn else None for i, worn in enumerate(masked)],
    }
    return frame.assign(**{name: pd.Series(column, dtype=object) for name, column in values.items()})


@pytest.fixture(scope="module")
def link(frame, tmp_path_factory):
    spec = spec_of(tags=TAGS, gallery={"query": "mask == '01'"}, probe={"query": "mask == 'NA'"})
    return build(tmp_path_factory.mktemp("tags"), frame, spec)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["train", "eval", "test", "gallery", "probe"])
def test_columns_follow_the_fixed_ones_and_hold_each_row_s_own_values(link, frame, name):
    known = frame.set_index("id")
    written = rows(link / f"{name}.csv")
    assert len(written) >= 4
    for row in written:
        assert list(row) == [*DATASET_COLUMNS, *TAGS]
        for tag in TAGS:
            value = known.loc[row["sample_id"], tag]
            assert row[tag] == ("" if value is None else str(value))


def test_values_are_read_back_as_what_they_were(link, frame):
    table = Dataset(link).table("test")
    known = frame.set_index("id").loc[table["sample_id"]]
    assert pd.api.types.is_string_dtype(table[TAGS[0]])
    assert table[TAGS[1:]].dtypes.astype(str).tolist() == ["float64", "Int64", "boolean"]
    for tag in TAGS:
        assert table[tag].notna().tolist() == known[tag].notna().tolist()
        assert table[tag].dropna().tolist() == known[tag].dropna().tolist()
    assert table["visible_ratio"].dropna().between(0.5, 0.6).all()


def test_a_dataset_with_them_is_ok_and_exported_with_them(link, tmp_path):
    assert verify_dataset(link).problems == ()
    export_dataset(link, tmp_path / "out", splits=["test"])
    exported, written = rows(tmp_path / "out" / "test.csv"), rows(link / "test.csv")
    assert [[row[tag] for tag in TAGS] for row in exported] == [[row[tag] for tag in TAGS] for row in written]


def test_a_column_that_is_gone_is_found(frame, tmp_path):
    link = build(tmp_path, frame, spec_of(tags=["mask"]))
    table = pd.read_csv(link / "train.csv", dtype=str, keep_default_na=False)
    table.drop(columns="mask").to_csv(link / "train.csv", index=False)
    assert any("has the columns id,name" in str(problem) for problem in verify_dataset(link).problems)


def test_their_values_are_in_the_digest_where_they_are_asked_for(frame):
    other = frame.assign(visible_ratio=frame["visible_ratio"].map(lambda value: value and value + 0.01))
    assert plan_of(frame).digest == plan_of(other).digest
    assert plan_of(frame, spec_of(tags=TAGS)).digest != plan_of(other, spec_of(tags=TAGS)).digest
    assert plan_of(frame, spec_of(tags=["mask"])).digest == plan_of(other, spec_of(tags=["mask"])).digest


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, None], "Int64"),
        ([1, 2**63, None], "str"),
        ([1, 2.5, None], "float64"),
        ([True, None, False], "boolean"),
        ([True, 1, None], "str"),
        (["a", 1.0, None], "str"),
        ([None, None, float("nan")], "str"),
    ],
)
def test_mixed_values_are_texts(values, dtype, tmp_path):
    frame = manifest(n_people=3, n_captures=1).assign(what=pd.Series(values, dtype=object))
    link = build(tmp_path, frame, spec_of(tags="what"))
    dataset = Dataset(link)
    assert dataset.info["tags"] == {"what": dtype}
    read = pd.concat([dataset.table(split) for split in dataset.splits]).set_index("sample_id").loc[frame["id"], "what"]
    for was, now in zip(values, read.tolist(), strict=True):
        unknown = was is None or was != was
        assert (now == "" if dtype == "str" else pd.isna(now)) if unknown else str(now) == str(was) or now == was


def test_a_tag_that_no_row_has_is_an_empty_column(tmp_path):
    link = build(tmp_path, manifest(n_people=3, n_captures=1), spec_of(tags=["nowhere"]))
    assert {row["nowhere"] for row in rows(link / "train.csv")} == {""}
    assert verify_dataset(link).ok


def test_a_tag_that_no_row_has_is_said(frame):
    assert "tags: no row has 'glasses': its column is empty" in plan_of(frame, spec_of(tags=["mask", "glasses"])).notes
    assert not [note for note in plan_of(frame, spec_of(tags=TAGS)).notes if "no row has" in note]


def test_masks_that_no_column_says_are_noted(frame):
    worn = frame.assign(variant="plain", mask=["worn" if i % 2 else None for i in range(len(frame))])
    (note,) = (note for note in plan_of(worn, spec_of()).notes if "mask" in note)
    assert note.startswith(f"tags: {len(frame) // 2} rows wear a mask, and no column shows it: add mask to tags")
    assert not [note for note in plan_of(worn, spec_of(tags=["mask"])).notes if "mask" in note]
    made = worn.assign(variant=["mask:cloth" if i % 2 else "plain" for i in range(len(frame))])
    assert not [note for note in plan_of(made, spec_of()).notes if "mask" in note]


@pytest.mark.parametrize(
    ("tags", "message"),
    [(["n_points"], "'n_points' is a column of every dataset already"), (["mask", "mask"], "a tag is named twice")],
)
def test_names_that_cannot_be_columns(tags, message):
    with pytest.raises(ValidationError, match=message):
        spec_of(tags=tags)


def test_a_tag_that_nothing_upstream_declares_is_refused_at_planning(tmp_path):
    def pipeline(tags):
        steps = [{"id": "faces", "stage": "detect", "from": "people"}]
        source = {"reader": "synthetic", "tags": {"camera": "none"}}
        dataset = {"from": "faces", "fields": ["color"], "tags": tags}
        raw = {"name": "p", "sources": {"people": source}, "steps": steps, "datasets": {"d": dataset}}
        return make_pipeline(raw, tmp_path)

    known = ["mask", "camera", "yaw_deg", "face_score"]
    assert pipeline(known).datasets["d"].tags == tuple(known)
    with pytest.raises(UserError, match=r"dataset 'd': tags: nothing upstream of 'faces' declares 'visible_ratio'"):
        pipeline(["visible_ratio"])


def test_numbers_are_written_so_that_they_are_read_exactly(tmp_path):
    rng = np.random.default_rng(0)
    frame = manifest(n_people=3, n_captures=4, splits=("train",))
    frame["ratio"] = pd.Series(rng.uniform(size=len(frame)).tolist(), dtype=object)
    table = Dataset(build(tmp_path, frame, spec_of(tags=["ratio"]))).table("train")
    assert table["ratio"].tolist() == frame.set_index("id").loc[table["sample_id"], "ratio"].tolist()
