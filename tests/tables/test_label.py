"""Table step `label`: tags from a CSV."""

import pytest
from table_rows import manifest
from toys import write_toys

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.tables.label import Label

ROWS = [("d/a", "1"), ("d/a", "1", "aug:0"), ("d/a", "2"), ("d/b", "1")]


@pytest.fixture
def labelled(context, tmp_path):
    def label(text, tags, rows=ROWS, **options):
        path = tmp_path / "labels.csv"
        path.write_text(text)
        columns = options.pop("columns", {})
        return Label(file=path, tags=tags, **options).run([manifest(rows, **columns)], context())

    return label


def test_a_capture_gets_its_tags_with_all_its_variants(labelled):
    out = labelled("origin_id,expression,age\nd/a/1,smile,30\nd/b/1,,41\n", ["expression", "age"])
    assert out.frame["expression"].tolist() == ["smile", "smile", None, None]
    assert out.frame["age"].tolist() == [30, 30, None, 41]
    assert out.notes == ("1 of 4 rows have no line in labels.csv",)


def test_a_person_gets_the_tags_of_all_captures_mirrored_ones_too(labelled):
    rows = [("d/a", "1"), ("d/a~mirror", "1", "aug:0")]
    out = labelled("identity,sex\nd/a,f\nd/z,m\n", ["sex"], rows)
    assert out.frame["sex"].tolist() == ["f", "f"]
    assert out.notes == ("file: 1 of 2 lines of labels.csv name no row (d/z …)",)


def test_who_goes_by_another_name_is_found_by_the_own_one_too(labelled):
    columns = {"identity": ["d/b", "d/b", "d/b", "d/b"]}
    own = labelled("identity,sex\nd/a,f\nd/b,g\n", ["sex"], require=True, columns=columns)
    assert own.frame["sex"].tolist() == ["f", "f", "f", "g"]
    kept = labelled("identity,sex\nd/b,g\n", ["sex"], require=True, columns=columns)
    assert kept.frame["sex"].tolist() == ["g"] * 4
    assert own.notes == kept.notes == ()


def test_a_sample_is_named_with_its_variant(labelled):
    (variant,) = [i for i in manifest(ROWS)["id"] if "~" in i]
    assert labelled(f"sample_id,good\n{variant},true\n", "good").frame["good"].tolist() == [None, True, None, None]


@pytest.mark.parametrize(
    ("cells", "want"),
    [(["1", "2"], [1, 2]), (["1", "2.5"], [1.0, 2.5]), (["true", "false"], [True, False]), (["1", "x"], ["1", "x"]),
     (["007", "8"], ["007", "8"]), (["1e999", "1"], ["1e999", "1"]), (["1", ""], [1, None])],
)  # fmt: skip
def test_a_column_has_one_type(labelled, cells, want):
    out = labelled(f"origin_id,t\nd/a/1,{cells[0]}\nd/a/2,{cells[1]}\n", ["t"], [("d/a", "1"), ("d/a", "2")])
    assert out.frame["t"].tolist() == want
    assert [type(value) for value in out.frame["t"]] == [type(value) for value in want]


def test_what_the_rows_had_stays_where_a_line_says_nothing(labelled):
    out = labelled("origin_id,mask\nd/a/1,worn\n", ["mask"], columns={"mask": ["none"] * 4})
    assert out.frame["mask"].tolist() == ["worn", "worn", "none", "none"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: expected sample_id or origin_id or identity, and t, each once; found nothing"),
        ("id,t\na,1\n", r"line 1: expected .* found id,t"),
        ("origin_id,u\na,1\n", r"line 1: expected .*, and t, each once"),
        ("origin_id,t,t\na,1,2\n", r"line 1: expected"),
        ("origin_id,t\n", r"contains no line"),
        ("origin_id,t\nd/a/1\n", r"line 2 has 1 fields, the header 2"),
        ("origin_id,t\nd/a/1,1\nd/a/1,2\n", r"line 3: 'd/a/1' appears twice"),
        ("origin_id,t\n,1\n", r"line 2: origin_id is empty"),
        ("origin_id,t\nd/q/1,1\n", r"none of its 1 lines matches a row \('d/q/1' …; rows are called 'd/a/1' …\)"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(labelled, text, message):
    with pytest.raises(UserError, match=message) as caught:
        labelled(text, ["t"])
    assert "\n" not in str(caught.value)


def test_rows_without_a_line_can_be_refused(labelled):
    with pytest.raises(UserError, match=r"3 of 4 rows have no line \(d/a/1 …\)"):
        labelled("origin_id,t\nd/b/1,1\n", ["t"], require=True)


@pytest.mark.parametrize("name", ["split", "identity", "sample_id", "a b", "1"])
def test_a_tag_that_is_a_column_is_refused(name):
    with pytest.raises(UserError, match="cannot be a tag"):
        build(Label, {"file": "x.csv", "tags": [name]}, "step 'a'")


def test_a_missing_file_is_told(context, tmp_path):
    with pytest.raises(UserError, match=r"step 'people': file: .*nowhere.csv does not exist"):
        Label(file=tmp_path / "nowhere.csv", tags=["t"]).run([manifest(ROWS)], context())


def test_in_a_pipeline_a_where_sees_the_tags_and_a_changed_line_computes_only_what_is_new(tmp_path):
    root = write_toys(tmp_path / "in", 1, 3)
    (root / "labels.csv").write_text("origin_id,expression\nsrc/p000/c1,smile\n")
    steps = [
        {"id": "told", "table": "label", "from": "src", "with": {"file": "labels.csv", "tags": ["expression"]}},
        {"id": "scaled", "stage": "toy_scale", "from": "told", "where": {"expression": "smile"}},
    ]
    raw = {"name": "toy", "sources": {"src": {"reader": "toy_files", "root": str(root)}}, "steps": steps}
    first = run(make_pipeline(raw, root), tmp_path / "work", engine="serial")
    assert [entry.id for entry in first.entries("scaled")] == ["src/p000/c1"]
    (root / "labels.csv").write_text("origin_id,expression\nsrc/p000/c1,smile\nsrc/p000/c2,smile\n")
    again = run(make_pipeline(raw, root), tmp_path / "work", engine="serial")
    assert [entry.id for entry in again.entries("scaled")] == ["src/p000/c1", "src/p000/c2"]
    assert again.steps["scaled"].report.inputs == 1
