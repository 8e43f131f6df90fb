"""Draw 16 fits of `register` beside their scans: plain, smiling, turned and masked synthetic people.

    python benchmarks/register_picture.py fits.png

Each tile has the scan's points on the left and the fitted template on the right, grey-blue where it was not seen, with
its 68 landmarks.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from register_truth import SEED, Case, synthetic_case

from face3d_data.geometry.normals import mesh_normals
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import own_template
from face3d_data.stages.register import Register
from face3d_data.synthetic import capture as generator
from face3d_data.wear.mask_style import mask_styles

SIZE, SPAN_MM, CENTRE_MM = 250, 230.0, np.array([0.0, 5.0, 0.0])
SEEN, UNSEEN, WORN = (226, 205, 188), (126, 152, 220), (120, 170, 140)
LIGHT = np.array([0.35, 0.5, 0.79])


def wanted() -> list[tuple[str, int, int]]:
    """Return kind, person and capture of 16 scans."""
    plain = [("plain", person, 0) for person in range(4)]
    smiling, turned = [], []
    for person in range(4, 60):
        for capture in range(1, 4):
            rng = generator.capture_rng(SEED, person, capture)
            scene = generator.draw_scene(SEED, person, capture, rng)
            if scene.expression_name in ("smile", "laugh", "open", "kiss") and abs(scene.yaw_deg) < 10:
                smiling.append((scene.expression_name, person, capture))
            elif abs(scene.yaw_deg) > 17:
                turned.append((f"yaw {scene.yaw_deg:.0f}", person, capture))
    masked = [("mask", person, person % 4) for person in (60, 61, 64, 67)]
    return [*plain, *smiling[:4], *turned[:4], *masked]


def pixels(points: np.ndarray) -> np.ndarray:
    """Return the columns and rows (N, 2) of points seen from the front."""
    flat = (points - CENTRE_MM)[:, :2] / SPAN_MM * [1, -1] + 0.5
    return np.rint(flat * SIZE).astype(int)


def draw_points(case: Case) -> np.ndarray:
    """Return an image of a scan's points, lit by their normals."""
    scan = prepare_scan(case.sample.arrays["points"])
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    assert scan is not None  # the samples are faces
    shade = 0.25 + 0.75 * np.clip(scan.normals @ LIGHT, 0, 1)
    for k in np.argsort(scan.points[:, 2]):
        at = tuple(int(value) for value in pixels(scan.points[k : k + 1])[0])
        cv2.circle(image, at, 1, tuple(int(shade[k] * value) for value in SEEN), -1)
    return image


def draw_mesh(vertices: np.ndarray, visible: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return an image of a fitted template."""
    o3d, triangles = open3d(), own_template().triangles
    caster = o3d.t.geometry.RaycastingScene(nthreads=1)
    caster.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    place = (np.arange(SIZE) + 0.5) / SIZE * SPAN_MM - SPAN_MM / 2
    x, y = np.meshgrid(place + CENTRE_MM[0], CENTRE_MM[1] - place)
    rays = np.stack([x, y, 0 * x + 400, 0 * x, 0 * x, 0 * x - 1], axis=-1).astype(np.float32)
    answer = caster.cast_rays(o3d.core.Tensor(rays))
    hit = np.isfinite(answer["t_hit"].numpy())
    corners = triangles[answer["primitive_ids"].numpy()[hit]]
    uv = answer["primitive_uvs"].numpy()[hit]
    weights = np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
    normals = np.einsum("nc,ncj->nj", weights, mesh_normals(vertices, triangles)[corners])
    paint = np.where(visible[:, None] > 0, SEEN, UNSEEN).astype(float)
    color = np.einsum("nc,ncj->nj", weights, paint[corners])
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    image[hit] = np.clip((0.25 + 0.75 * np.clip(normals @ LIGHT, 0, 1))[:, None] * color, 0, 255)
    for at in pixels(landmarks):
        cv2.circle(image, tuple(int(value) for value in at), 1, (0, 130, 0), -1)
    return image


def tile(kind: str, person: int, capture: int) -> np.ndarray:
    """Return scan and fit of one capture, with a title."""
    styles = tuple(mask_styles())
    case = synthetic_case(person, capture, styles=styles if kind == "mask" else ())
    arrays = Register().apply(case.sample).arrays
    pair = np.hstack(
        [draw_points(case), draw_mesh(arrays["vertices"], arrays["vertex_visible"], arrays["landmarks_68_3d"])]
    )
    title = styles[person % len(styles)] if kind == "mask" else kind
    cv2.putText(pair, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return pair


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    tiles = [tile(*one) for one in wanted()]
    sheet = np.vstack([np.hstack(tiles[row : row + 4]) for row in range(0, 16, 4)])
    cv2.imwrite(str(options.out), sheet[..., ::-1])


if __name__ == "__main__":
    main()
