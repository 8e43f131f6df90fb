"""Populations of the package that synthetic people are drawn from, beside its own parametric one."""

from __future__ import annotations

from face3d_data.resources import Asset

POPULATIONS: dict[str, Asset] = {"ict": Asset("synthetic/ict_face.npz", "synthetic/ict_face.npz")}
"""Face models by the name that the reader `synthetic` takes; made by `benchmarks/make_ict_face.py`.

`ict` is ICT-FaceKit light (MIT, `LICENSE.ICT-FaceKit` beside it), a statistical model of real scans.
"""
