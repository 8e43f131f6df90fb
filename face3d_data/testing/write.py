"""Writers of tiny collections on disk, one per reader's layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from face3d_data.testing.tiny import DEPTH_SCALE, TinyCapture, landmarks_entry, tiny_capture, tiny_intrinsics

PNG_FAST = 1


def write_tiny_rgbd(
    root: str | Path,
    people: int,
    captures: int,
    width: int = 32,
    height: int = 24,
    seed: int = 0,
    landmarks: bool = True,
) -> Path:
    """Write `people` x `captures` tiny captures as `rgbd_folder` reads them; 5,000 take a few seconds.

    Args:
        root: folder to write into; made where missing.
        people: number of folders, `person_0000` and so on.
        captures: number of captures in each, `capture_00` and so on.
        width: of the images, px.
        height: of the images, px; the face fills it.
        seed: other seeds give other people.
        landmarks: also write each person's landmarks.json, for `detector: given`.

    Returns:
        The root.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    write_intrinsics(root / "intrinsics.json", width, height)
    for person in range(people):
        folder = root / f"person_{person:04d}"
        folder.mkdir(exist_ok=True)
        entries = {}
        for capture in range(captures):
            made = tiny_capture(person, capture, width, height, seed)
            write_rgbd_pair(folder, f"capture_{capture:02d}", made)
            entries[f"capture_{capture:02d}"] = landmarks_entry(made)
        if landmarks:
            (folder / "landmarks.json").write_text(json.dumps(entries))
    return root


def add_tiny_capture(
    root: str | Path,
    person: int,
    capture: int,
    width: int = 32,
    height: int = 24,
    seed: int = 0,
    landmarks: bool = True,
) -> Path:
    """Add one capture to what `write_tiny_rgbd` wrote, landmarks.json included, touching no other file.

    Returns:
        The person's folder.
    """
    root = Path(root)
    folder = root / f"person_{person:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    made = tiny_capture(person, capture, width, height, seed)
    write_rgbd_pair(folder, f"capture_{capture:02d}", made)
    path = folder / "landmarks.json"
    if landmarks:
        entries = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(entries | {f"capture_{capture:02d}": landmarks_entry(made)}))
    return folder


def write_intrinsics(path: str | Path, width: int, height: int, **changes: object) -> None:
    """Write the intrinsics.json of tiny captures; `changes` replaces values, and None removes a key."""
    path = Path(path)
    values = dict(zip(("fx", "fy", "cx", "cy"), tiny_intrinsics(width, height).tolist(), strict=True))
    values |= {"width": width, "height": height, "depth_scale": DEPTH_SCALE, **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def write_rgbd_pair(folder: str | Path, name: str, made: TinyCapture) -> None:
    """Write `<name>_color.png` and `<name>_depth.png`."""
    folder = Path(folder)
    write_image(folder / f"{name}_color.png", made.color)
    write_image(folder / f"{name}_depth.png", made.depth)


def write_image(path: str | Path, pixels: np.ndarray) -> None:
    """Write RGB or grey pixels in the format of the path's ending; any path works, `é` and spaces included."""
    import cv2

    path = Path(path)
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    options = [cv2.IMWRITE_PNG_COMPRESSION, PNG_FAST] if path.suffix == ".png" else []
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(stored), options)
    if not done:
        raise ValueError(f"{path}: cannot be encoded")
    path.write_bytes(data.tobytes())


def write_tiny_npy(
    root: str | Path, people: int, captures: int, width: int = 32, height: int = 24, seed: int = 0
) -> Path:
    """Write tiny captures as `rgbd_npy` reads them: `<person>/<stem>.png` and `.npy` in mm; holes are NaN.

    `intrinsics.json` is written at the root, to be passed as the reader's `intrinsics`.

    Returns:
        The root.
    """
    root = Path(root)
    for person in range(people):
        folder = root / f"person_{person:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        for capture in range(captures):
            made = tiny_capture(person, capture, width, height, seed)
            write_image(folder / f"{capture:04d}.png", made.color)
            depth = made.depth_mm
            np.save(folder / f"{capture:04d}.npy", np.where(depth > 0, depth, np.float32(np.nan)))
    write_intrinsics(root / "intrinsics.json", width, height)
    return root


def write_tiny_images(
    root: str | Path, people: int, captures: int, width: int = 32, height: int = 24, seed: int = 0, suffix: str = ".png"
) -> Path:
    """Write tiny colour images as `image_folder` reads them: `<person>/<image><suffix>`.

    Returns:
        The root.
    """
    root = Path(root)
    for person in range(people):
        folder = root / f"person_{person:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        for capture in range(captures):
            write_image(folder / f"{capture:04d}{suffix}", tiny_capture(person, capture, width, height, seed).color)
    return root
