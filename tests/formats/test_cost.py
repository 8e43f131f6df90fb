"""Files that hold too much: judged by their headers, in little memory, whatever their format."""

import gzip
import json
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from hang_guard import HANG_SECONDS
from PIL import Image

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud_file import cloud_arrays, read_cloud
from face3d_data.formats.cost import FileLimits, check_points, limits_in_force
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.mesh_file import read_mesh
from face3d_data.formats.npy import inspect_depth_npy
from face3d_data.formats.npy_grid import inspect_grid_npy
from face3d_data.formats.ppm import read_ppm_size
from face3d_data.readers.cloud_folder import CloudFolder
from face3d_data.registry import components

POINTS = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32) * 60
FACES = np.array([[i, i + 1, i + 2] for i in range(40)], np.int32)


def ply(kind="ascii"):
    head = f"ply\nformat {kind} 1.0\nelement vertex 60\nproperty float x\nproperty float y\nproperty float z\n"
    head += "element face 40\nproperty list uchar int vertex_indices\nend_header\n"
    if kind == "ascii":
        body = "".join(f"{x} {y} {z}\n" for x, y, z in POINTS) + "".join(f"3 {a} {b} {c}\n" for a, b, c in FACES)
        return head.encode() + body.encode()
    return head.encode() + POINTS.tobytes() + b"".join(b"\x03" + face.tobytes() for face in FACES)


def pcd(kind="ascii"):
    head = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 60\nHEIGHT 1\nPOINTS 60\n"
    body = POINTS.tobytes() if kind == "binary" else "".join(f"{x} {y} {z}\n" for x, y, z in POINTS).encode()
    return f"{head}DATA {kind}\n".encode() + body


def glb():
    positions, indices = POINTS.tobytes(), FACES.astype("<u4").tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "scene": 0,
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 60, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 120, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 720},
            {"buffer": 0, "byteOffset": 720, "byteLength": 480},
        ],
        "buffers": [{"byteLength": 1200}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + 1200
    head = b"glTF" + struct.pack("<II", 2, size) + struct.pack("<I", len(text)) + b"JSON" + text
    return head + struct.pack("<I", 1200) + b"BIN\0" + positions + indices


def npz():
    import io

    stream = io.BytesIO()
    np.savez_compressed(stream, points=POINTS)
    return stream.getvalue()


def npy(order="C"):
    import io

    stream = io.BytesIO()
    np.save(stream, np.asarray(POINTS, order=order))
    return stream.getvalue()


VERTICES = [f"{x} {y} {z}" for x, y, z in POINTS]
OBJ = "".join(f"v {line}\n" for line in VERTICES) + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in FACES)
OFF = "OFF\n60 40 0\n" + "".join(f"{line}\n" for line in VERTICES) + "".join(f"3 {a} {b} {c}\n" for a, b, c in FACES)
STL = b" " * 80 + struct.pack("<I", 40) + b"".join(bytes(12) + POINTS[face].tobytes() + b"\0\0" for face in FACES)
COORDINATES = f"coord Coordinate {{ point [ {', '.join(VERTICES)} ] }}"
INDICES = f"coordIndex [ {' '.join(f'{a} {b} {c} -1' for a, b, c in FACES)} ]"
VRML = f"#VRML V2.0 utf8\nShape {{ geometry IndexedFaceSet {{ {COORDINATES} {INDICES} }} }}"
XYZ = "".join(f"{x} {y} {z}\n" for x, y, z in POINTS).encode()
CLOUDS = {"a.ply": ply(), "b.ply": ply("binary_little_endian"), "a.pcd": pcd(), "b.pcd": pcd("binary"), "a.xyz": XYZ,
          "a.npy": npy(), "f.npy": npy("F"), "a.npz": npz(), "a.obj": OBJ.encode(),
          "a.xyz.gz": gzip.compress(XYZ), "a.bc": POINTS.T.tobytes()}  # fmt: skip
MESHES = {"a.ply": ply(), "b.ply": ply("binary_little_endian"), "a.obj": OBJ.encode(), "a.off": OFF.encode(),
          "a.stl": STL, "a.glb": glb(), "a.wrl": VRML.encode(), "a.wrl.gz": gzip.compress(VRML.encode())}  # fmt: skip


@pytest.mark.parametrize(("read", "name", "data"), [(read_cloud, *item) for item in CLOUDS.items()]
                         + [(read_mesh, *item) for item in MESHES.items()])  # fmt: skip
