import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from face3d_data.names import check_id_part, encode_part, file_name_of, id_of, name_of, names_of

parts = st.text(st.characters(exclude_characters="/~\x00", exclude_categories=["Cs"]), min_size=1)
ids = st.tuples(parts, parts, parts, st.lists(st.tuples(parts, parts), max_size=2)).map(
    lambda found: "/".join(found[:3]) + "".join(f"~{variant}~{key}" for variant, key in found[3])
)


@given(st.lists(ids | st.text("a_/~\n.-", max_size=6), max_size=4))
@example(["d/a/1", "d/b_c/2~v~3"])
@example(["_", "a"])
@example(["a", "b_"])
@example(["a\nb", ""])
@example([])
def test_names_of_many_ids_are_those_of_each(several):
    assert names_of(several) == [name_of(one) for one in several]


@given(ids)
@example("d/a_/_b")
@example("d/a__b/c")
@example("d/%20/.")
@example("d/_/__")
def test_names_turn_back_into_ids(sample_id):
    name = name_of(sample_id)
    assert id_of(name) == sample_id
    assert re.fullmatch(r"[A-Za-z0-9_%~-]+", name)
    assert name.count("~") == sample_id.count("~")


@given(ids, ids)
def test_two_ids_never_share_a_name(one, other):
    assert (name_of(one) == name_of(other)) == (one == other)


@given(parts)
def test_an_encoded_part_can_be_joined_by_two_underscores(part):
    encoded = encode_part(part)
    assert "__" not in encoded
    assert not encoded.startswith("_")
    assert not encoded.endswith("_")


@pytest.mark.parametrize(
    ("sample_id", "name"),
    [
        ("d415/anna/1", "d415__anna__1"),
        ("d/bs_01/N_N_0", "d__bs_01__N_N_0"),
        ("d/zoë b/c.1", "d__zo%C3%AB%20b__c%2E1"),
        ("d/_a_/b__c", "d__%5Fa%5F__b%5F%5Fc"),
        ("d/a/1~mask:kn95.1~0a1b2c3d", "d__a__1~mask%3Akn95%2E1~0a1b2c3d"),
        ("d/100%/x", "d__100%25__x"),
    ],
)
def test_names_are_exactly(sample_id, name):
    assert name_of(sample_id) == name
    assert id_of(name) == sample_id


@pytest.mark.parametrize("text", ["", "a/b", "a~b", "a\0"])
def test_what_cannot_be_part_of_an_id(text):
    assert check_id_part(text, "person").startswith("person ")


def test_what_can_be():
    assert check_id_part("Zoë 1_2.x", "person") is None


def test_very_long_ids_get_short_file_names_that_differ():
    assert file_name_of("d/p/c") == "d__p__c"
    one, two = (file_name_of(f"d/{'é' * 120}/c{i}") for i in range(2))
    assert one != two
    assert len(one) == len(two) == 200
    assert one.isascii()


def test_a_name_that_is_no_utf8_is_told():
    assert check_id_part("caf\udce9", "the person's name") == "the person's name 'caf\\udce9' is not UTF-8"
