"""Make `synthetic/ict_face.npz`, the population `model: ict` of the reader `synthetic`.

    python benchmarks/make_ict_face.py ict_face_small.npz

ICT-FaceKit light (MIT, github.com/ICT-VGL/ICT-FaceKit) is a statistical model of real scans. The file given holds its
face: `mean` (9409, 3), 25 `identity` and 10 `expression` modes, `triangles`, in the order of ICT-FaceKit's vertices.
Added are the 68 landmarks, as its documentation lists them, and what a camera sees in the holes: eyeballs, and the
inside of the mouth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from register_truth import ICT_68

from face3d_data.formats.face_model import read_face_model

OUT = Path(__file__).parents[1] / "face3d_data/synthetic/ict_face.npz"
EYE_MM, MOUTH_MM = 2.5, -9.0
"""How far the middle of what closes a hole stands off the plane of its rim."""
DECIMALS_MM = 2


def loops(triangles: np.ndarray) -> list[np.ndarray]:
    """Return the open edges of a mesh as loops of vertices, in the order of their triangles."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, index, count = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True)
    after = dict(edges[count[index.ravel()] == 1].tolist())
    found = []
    while after:
        first, at = after.popitem()
        loop = [first]
        while at != first:
            loop.append(at)
            at = after.pop(at)
        found.append(np.array(loop))
    return found


def cap(rim: np.ndarray, n_before: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights f8 (N + 1, N) of a ring and a middle that close a hole, and triangles; they follow `n_before`."""
    n = len(rim)
    weights = np.concatenate([0.5 * np.eye(n) + 0.5 / n, np.full((1, n), 1 / n)])
    ring, middle = n_before + np.arange(n), np.full(n, n_before + n)
    following, ring_after = np.roll(rim, -1), np.roll(ring, -1)
    triangles = np.concatenate(
        [
            np.stack(t, axis=1)
            for t in ((following, rim, ring), (following, ring, ring_after), (ring_after, ring, middle))
        ]
    )
    return weights, triangles


def main() -> None:
    """Write the file and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    model = read_face_model(parser.parse_args().file)
    mean, triangles = model.mean, model.triangles
    identity, expression = model.identity.astype(np.float64), model.expression.astype(np.float64)
    rims = sorted(loops(triangles), key=len)[:3]  # two eyes and the mouth; the longest is the edge of the face
    for rim, off_mm in zip(rims, (EYE_MM, EYE_MM, MOUTH_MM), strict=True):
        weights, closing = cap(rim, len(mean))
        bulge = np.zeros((len(weights), 3))
        bulge[:-1, 2], bulge[-1, 2] = 0.75 * off_mm, off_mm
        mean = np.concatenate([mean, weights @ mean[rim] + bulge])
        identity, expression = (
            np.concatenate([modes, np.einsum("wn,knc->kwc", weights, modes[:, rim])], axis=1)
            for modes in (identity, expression)
        )
        triangles = np.concatenate([triangles, closing])
    names = np.load(parser.parse_args().file)["expression_names"]
    np.savez_compressed(
        OUT,
        mean=mean.astype(np.float32),
        triangles=triangles.astype(np.uint16),
        identity=identity.round(DECIMALS_MM).astype(np.float16),
        expression=expression.round(DECIMALS_MM).astype(np.float16),
        expression_names=names,
        landmarks_68=np.array(ICT_68, np.uint16),
    )
    print(f"{OUT.name}: {OUT.stat().st_size / 1e6:.2f} MB, {len(mean)} vertices, {len(triangles)} triangles")


if __name__ == "__main__":
    main()