def test_points_are_counted_in_every_format(tmp_path, read, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    with limits_in_force(FileLimits(max_points=60)):
        read(path)
    least = 13 if name == "a.stl" else 59  # forty triangles that share no corner
    with limits_in_force(FileLimits(max_points=least)), pytest.raises(Unreadable) as caught:
        read(path)
    assert caught.value.reason == "too_large"
    assert f"max_points is {least}" in caught.value.detail
    assert caught.value.detail.startswith(name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp", "a.tiff", "a.gif", "a.ppm", "d.npy", "g.npy"])
def test_pixels_are_counted_in_every_format(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, np.ones((30, 50) if name == "d.npy" else (30, 50, 3), np.float32))
    else:
        Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(path)
    look = {"d.npy": inspect_depth_npy, "g.npy": inspect_grid_npy, "a.ppm": read_ppm_size}.get(name, read_image_header)
    for read in (look, *([read_color] if look is read_image_header else [])):
        with limits_in_force(FileLimits(max_megapixels=0.0015)):
            read(path)
        with limits_in_force(FileLimits(max_megapixels=0.0014)), pytest.raises(Unreadable) as caught:
            read(path)
        assert caught.value.reason == "too_large"
        assert caught.value.detail.startswith(name)
        assert caught.value.detail.endswith("50x30 px are 0.0015 megapixels, limits: max_megapixels is 0.0014")


def test_a_number_that_the_file_cannot_hold_is_damage():
    check_points(10**9, "a", held_by=1000)
    with pytest.raises(Unreadable, match=r"a: 1,000,000,000 points, limits: max_points is 4000000"):
        check_points(10**9, "a")


def test_every_reader_has_the_limits_and_the_reason():
    for name, cls in components("reader").items():
        assert "too_large" in cls.reasons, name
        assert cls.model_fields["limits"].exclude, "they decide whether a file is read, not what it gives"


def test_a_readers_limits_lift_the_usual_ones(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.xyz").write_bytes(XYZ)
    strict = CloudFolder(root=tmp_path, limits={"max_points": 50})
    (source,) = strict.scan()
    with pytest.raises(Unreadable, match=r"too_large: a\.xyz: 60 points"):
        strict.sample(source).arrays["points"]
    wide = CloudFolder(root=tmp_path, limits={"max_points": 60})
    assert len(wide.sample(source).arrays["points"]) == 60
    assert wide.fingerprint() == strict.fingerprint()


CHILD = """
import re, sys, time
from pathlib import Path
from face3d_data.errors import Unreadable
from face3d_data.formats.{module} import {function}
import cv2, numpy
started = time.process_time()
try:
    {function}(Path(sys.argv[1]))
    print("read")
except Unreadable as error:
    print(error)
# ru_maxrss would count the process that started this one, too.
peak_kb = int(re.search("VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
print(time.process_time() - started, peak_kb / 1024)
"""


def in_a_process(path, module, function):
    """Return what is said, the processor seconds and the MB at most that a process took which reads a file."""
    text = CHILD.format(module=module, function=function)
    done = subprocess.run([sys.executable, "-c", text, str(path)], capture_output=True, text=True, check=True)
    said, numbers = done.stdout.strip().split("\n")
    return said, *map(float, numbers.split())


def bombs(folder):
    """Write files of some hundred KB that hold a GB or so."""
    raw = zlib.compressobj(1)
    line = bytes(1 + 30_000 // 8)
    packed = b"".join(raw.compress(line * 1000) for _ in range(30)) + raw.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, order in (("points", False), ("columns", True)):
            with archive.open(f"{name}.npy", "w") as stream:
                header = {"descr": "<f8", "fortran_order": order, "shape": (8_000_000, 3)}
                np.lib.format.write_array_header_1_0(stream, header)
                for _ in range(24):
                    stream.write(bytes(8_000_000))
    with gzip.open(folder / "a.xyz.gz", "wb", 1) as stream:
        for _ in range(300):
            stream.write(b"0 0 0\n" * 200_000)


@pytest.mark.slow
def test_bombs_cost_neither_time_nor_memory(tmp_path):
    bombs(tmp_path)
    for name, module, function in (
        ("a.png", "image", "read_color"),
        ("a.png", "image_header", "read_image_header"),
        ("a.npz", "cloud_file", "read_cloud"),
        ("a.npz", "cloud_file", "cloud_arrays"),
        ("a.xyz.gz", "cloud_file", "read_cloud"),
    ):
        assert (tmp_path / name).stat().st_size < 3_000_000
        said, seconds, peak_mb = in_a_process(tmp_path / name, module, function)
        assert said.startswith("too_large: ") or (function == "cloud_arrays" and said == "read"), name
        assert peak_mb < 500, f"{name}: {peak_mb:.0f} MB"
        assert seconds < HANG_SECONDS, name


def test_looking_at_columns_unpacks_no_bomb(tmp_path):
    header = {"descr": "<f8", "fortran_order": True, "shape": (8_000_000, 3)}
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("points.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
    assert cloud_arrays(tmp_path / "a.npz") == ("points",)


CORNERS = b"v 0 0 0\nv 100 0 0\nv 0 100 0\nf 1 2 3\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b"#" + b"x" * (1 << 20), "too_large: .*line 5: longer than 1,048,576 bytes"),
        (b"f" + b" 1 2 3" * 200_000, "too_large: .*line 5: longer"),
        (b"f" + b" 1 2 3 \\\n" * 200_000, "too_large: .*line 5: longer"),
        (b"f" + b" 1 2 3" * 40, "unreadable: .*a face has 120 corners, but there are only 3 vertices"),
    ],
)
def test_lines_and_faces_that_no_scan_has_are_judged_before_they_are_parsed(tmp_path, more, said):
    path = tmp_path / "a.obj"
    path.write_bytes(CORNERS + more + b"\n")
    with pytest.raises(Unreadable, match=said):
        read_mesh(path)
    path.write_bytes(CORNERS + more[:1] + more[1:91] + b"\n")
    assert len(read_mesh(path).vertices) == 3


@pytest.mark.parametrize("ending", [".obj", ".off"])
def test_a_text_larger_than_its_points_take_is_not_opened(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(CORNERS + b"# x\n" * 300_000)
    said = r"too_large: .*1 MB of text, more than limits: max_points = 1000 need"
    with limits_in_force(FileLimits(max_points=1000)), pytest.raises(Unreadable, match=said):
        read_mesh(path)


def test_a_cloud_with_an_endless_comment_is_too_large(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_bytes(b"0 0 0\n1 1 1\n#" + b"x" * (1 << 20))
    with pytest.raises(Unreadable, match=r"too_large: a.xyz: line 3: longer"):
        read_cloud(path)
