"""Embeddings of made-up people, drawn from the model of PLDA itself."""

import numpy as np

SIZE = 6


def model(seed=0, size=SIZE):
    """Return the mean f8 (E,) and the covariances f8 (E, E) between and within people of all draws."""
    rng = np.random.default_rng([seed, 99])
    root = rng.normal(size=(size, size)) * np.linspace(2, 0.2, size)
    noise = rng.normal(size=(size, size)) * np.linspace(0.2, 1, size)
    return rng.normal(size=size), root @ root.T + 0.1 * np.eye(size), noise @ noise.T + 0.1 * np.eye(size)


def draw(people, each, seed=0, size=SIZE, of_model=0):
    """Return embeddings f8 (people * each, E) and the person of each."""
    mean, between, within = model(of_model, size)
    rng = np.random.default_rng(seed)
    own = rng.multivariate_normal(mean, between, people)
    noise = rng.multivariate_normal(np.zeros(size), within, (people, each))
    vectors = (own[:, None] + noise).reshape(-1, size)
    return vectors, np.repeat([f"p{number:04d}" for number in range(people)], each)


def separation(scores, people):
    """Return the AUC of genuine pairs against impostor pairs of a square matrix of scores."""
    first, second = np.triu_indices(len(people), 1)
    alike = people[first] == people[second]
    genuine, impostor = scores[first, second][alike], np.sort(scores[first, second][~alike])
    below = np.searchsorted(impostor, genuine) + np.searchsorted(impostor, genuine, side="right")
    return float(below.mean() / 2 / len(impostor))
