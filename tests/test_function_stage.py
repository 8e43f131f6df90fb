"""Function stages: arguments are arrays and options, what is returned is checked, and the contract is kept."""

from __future__ import annotations

import pickle
import sys
import textwrap

import numpy as np
import pytest
from pydantic import ValidationError

from face3d_data.errors import ContractError, Reject, UserError
from face3d_data.function_stage import stage_of_function
from face3d_data.registry import find
from face3d_data.testing import tiny_sample
from face3d_data.testing.contract import check_stage

NUMBER = iter(range(1000))
HEAD = "import numpy as np\nfrom face3d_data import Reject, gives\n"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a function that makes a stage of the text of a function named `f`."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def make(text: str):
        names.append(f"parts_{next(NUMBER)}")
        (tmp_path / f"{names[-1]}.py").write_text(HEAD + textwrap.dedent(text))
        return find("stage", f"{names[-1]}:f", adapt=stage_of_function)

    yield make
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_rows_keep_every_array_of_the_points(made):
    cls = made("""
        @gives("rows")
        def f(points, curvature=None, most_mm: float = 40.0):
            '''Keep the points near the middle.

            Args:
                most_mm: farthest point that is kept, mm.
            '''
            return np.linalg.norm(points - points.mean(axis=0), axis=1) < most_mm
        """)
    assert (cls.name, cls.inputs, cls.optional[0]) == ("f", ("points",), "curvature")
    assert cls.model_fields["most_mm"].description == "farthest point that is kept, mm"
    (out,) = check_stage(cls(), tiny_sample())
    assert 0 < len(out.arrays["points"]) == len(out.arrays["normals"]) < len(tiny_sample().arrays["points"])
    with pytest.raises(ValidationError):
        cls(most_mm="far")


def test_arrays_are_returned_alone_or_by_name_and_none_drops_one(made):
    alone = made("@gives('points')\ndef f(points):\n    return points.astype(np.float64) + 1\n")
    (out,) = check_stage(alone(), tiny_sample())
    assert out.arrays["points"].dtype == np.float32
    several = made("""
        @gives("points", "curvature", "normals")
        def f(points, normals):
            return {"points": points + normals, "normals": None, "curvature": np.zeros(len(points))}
        """)
    (out,) = check_stage(several(), tiny_sample())
    assert "normals" not in out.arrays
    assert not out.arrays["curvature"].any()


def test_a_function_draws_from_its_own_generator(made):
    cls = made(
        "@gives('points')\ndef f(points, rng, mm: float = 1.0):\n    return points + rng.normal(0, mm, points.shape)\n"
    )
    assert cls.random
    check_stage(cls(), tiny_sample())
    assert not np.array_equal(*(cls().apply(tiny_sample(), seed).arrays["points"] for seed in (1, 2)))


def test_it_rejects_for_declared_reasons(made):
    cls = made("""
        @gives("points", reasons={"few": "there are few"})
        def f(points):
            if len(points) < 10:
                raise Reject("few", f"{len(points)}")
            return points
        """)
    check_stage(cls(), tiny_sample())
    with pytest.raises(Reject, match="few"):
        cls().apply(tiny_sample().take(np.arange(3)))


def test_a_pickled_stage_finds_its_module_again(made, monkeypatch):
    stage = made("@gives('points')\ndef f(points, by: float = 2.0):\n    return points * by\n")(by=3)
    module, text = type(stage).__module__, pickle.dumps(stage)
    sys.modules.pop(module)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != stage.folder])
    again = pickle.loads(text)
    assert again.by == 3
    assert again.fingerprint() == stage.fingerprint()
    assert stage.folder in sys.path


def test_the_key_holds_text_options_and_version(made):
    texts = [
        "@gives('points')\ndef f(points, by: float = 2.0):\n    return points * by\n",
        "@gives('points')\ndef f(points, by: float = 2.0):\n    return points / by\n",
        "@gives('points', version=2)\ndef f(points, by: float = 2.0):\n    return points * by\n",
    ]
    keys = [made(text)().fingerprint() for text in texts] + [made(texts[0])(by=3).fingerprint()]
    assert len(set(keys)) == 4
    assert made("\n\nOTHER = 1\n" + texts[0])().fingerprint() == keys[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(points): return points", r'its outputs are unknown: write @gives\("points"\)'),
        ("@gives('pointz')\ndef f(points): return points", "gives 'pointz', which is not an array: use rows"),
        ("@gives('rows', 'pose')\ndef f(points): return points", "gives 'rows', which is not an array"),
        ("@gives('points')\ndef f(points, mm): return points", "argument 'mm' is not an array and has no plain type"),
        (
            "@gives('points')\ndef f(points, mm=None): return points",
            "argument 'mm' is not an array and has no plain type",
        ),
        ("@gives('points')\ndef f(points, **more): return points", "'more' has no name"),
        ("@gives('points')\ndef f(mm: float = 1): return mm", "has no array as input: name an argument after an array"),
        (
            "@gives('points')\ndef f(points, version: int = 1): return points",
            "'version' has a name that every stage uses",
        ),
        ("@gives('points')\ndef f(points, mm: Nowhere = 1): return points", "the type of an argument is unknown"),
        ("@gives('points')\ndef f(points, _mm: float = 1): return points", "an argument cannot be an option"),
        ("f = 3", "is an int, not a stage"),
        ("class f: pass", "is a class, not a stage"),
        ("@gives('points')\nclass f: pass", "is a class, not a stage"),
        ("f = np.sin", "is a ufunc, not a stage"),
        ("f = eval(\"gives('points')(lambda points: points)\")", "its source cannot be read: put it into a .py file"),
    ],
)
def test_what_is_no_stage_is_one_line(made, text, said):
    with pytest.raises(UserError, match=rf"stage parts_\d+:f: .*{said}") as refused:
        made(text.replace("Nowhere", "'Nowhere'"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("None", "returned nothing, it declares"),
        ("{'pose': np.eye(4)}", r"returned \['pose'\], it declares \['points'\]"),
        ("points[:-1]", "carry it along or drop it"),
        ("points.astype('U3')", "array 'points' is"),
    ],
)
def test_what_a_function_returns_is_checked(made, returned, said):
    cls = made(f"@gives('points')\ndef f(points):\n    return {returned}\n")
    with pytest.raises(ContractError, match=said):
        cls().apply(tiny_sample())
