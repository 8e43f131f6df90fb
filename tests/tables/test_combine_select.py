import pytest
from table_rows import manifest

from face3d_data.errors import UserError
from face3d_data.tables.combine import Combine
from face3d_data.tables.lists import read_list
from face3d_data.tables.select import Select


def test_combine_keeps_order_and_fills_tags_with_none(context):
    one = manifest([("d/a", "1"), ("d/a", "2")], mask=["none", "worn"])
    two = manifest([("e/b", "1")], yaw_deg=[30.0])
    out = Combine().run([one, two], context()).frame
    assert out["id"].tolist() == ["d/a/1", "d/a/2", "e/b/1"]
    assert out["mask"].tolist() == ["none", "worn", None]
    assert out["yaw_deg"].tolist() == [None, None, 30.0]
    assert out["n_points"].tolist() == [16, 16, 16]


def test_combine_refuses_one_id_from_two_sources(context):
    one, two = manifest([("d/a", "1")]), manifest([("d/a", "1")]).assign(source="worn", key="other")
    with pytest.raises(UserError, match=r"'people': two rows have the id 'd/a/1' .*'d' and 'worn'.*dataset.*prefix"):
        Combine().run([one, two], context())


def test_combine_refuses_one_row_by_two_ways(context):
    one = manifest([("d/a", "1")])
    with pytest.raises(UserError, match="it comes here by two ways"):
        Combine().run([one, one], context())


def test_combine_refuses_one_origin_with_one_key(context):
    one = manifest([("d/a", "1")])
    two = one.assign(id="d/a/1~copy~00000000")
    with pytest.raises(UserError, match="'d/a/1' and 'd/a/1~copy~00000000' are one capture with the same content"):
        Combine().run([one, two], context())
    elsewhere = two.assign(origin_id="d/a/9")
    assert len(Combine().run([one, elsewhere], context()).frame) == 2


def select(context, frame, **options):
    return Select(**options).run([frame], context())


def test_query_on_tags_leaves_out_rows_without_the_tag(context):
    frame = manifest(
        [("d/a", str(i)) for i in range(4)], yaw_deg=[10, None, 40, 20], mask=["none", "none", "none", "worn"]
    )
    result = select(context, frame, query="yaw_deg < 30 and mask == 'none'")
    assert result.frame["id"].tolist() == ["d/a/0"]
    assert result.dirty.to_dict("list") == {
        "id": ["d/a/1", "d/a/2", "d/a/3"],
        "reason": ["query"] * 3,
        "detail": ["yaw_deg < 30 and mask == 'none'"] * 3,
    }


def test_flags_and_columns_can_be_queried(context):
    frame = manifest([("d/a", "0"), ("d/b", "0")], glasses=[True, False])
    assert select(context, frame, query="glasses").frame["id"].tolist() == ["d/a/0"]
    assert select(context, frame, query="identity == 'd/b'").frame["id"].tolist() == ["d/b/0"]
    assert len(select(context, frame.iloc[:0], query="nonsense").frame) == 0


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("yaw < 3", r"column 1: no tag or column 'yaw' \(columns: id, identity"),
        ("identity == 'x' and splitt == 'y'", "column 21: no tag or column 'splitt' .*did you mean 'split'"),
        ("n_points", "'n_points' is not true or false"),
        ("n_points == '16'", "column 1: compares numbers with texts"),
        ("key == 'x'", "no tag or column 'key'"),
    ],
)
def test_bad_queries_are_one_line(context, query, message):
    with pytest.raises(UserError, match=message) as caught:
        select(context, manifest([("d/a", "1")]), query=query)
    assert "\n" not in str(caught.value)


def test_allow_and_block_by_sample_capture_and_person(context, tmp_path):
    rows = [("d/a", "1"), ("d/a", "1", "aug:0"), ("d/a", "2"), ("d/b", "1"), ("d/c", "1")]
    (tmp_path / "allow.txt").write_text("# people\nd/a\n\nd/b/1\nd/gone\n")
    (tmp_path / "block.csv").write_text("reason,origin_id\nblurred,d/a/1\n")
    result = select(context, manifest(rows), allow="allow.txt", block="block.csv")
    assert result.frame["id"].tolist() == ["d/a/2", "d/b/1"]
    assert result.dirty[["reason", "detail"]].to_numpy().tolist() == [
        ["blocked", "block.csv"],
        ["blocked", "block.csv"],
        ["not_allowed", "allow.txt"],
    ]
    assert result.notes == ("allow: 1 of 3 lines of allow.txt name no row (d/gone …)",)


def test_the_first_reason_counts(context, tmp_path):
    (tmp_path / "b.txt").write_text("d/a\n")
    result = select(context, manifest([("d/a", "1")]), query="identity == 'x'", block="b.txt")
    assert result.dirty["reason"].tolist() == ["query"]


def test_a_person_s_block_reaches_the_mirrored_face(context, tmp_path):
    frame = manifest([("d/a", "1")])
    frame = frame.assign(identity="d/a~mirror")
    (tmp_path / "b.txt").write_text("d/a\n")
    assert not len(select(context, frame, block="b.txt").frame)


@pytest.mark.parametrize("option", ["allow", "block"])
def test_missing_lists_are_named(context, option):
    with pytest.raises(UserError, match=rf"{option}: none\.txt does not exist"):
        select(context, manifest([("d/a", "1")]), **{option: "none.txt"})


def test_nothing_asked_keeps_everything(context):
    result = select(context, manifest([("d/a", "1")]))
    assert len(result.frame) == 1
    assert not len(result.dirty)


def test_lists_take_names_and_our_own_csvs(tmp_path):
    path = tmp_path / "list"
    path.write_text("id,name,class\nd__a%20b__1,d__a%20b,0\n")
    assert read_list(path) == ["d/a b/1"]
    path.write_text("id,name,sample_id\nd__a__1,d__a,d/a/1\n")
    assert read_list(path) == ["d/a/1"]
    path.write_text("\ufeffd__a__1\nd/a/1\nd/b, c\n")
    assert read_list(path) == ["d/a/1", "d/a/1", "d/b, c"]


def test_bad_lists(tmp_path):
    path = tmp_path / "list"
    path.write_text("# nobody\n\n")
    with pytest.raises(UserError, match="contains no id"):
        read_list(path)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match="is not UTF-8"):
        read_list(path)
