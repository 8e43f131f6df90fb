"""Map of embeddings: their positions in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from face3d_data.digest import seed_from

FEWEST_FOR_TSNE = 20
MOST_PEOPLE, MOST_FACES = 20, 1000


def choose_faces(people: Sequence[str], seed: int) -> np.ndarray:
    """Return rows to draw, i64 in order: all faces of at most 20 people, drawn from the seed, and at most 1000.

    Args:
        people: the person of each row.
        seed: decides who is drawn.
    """
    names = np.array(people, dtype=str)
    rng = np.random.default_rng(seed_from("map", seed))
    everybody = np.unique(names)
    chosen = rng.choice(everybody, min(MOST_PEOPLE, len(everybody)), replace=False)
    rows = np.flatnonzero(np.isin(names, chosen))
    return np.sort(rng.choice(rows, min(MOST_FACES, len(rows)), replace=False))


def place_embeddings(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """Return positions in the plane for embeddings, with similar ones close together, and the name of the method.

    t-SNE (van der Maaten & Hinton 2008), or principal components if there are too few for it.

    Args:
        vectors: (n, E).
        seed: t-SNE's.

    Returns:
        f8 (n, 2), and the method's name.
    """
    n, varies = len(vectors), len(vectors) > 0 and bool(np.ptp(vectors, axis=0).any())
    if varies and n >= FEWEST_FOR_TSNE:
        tsne = TSNE(perplexity=min(30.0, (n - 1) / 3), init="pca", random_state=seed % 2**32, n_jobs=1)
        return tsne.fit_transform(np.asarray(vectors, np.float64)).astype(np.float64), "t-SNE"
    places = np.zeros((n, 2))
    if varies:
        parts = PCA(min(2, n, vectors.shape[1])).fit_transform(np.asarray(vectors, np.float64))
        places[:, : parts.shape[1]] = parts
    return places, "principal components"
