"""How face-like a scan is: relief is compared, not closeness alone."""

import numpy as np

from face3d_data.registration.template import own_template
from face3d_data.registration.verdict import Verdict, relief_correlation


def middle() -> np.ndarray:
    v = own_template().vertices
    return v[(np.hypot(v[:, 0], v[:, 1] / 1.4) < 34) & (own_template().normals[:, 2] > 0.25)]


def test_a_face_is_like_itself_and_a_bent_plane_is_like_none():
    face = middle()
    noise = np.random.default_rng(0).normal(0, 0.4, face.shape)
    assert relief_correlation(face, face + noise) > 0.99
    bent = face.copy()
    bent[:, 2] = 5 - 0.004 * face[:, 0] ** 2 - 0.002 * face[:, 1] ** 2
    assert abs(relief_correlation(face, bent + noise)) < 0.2
    bent[:, 2] += 0.3 * face[:, 0] - 7
    assert relief_correlation(face, face + np.array([3, 0, 20])) > 0.99
    assert relief_correlation(face[:5], face[:5]) == 0


def test_the_upper_half_alone_has_to_fit_better():
    figures = (0.6, 0.6, 0.98, 3.0, 1.0, 0.9, 1.0)
    assert Verdict(*figures, upper=True).misfit > Verdict(*figures).misfit
    assert Verdict(0.6, 0.6, 0.98, 60.0, 1.0, 0.9, 1.0).misfit > 1
