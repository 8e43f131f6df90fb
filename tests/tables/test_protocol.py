from hypothesis import given
from hypothesis import strategies as st
from split_table import captures, split_table

from face3d_data.tables.protocol import gallery_rows, natural, probe_rows, protocols


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


def named(table, rows):
    return [(table["identity"][i][2:], table["origin_id"][i].rpartition("/")[2], table["mask"][i]) for i in rows]


def test_four_protocols_enrol_the_first_capture_in_their_state_and_ask_for_the_others():
    table = split_table(captures(2, 3, ("none", "kn95")))
    made, notes = protocols(table)
    assert list(made) == ["plain_to_plain", "masked_to_plain", "plain_to_masked", "masked_to_masked"]
    assert notes == ()
    for name, protocol in made.items():
        probe, gallery = (("none", "kn95")[state == "masked"] for state in name.split("_to_"))
        assert named(table, protocol.gallery) == [("p0", "c0", gallery), ("p1", "c0", gallery)]
        assert named(table, protocol.probe) == [(p, c, probe) for p in ("p0", "p1") for c in ("c1", "c2")]
        assert set(table["mask"][protocol.probe_side]) == {probe}
        assert set(table["mask"][protocol.gallery_side]) == {gallery}
        assert len(protocol.probe_side) == len(protocol.gallery_side) == 6


def test_several_first_captures_are_enrolled_where_that_is_asked_for():
    table = split_table(captures(2, 3, ("none", "kn95")))
    made, _ = protocols(table, captures=2)
    protocol = made["masked_to_plain"]
    assert named(table, protocol.gallery) == [(p, c, "none") for p in ("p0", "p1") for c in ("c0", "c1")]
    assert named(table, protocol.probe) == [(p, "c2", "kn95") for p in ("p0", "p1")]


def test_a_masked_first_capture_is_found_where_the_first_is_not_masked():
    table = split_table([("a", "c0", "none"), ("a", "c2", "worn"), ("a", "c10", "worn"), ("a", "c11", "")])
    made, _ = protocols(table)
    assert named(table, made["plain_to_masked"].gallery) == [("a", "c2", "worn")]
    assert named(table, made["plain_to_masked"].probe) == [("a", "c0", "none"), ("a", "c11", "")]
    assert named(table, made["masked_to_masked"].probe) == [("a", "c10", "worn")]


def test_without_masks_there_is_one_protocol_and_a_note():
    for table in (split_table(captures(2, 2)), split_table(captures(2, 2)).drop(columns="mask")):
        made, notes = protocols(table)
        assert list(made) == ["plain_to_plain"]
        assert notes == ("no row is masked: the protocols with masked faces are left out",)
    made, notes = protocols(split_table(captures(2, 2, ("kn95",))))
    assert list(made) == ["masked_to_masked"]
    assert notes == ("no row is plain: the protocols with plain faces are left out",)


def test_probes_of_people_who_are_not_enrolled_are_left_out_and_counted():
    table = split_table([*captures(2, 2, ("none", "kn95")), ("stranger", "c0", "kn95"), ("stranger", "c1", "kn95")])
    protocol = protocols(table)[0]["masked_to_plain"]
    assert named(table, protocol.probe) == [("p0", "c1", "kn95"), ("p1", "c1", "kn95")]
    assert protocol.notes == ("2 probes of 1 person are left out: nobody of their name is enrolled",)


def test_a_mirrored_person_is_somebody_else_and_enrols():
    table = split_table(
        [("a", "c0", "none"), ("a", "c1", "none"), ("a~mirror", "c0", "none"), ("a~mirror", "c1", "none")]
    )
    protocol = protocols(table)[0]["plain_to_plain"]
    assert [table["identity"][i] for i in protocol.gallery] == ["d/a", "d/a~mirror"]
    assert [table["identity"][i] for i in protocol.probe] == ["d/a", "d/a~mirror"]
