from hypothesis import given
from hypothesis import strategies as st

from face3d_data.tables.protocol import gallery_rows, natural, probe_rows


def test_first_capture_plain_variant_and_counting_order():
    ids = ["d/a/10", "d/a/2~mask~12345678", "d/a/2", "d/b/x", "d/b/y", "d/a/3"]
    origins = ["d/a/10", "d/a/2", "d/a/2", "d/b/x", "d/b/y", "d/a/3"]
    people = ["d/a", "d/a", "d/a", "d/b", "d/b", "d/a"]
    one = gallery_rows(ids, people, origins)
    assert [ids[i] for i in one] == ["d/a/2", "d/b/x"]
    two = gallery_rows(ids, people, origins, captures=2)
    assert [ids[i] for i in two] == ["d/a/2", "d/a/3", "d/b/x", "d/b/y"]
    assert [ids[i] for i in probe_rows(ids, origins, [origins[i] for i in one])] == ["d/a/3", "d/a/10", "d/b/y"]


def test_all_captures_enrolled_leaves_no_probe():
    assert probe_rows(["d/a/1"], ["d/a/1"], ["d/a/1"]) == []
    assert gallery_rows([], [], []) == []


@given(st.text(), st.text())
def test_natural_keys_are_total_and_different_for_different_texts(a, b):
    assert (natural(a) == natural(b)) == (a == b)
    assert natural(a) <= natural(b) or natural(b) <= natural(a)


def test_natural_counts():
    assert sorted(["c10", "c9", "c1", "b20"], key=natural) == ["b20", "c1", "c9", "c10"]
