"""Faces that are put in place otherwise than in training are noted."""

import json

import pytest

from face3d_training.prepared_alike import differences_in_place


def record(*ways):
    return {"ways": [[{"stage": name, "version": 1, "with": options} for name, options in way] for way in ways]}


UPPER = (("to_cloud", {}), ("align_3d", {"region": "upper", "icp": True}))
WHOLE = (("detect", {}), ("to_cloud", {}), ("align_3d", {"region": "whole", "icp": True}))


@pytest.mark.parametrize(
    ("learnt", "there", "said"),
    [
        (record(UPPER), record(UPPER), []),
        (record(UPPER), record(WHOLE, UPPER), []),
        (record(UPPER), record(WHOLE),
         ["dataset d: align_3d placed its faces unlike those that n learnt from (region is whole and was upper)"]),
        (record(UPPER), record((("to_cloud", {}),)),
         ["dataset d: was made without align_3d, which placed the faces that n learnt from"]),
        (record((("to_cloud", {}),)), record(UPPER), []),
        ({}, record(UPPER), []),
        (record(UPPER), {}, []),
        (record(UPPER), None, []),
    ],
)  # fmt: skip
def test_what_differs_is_named(learnt, there, said):
    assert differences_in_place(json.dumps(learnt), there, "d", "n") == said
    assert differences_in_place(None, there, "d", "n") == []
