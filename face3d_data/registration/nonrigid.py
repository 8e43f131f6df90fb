"""Non-rigid fit: displacements of the model's vertices that follow the scan where it is skin, as smooth as they can be.

Bending of the displacements is penalised by the squared Laplacian (thin plates; Botsch and Sorkine 2008, On linear
variational surface deformation methods), data by robust point-to-plane distances.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.linear_fit import data_weights
from face3d_data.registration.scan import Scan, match
from face3d_data.registration.template import Template

STAGES = ((5.0, 16.0), (3.5, 11.0), (2.5, 8.0), (2.0, 6.0))
"""Scale of the robust weight, and the length over which displacements are smooth, mm."""
SCREEN_MM = 30.0
"""Farther than this from what is seen the displacement is that of the model: none."""
CONE = 0.2
"""A share of each data term holds the vertex beside the normal, too, so that the mesh does not slide."""


def cotangent_laplacian(vertices: np.ndarray, triangles: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return the Laplacian (V, V), positive, with cotangent weights, and each vertex's area (V,), mm².

    Pinkall and Polthier 1993, Computing discrete minimal surfaces; cotangents are cut at 0.05 to 5.
    """
    n = len(vertices)
    rows, columns, values = [], [], []
    area = np.zeros(n)
    for k in range(3):
        i, j, o = triangles[:, k], triangles[:, (k + 1) % 3], triangles[:, (k + 2) % 3]
        a, b = vertices[i] - vertices[o], vertices[j] - vertices[o]
        double = np.linalg.norm(np.cross(a, b), axis=1)
        cot = np.clip(np.einsum("ij,ij->i", a, b) / np.maximum(double, 1e-9), 0.05, 5.0) / 2
        rows += [i, j]
        columns += [j, i]
        values += [cot, cot]
        area += np.bincount(i, double / 6, n)
    weight = sparse.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (n, n)
    ).tocsr()
    laplacian = sparse.diags(np.asarray(weight.sum(axis=1)).ravel()) - weight
    return laplacian.tocsr(), np.maximum(area, 1e-3)


def bending(vertices: np.ndarray, triangles: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray]:
    """Return the thin-plate energy's matrix (V, V), and each vertex's area."""
    laplacian, area = cotangent_laplacian(vertices, triangles)
    return (laplacian.T @ sparse.diags(1 / area) @ laplacian).tocsc(), area


def fit_nonrigid(
    template: Template,
    scan: Scan,
    vertices: np.ndarray,
    plate: tuple[sparse.csc_matrix, np.ndarray],
    allowed: np.ndarray,
) -> np.ndarray:
    """Return the vertices f8 (V, 3) moved onto the scan.

    Args:
        template: gives the triangles.
        scan: to which they are moved.
        vertices: (V, 3), the linear model's, in the scan's frame.
        plate: of `bending` for the template.
        allowed: bool (V,), False where the scan is not to be followed.
    """
    energy, area = plate
    moved = vertices.copy()
    for scale, smooth in STAGES:
        normals = mesh_normals(moved, template.triangles)
        found = match(scan, moved, normals)
        weight = steady(template, data_weights(found, scale, scan.spacing_mm) * allowed) * area
        wanted = moved - vertices + found.offset[:, None] * found.normals
        hold = area * (smooth**4 / SCREEN_MM**4)
        system = (sparse.diags(weight + hold) + energy * smooth**4).tocsc()
        moved = vertices + splu(system, diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve(
            weight[:, None] * wanted
        )
    return moved


def steady(template: Template, weight: np.ndarray) -> np.ndarray:
    """Return weights lowered where those around are low: what is worn begins and ends somewhere on the skin."""
    spread = neighbour_mean(template.triangles, weight, len(weight))
    return weight * np.clip(spread / 0.5, 0.0, 1.0)


def neighbour_mean(triangles: np.ndarray, values: np.ndarray, n: int, times: int = 3) -> np.ndarray:
    """Return values (V,) averaged over each vertex's triangles, some times."""
    flat = triangles.T.ravel()
    count = np.maximum(np.bincount(flat, minlength=n), 1)
    for _ in range(times):
        mean = values[triangles].mean(axis=1)
        values = np.bincount(flat, np.tile(mean, 3), n) / count
    return values
