"""Digests are equal for equal values, different for different ones, and refuse what has no one form."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.digest import canonical, digest, digest_file, digest_of_list, seed_from

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_digest_is_what_it_was():
    text = canonical(["a", 1, 2.5, None, {"k": ["é", True]}])
    assert text == '["a",1,2.5,null,{"k":["é",true]}]'
    assert digest("x") == hashlib.blake2b(b'["x"]', digest_size=16).hexdigest()
    assert seed_from("x") == int(digest("x"), 16) < 2**128


@pytest.mark.slow
@given(JSON, JSON)
def test_equal_texts_mean_equal_values(one, two):
    assert (digest(one) == digest(two)) == (canonical(one) == canonical(two))


def test_order_of_keys_and_kind_of_sequence_do_not_matter():
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})
    assert digest({3, 1, 2}) == digest([1, 2, 3])
    assert digest(np.float32(0.5), np.arange(2), Path("a/b")) == digest(0.5, [0, 1], "a/b")


def test_whole_floats_are_not_integers_and_parts_are_not_joined():
    assert digest(1.0) != digest(1)
    assert digest("a", "b") != digest("ab")
    assert digest(["a"], "b") != digest("a", ["b"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(value)


def test_what_has_no_form_is_refused():
    with pytest.raises(TypeError, match="object has no canonical form"):
        digest(object())


def test_file_digest_is_sha256(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 100_000)
    assert digest_file(tmp_path / "f") == hashlib.sha256(b"abc" * 100_000).hexdigest()


@given(st.lists(st.lists(JSON, max_size=3), max_size=4))
def test_a_list_in_pieces_has_the_digest_of_the_whole(pieces):
    assert digest_of_list(pieces) == digest([value for piece in pieces for value in piece])
