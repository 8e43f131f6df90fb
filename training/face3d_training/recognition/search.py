"""Search of the nearest people of a gallery: exact, by NumPy, or by Faiss for many people."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from face3d_data.errors import MissingDependency
from face3d_data.extras import extra_line
from face3d_data.plurals import counted

LARGEST_EXACT = 50_000
"""People up to which NumPy computes all distances; a larger gallery is searched by Faiss, with the same answers."""


def nearest(gallery: np.ndarray, probes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the people nearest to each probe.

    Args:
        gallery: f4 (p, E), unit length.
        probes: f4 (n, E), unit length.
        count: how many people of each, at most p.

    Returns:
        i64 (n, k) rows of the gallery, nearest first and of equals the first, and f8 (n, k) Euclidean distances.
    """
    count = min(count, len(gallery))
    if len(gallery) > LARGEST_EXACT:
        return _by_faiss(gallery, probes, count)
    distances = cdist(probes, gallery)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, axis=1)


def _by_faiss(gallery: np.ndarray, probes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what `nearest` does, by Faiss' exact index; distances are computed again in double precision."""
    try:
        import faiss
    except ImportError:
        raise MissingDependency(
            f"a gallery of more than {counted(LARGEST_EXACT, 'person')} is searched by Faiss: {extra_line('faiss')}"
        ) from None
    index = faiss.IndexFlatL2(gallery.shape[1])
    index.add(np.ascontiguousarray(gallery, np.float32))
    _, found = index.search(np.ascontiguousarray(probes, np.float32), count)
    order = np.sort(found, axis=1)
    exact = np.stack([cdist(probe[None], gallery[own])[0] for probe, own in zip(probes, order, strict=True)])
    best = np.argsort(exact, axis=1, kind="stable")
    return np.take_along_axis(order, best, axis=1), np.take_along_axis(exact, best, axis=1)
