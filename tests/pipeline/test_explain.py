"""Reasons why a step runs, in words."""

from __future__ import annotations

import pytest

from face3d_data.pipeline.explain import differences, package_differences, why

BASE = {"name": "subsample", "version": 1, "parameters": {"n": 1, "m": "a"}, "seeds": [0, 0], "fingerprint": "f"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"name": "clean"}, ["subsample became clean"]),
        ({"version": 2, "fingerprint": "g"}, ["version of subsample changed 1 → 2"]),
        ({"parameters": {"n": 2, "m": "a"}, "fingerprint": "g"}, ["parameter n changed 1 → 2"]),
        ({"parameters": {"n": 1}, "fingerprint": "g"}, ["parameter m changed 'a' → None"]),
        ({"seeds": [1, 0], "fingerprint": "g"}, ["seed changed [0, 0] → [1, 0]"]),
        ({"fingerprint": "g"}, ["the content of a file that it reads changed"]),
    ],
)
def test_differences(change, words):
    assert differences({**BASE, **change}, BASE) == words


def test_why():
    changed = {**BASE, "parameters": {"n": 2, "m": "a"}, "fingerprint": "g"}
    assert why(BASE, None, 5, 5, False) == "first run: 5 inputs"
    assert why(BASE, BASE, 0, 5, False) == "up to date: 5 inputs done"
    assert why(BASE, BASE, 2, 5, False) == "2 new inputs of 5"
    assert why(changed, BASE, 5, 5, False) == "parameter n changed 1 → 2: 5 of 5 inputs"
    assert why(changed, BASE, 0, 5, False).startswith(
        "up to date: 5 inputs done (changed, but done before: parameter n"
    )
    assert why(BASE, BASE, 0, 5, True) == "forced: 5 inputs again"


def test_libraries():
    assert package_differences({"numpy": "2", "torch": "1"}, {"numpy": "1", "scipy": "3"}) == [
        "numpy 1 → 2",
        "scipy 3 → absent",
        "torch absent → 1",
    ]
