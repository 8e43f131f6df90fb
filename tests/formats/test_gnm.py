"""GNM Head 3 as Google publishes it: its skin in mm, modes of the skin alone, and what is wrong in one line."""

import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.formats.face_model import read_face_model

V = 400
RNG = np.random.default_rng(4)
SKIN = RNG.random(V) < 0.7
SOCK = SKIN & (RNG.random(V) < 0.2)
EYE = ~SKIN & (RNG.random(V) < 0.3)
KEPT = np.concatenate([np.flatnonzero(SKIN & ~SOCK), np.flatnonzero(EYE | SOCK)])


def published():
    """The arrays of the file, each by the name and form of GNM's own loader."""
    head = [f"head_{i:03d}" for i in range(5)]
    lower = [f"lower_face_region_{i:03d}" for i in range(3)]
    return {
        "version": "3.0",
        "variant": "head",
        "template_vertex_positions": RNG.uniform(-0.09, 0.09, (V, 3)).astype(np.float32),
        "template_joint_positions": np.zeros((4, 3), np.float32),
        "vertex_identity_basis": 0.004 * RNG.standard_normal((8, V, 3)).astype(np.float32),
        "joint_identity_basis": np.zeros((8, 4, 3), np.float32),
        "identity_names": [*head, "eyes_000", "teeth_000", "teeth_001"],
        "expression_basis": np.float32([0.001, 0.003, 0.002, 0.004, 0.009])[:, None, None]
        * RNG.standard_normal((5, V, 3)).astype(np.float32),
        "expression_names": ["left_eye_region_000", *lower, "tongue_000"],
        "joint_names": ["root", "neck", "left_eye", "right_eye"],
        "joint_parent_indices": np.array([0, 0, 1, 1]),
        "skinning_weights": np.zeros((4, V), np.float32),
        "quads": RNG.integers(0, V, (90, 4)),
        "triangles": RNG.integers(0, V, (400, 3)),
        "vertex_group_names": ["tongue", "skin", "mouth_sock", "right_eye"],
        "vertex_groups": np.stack([~SKIN, SKIN, SOCK, EYE]).astype(np.float32),
    }


def write(path, **changed):
    arrays = {name: value for name, value in (published() | changed).items() if value is not None}
    np.savez(path, **arrays)
    return arrays


def test_the_skin_and_its_modes_are_read_in_mm(tmp_path):
    arrays = write(tmp_path / "gnm_head.npz")
    model = read_face_model(tmp_path / "gnm_head.npz")
    assert np.allclose(model.mean, 1000 * arrays["template_vertex_positions"][KEPT], atol=1e-3)
    assert np.allclose(model.identity, 1000 * arrays["vertex_identity_basis"][:5, KEPT], atol=1e-3)
    assert np.allclose(model.expression, 1000 * arrays["expression_basis"][[3, 1, 2, 0]][:, KEPT], atol=1e-3)
    assert not model.blendshapes
    assert model.landmarks is None
    wanted = [t for t in arrays["triangles"].tolist() if set(t) <= set(KEPT.tolist())]
    assert KEPT[model.triangles].tolist() == wanted
    assert model.skin == (SKIN & ~SOCK).sum()


@pytest.mark.parametrize(("changed", "said"), [
    ({"vertex_identity_basis": None}, "and no vertex_identity_basis"),
    ({"triangles": None}, "and no triangles"),
    ({"vertex_groups": None}, "and no vertex_groups"),
    ({"vertex_groups": np.ones((4, V + 1))}, r"vertex_groups \(4, 401\) does not fit 4 names and 400 vertices"),
    ({"vertex_group_names": ["a", "b", "c", "d"]}, "vertex_group_names has no skin"),
    ({"expression_names": None}, "has no expression_names for its 5 modes"),
    ({"identity_names": ["head_000"]}, "has no identity_names for its 8 modes"),
    ({"expression_basis": np.ones((5, V - 1, 3))}, r"expression_basis \(5, 399, 3\) does not fit 400 vertices"),
    ({"triangles": np.full((9, 3), V)}, "triangles name vertices that are not among the 400"),
    ({"triangles": np.zeros((9, 4), int)}, r"triangles is int64 \(9, 4\)"),
    ({"template_vertex_positions": np.zeros((V, 2))}, "template_vertex_positions is"),
    ({"vertex_groups": np.zeros((4, V))}, "mean is"),
    ({"vertex_identity_basis": np.full((8, V, 3), np.nan)}, "not finite"),
])  # fmt: skip
def test_what_does_not_fit_is_one_line(changed, said, tmp_path):
    write(tmp_path / "gnm_head.npz", **changed)
    with pytest.raises(UserError, match=said) as caught:
        read_face_model(tmp_path / "gnm_head.npz")
    assert "\n" not in str(caught.value)
    assert "gnm_head.npz: " in str(caught.value)
