"""A population of registered faces: a known linear model is found again, unseen vertices count little."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face3d_data.registration.population import build_population, components
from face3d_data.registration.template import own_template

RNG = np.random.default_rng(3)


def faces(count: int, modes: int, captures: int = 1, moved: bool = True):
    template = own_template()
    made, people = [], []
    for person in range(count):
        weights = np.zeros(len(template.modes))
        weights[:modes] = RNG.standard_normal(modes)
        for _ in range(captures):
            shape = template.shape(weights)
            turn = Rotation.from_euler("xyz", RNG.normal(0, 2, 3), degrees=True).as_matrix() if moved else np.eye(3)
            made.append(shape @ turn.T + (RNG.normal(0, 2, 3) if moved else 0))
            people.append(f"p{person}")
    return made, people


def without_motion(moved: np.ndarray) -> np.ndarray:
    """Return displacements (V, 3) of the template's vertices without what a rigid motion does, to first order."""
    v = own_template().vertices - own_template().vertices.mean(axis=0)
    rigid = [np.cross(axis, v).ravel() for axis in np.eye(3)] + [
        np.tile(axis, (len(v), 1)).ravel() for axis in np.eye(3)
    ]
    basis = np.linalg.qr(np.stack(rigid, axis=1))[0]
    return moved - (basis @ (basis.T @ moved.ravel())).reshape(moved.shape)


def test_people_of_three_modes_are_a_population_of_three_modes():
    made, people = faces(30, 3)
    population = build_population(made, [np.ones(len(made[0]))] * 30, people, 20, 5)
    assert population.people == 30
    assert np.cumsum(population.explained)[2] > 0.995
    assert len(population.expression) == 0
    total = np.sqrt((population.identity[:3] ** 2).sum(axis=(0, 2)).mean())
    wanted = np.sqrt((own_template().identity[:3] ** 2).sum(axis=(0, 2)).mean())
    assert 0.7 * wanted < total < 1.3 * wanted


def test_captures_of_one_person_vary_in_modes_of_their_own():
    made, people = faces(6, 3, captures=3, moved=False)
    smile = without_motion(own_template().expression[0])
    made = [face + (k % 3 - 1) * smile for k, face in enumerate(made)]
    population = build_population(made, [np.ones(len(made[0]))] * 18, people, 20, 5)
    assert population.explained_within[0] > 0.98
    across = np.abs(np.sum(population.expression[0] * smile)) / np.linalg.norm(population.expression[0])
    assert across / np.linalg.norm(smile) > 0.9


def test_what_was_not_seen_in_one_capture_is_taken_from_another():
    made, people = faces(2, 3, captures=2, moved=False)
    wrong = made[0].copy()
    hidden = wrong[:, 1] < -20
    wrong[hidden] += 10
    seen = [np.ones(len(face)) for face in made]
    seen[0][hidden] = 0
    good = build_population(made, seen, people, 5, 0)
    bad = build_population([wrong, *made[1:]], seen, people, 5, 0)
    assert np.abs(good.mean - bad.mean).max() < 1.0


def test_components_are_the_singular_vectors():
    rows = RNG.standard_normal((12, 40, 3))
    found, shares = components(rows, 5)
    _, sizes, axes = np.linalg.svd(rows.reshape(12, -1), full_matrices=False)
    assert np.allclose(shares, sizes[:5] ** 2 / (sizes**2).sum())
    assert np.allclose(np.abs(np.einsum("kd,kd->k", found.reshape(5, -1), axes[:5])), sizes[:5] / np.sqrt(11))


def test_one_person_is_no_population():
    made, _ = faces(1, 2, captures=2)
    with pytest.raises(ValueError, match="1 person"):
        build_population(made, [np.ones(len(made[0]))] * 2, ["a", "a"], 5, 0)
