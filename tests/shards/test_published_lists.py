"""Published protocols in a dataset's folder: made, read back, verified."""

import io

import pandas as pd
import pytest
from made import accept, build, manifest, plan_of, spec_of

from face3d_data.errors import UserError
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.lists import make_lists
from face3d_data.shards.published_lists import file_of, published_names, read_published
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DatasetSpec

CODES = ("N_N", "N_N", "E_HAPPY", "YR_R10")


def bosphorus_like(people=3, **options):
    frame = manifest(people, len(CODES), splits=("all",), **options)
    codes = [CODES[int(origin.rpartition("/c")[2])] for origin in frame["origin_id"]]
    return frame.assign(category=[code.partition("_")[0] for code in codes], code=codes)


@pytest.fixture
def dataset(tmp_path):
    return build(tmp_path, bosphorus_like(), spec_of(protocol="bosphorus"))


def test_the_list_names_gallery_and_probes_with_their_category(dataset):
    listed = pd.read_csv(dataset / "protocols" / "bosphorus.csv", keep_default_na=False)
    assert listed.columns.tolist() == ["role", "category", "id", "name", "sample_id"]
    assert listed.iloc[:3].values.tolist() == [
        ["gallery", "", f"d__p{person}__c0", f"d__p{person}", f"d/p{person}/c0"] for person in range(3)
    ]
    asked = listed.iloc[3:]
    assert asked["role"].eq("probe").all()
    assert asked["sample_id"].tolist() == [f"d/p{person}/c{n}" for person in range(3) for n in (1, 2, 3)]
    assert asked["category"].tolist() == ["N", "E", "YR/R10"] * 3
    assert verify_dataset(dataset).problems == ()


def test_rows_of_other_databases_with_tags_of_the_same_names_are_left_out(tmp_path):
    frame = bosphorus_like()
    frame["source"] = ["other" if identity == "d/p1" else "src" for identity in frame["identity"]]
    spec = spec_of(protocol="bosphorus")
    plan = plan_of(frame, spec, readers={"src": "bosphorus", "other": "csv"})
    texts, notes = make_lists(plan.table, plan.tags, spec, 5, "w", plan.readers)
    listed = pd.read_csv(io.StringIO(texts["protocols/bosphorus.csv"]))
    assert set(listed["name"]) == {"d__p0", "d__p2"}
    assert "bosphorus: 4 rows left out: of other databases" in notes
    made = build(tmp_path, frame, spec, readers={"src": "csv", "other": "csv"})
    assert set(pd.read_csv(made / "protocols" / "bosphorus.csv")["name"]) == {"d__p0", "d__p1", "d__p2"}


def test_the_list_is_read_back_as_rows_of_its_split(dataset):
    opened = Dataset(dataset)
    assert published_names(opened.info, "all", opened.splits) == ("bosphorus",)
    table = opened.table("all")
    found = read_published(opened, "bosphorus", table)
    assert table["sample_id"].iloc[found.gallery].tolist() == ["d/p0/c0", "d/p1/c0", "d/p2/c0"]
    assert found.counts() == {"N": 3, "E": 3, "YR": 3, "YR/R10": 3}
    assert found.notes == (
        "bosphorus: 3 people enrolled and 9 probes, published are 105 and 4543: figures are not those of papers",
    )


def test_what_is_made_is_told_and_tags_enter_the_digest():
    plan = plan_of(bosphorus_like(), spec_of(protocol="bosphorus"))
    other = bosphorus_like()
    other.loc[other["code"] == "E_HAPPY", "code"] = "E_FEAR"
    assert plan_of(other, spec_of(protocol="bosphorus")).digest != plan.digest
    assert plan_of(other).digest == plan_of(bosphorus_like()).digest


def test_a_changed_rule_makes_another_dataset(monkeypatch):
    plan = plan_of(bosphorus_like(), spec_of(protocol="bosphorus"))
    monkeypatch.setattr("face3d_data.shards.schema.RULES_VERSION", 2)
    assert plan_of(bosphorus_like(), spec_of(protocol="bosphorus")).digest != plan.digest


def test_a_dataset_without_a_protocol_is_as_it_was(tmp_path):
    assert "protocol" not in spec_of().content()
    plain = build(tmp_path, bosphorus_like())
    assert not (plain / "protocols").exists()
    assert published_names(Dataset(plain).info, "all", ["all"]) == ()


@pytest.mark.parametrize(
    ("value", "names", "split"),
    [
        ("frgc", ("frgc",), None),
        (["bosphorus", "lock3dface"], ("bosphorus", "lock3dface"), None),
        ({"names": "eurecom_kinect", "split": "eval"}, ("eurecom_kinect",), "eval"),
    ],
)
def test_how_a_pipeline_asks(value, names, split):
    spec = DatasetSpec(**{"from": "all", "fields": ["points"], "protocol": value}).protocol
    assert (spec.names, spec.split) == (names, split)


@pytest.mark.parametrize("value", ["bosporus", ["frgc", "x"], [], {"names": 3}, {"name": "frgc"}, True])
def test_what_is_no_protocol_is_refused(value):
    with pytest.raises(ValueError, match="protocol"):
        spec_of(protocol=value)


def test_rows_of_another_database_and_a_split_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match="reads the tags category, code as reader 'bosphorus' gives them"):
        build(tmp_path, manifest(splits=("all",)), spec_of(protocol="bosphorus"))
    with pytest.raises(UserError, match=r"no row is in split 'eval' \(there: all\)"):
        build(tmp_path, bosphorus_like(), spec_of(protocol={"names": "bosphorus", "split": "eval"}))


def edited(dataset, change):
    """Change the list as somebody would who also mends its hash."""
    path = dataset / file_of("bosphorus")
    path.write_text(change(path.read_text()))
    accept(dataset)
    return [str(problem) for problem in verify_dataset(dataset).problems]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("probe,N,d__p0__c1", "gallery,,d__p0__c1", "1 person enrols twice (d/p0 …)"),
        ("gallery,,d__p0__c0,d__p0,d/p0/c0\n", "", "1 person is asked for who is not enrolled (d/p0 …)"),
        (
            "probe,N,d__p0__c1,d__p0,d/p0/c1",
            "probe,N,d__p0__c0,d__p0,d/p0/c0",
            "1 capture is in the gallery and probes",
        ),
        ("probe,N,d__p0__c1,d__p0,d/p0/c1", "probe,E,d__p0__c2,d__p0,d/p0/c2", "1 capture is a probe twice"),
        ("probe,N,d__p0__c1,d__p0", "probe,N,d__p0__c1,d__p1", "1 row is not a gallery or probe row of all.csv"),
        ("probe,N,d__p0__c1", "probe,,d__p0__c1", "1 row is not a gallery or probe row of all.csv (d/p0/c1 …)"),
        ("role,category", "role,kind", "has the columns role,kind,id,name,sample_id"),
    ],
)
def test_a_wrong_list_is_found(dataset, old, new, said):
    problems = edited(dataset, lambda text: text.replace(old, new, 1))
    assert len(problems) == 1
    assert problems[0].startswith("lists: protocols/bosphorus.csv: ")
    assert said in problems[0]


def test_a_list_that_is_gone_or_names_a_stranger_is_no_crash(dataset):
    opened = Dataset(dataset)
    with pytest.raises(UserError, match="is not in its split: run face3d verify"):
        read_published(opened, "bosphorus", opened.table("all").iloc[1:])
    (dataset / file_of("bosphorus")).unlink()
    assert any("cannot be read" in str(problem) for problem in verify_dataset(dataset).problems)
