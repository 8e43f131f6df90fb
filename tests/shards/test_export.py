import csv
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from made import build, manifest, spec_of

from face3d_data import Dataset
from face3d_data.cli.export import command
from face3d_data.errors import UserError
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.export.samples import ply_bytes

FIELDS = ["points", "normals", "color", "depth"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    spec = spec_of(fields=FIELDS, shard_size=4, pairs=True, gallery=True)
    return Dataset(build(tmp_path_factory.mktemp("work") / "datasets", manifest(), spec))


def rows_of(folder, name):
    with open(folder / f"{name}.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def samples(dataset):
    for split in dataset.splits:
        table = dataset.table(split)
        yield from zip(table.itertuples(), dataset.reader(split), strict=True)


@pytest.mark.slow
def test_ply_reads_back(dataset, tmp_path):
    trimesh = pytest.importorskip("trimesh")
    assert export_dataset(dataset.path, tmp_path / "out") == 18
    for row, sample in samples(dataset):
        cloud = trimesh.load(tmp_path / "out" / row.name / f"{row.id}.ply")
        assert np.array_equal(np.asarray(cloud.vertices, "f4"), sample["points"])


def test_ply_bytes_are_exact():
    points = np.array([[1, 2, 3], [4, 5, 6]], "f4")
    colors = np.array([[1, 2, 3], [4, 5, 6]], "u1")
    data = ply_bytes(points, None, colors)
    assert data.startswith(
        b"ply\nformat binary_little_endian 1.0\nelement vertex 2\n"
        b"property float x\nproperty float y\nproperty float z\n"
        b"property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    )
    body = data.partition(b"end_header\n")[2]
    assert body == b"".join(points[i].tobytes() + colors[i].tobytes() for i in range(2))
    assert b"property float nz\n" in ply_bytes(points, points)


def test_npy_is_exact(dataset, tmp_path):
    export_dataset(dataset.path, tmp_path / "out", ["npy"])
    for row, sample in samples(dataset):
        folder = tmp_path / "out" / row.name
        assert np.array_equal(np.load(folder / f"{row.id}.npy"), sample["points"])
        for field in ("normals", "color", "depth"):
            assert np.array_equal(np.load(folder / f"{row.id}.{field}.npy"), sample[field])


def test_png_keeps_colours_and_whole_millimetres(dataset, tmp_path):
    cv2 = pytest.importorskip("cv2")
    export_dataset(dataset.path, tmp_path / "out", ["png"])
    for row, sample in samples(dataset):
        folder = tmp_path / "out" / row.name
        color = cv2.imread(str(folder / f"{row.id}.png"), cv2.IMREAD_COLOR)
        assert np.array_equal(color[..., ::-1], sample["color"])
        depth = cv2.imread(str(folder / f"{row.id}.depth.png"), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16
        assert np.abs(depth - sample["depth"]).max() <= 0.5


def test_csvs_name_every_file_once_and_pairs_are_copied(dataset, tmp_path):
    out = tmp_path / "out"
    export_dataset(dataset.path, out)
    rows = [row for split in dataset.splits for row in rows_of(out, split)]
    assert {f"{row['name']}/{row['id']}.ply" for row in rows} == {
        path.relative_to(out).as_posix() for path in out.rglob("*.ply")
    }
    header = "id,name,class,sample_id,identity,dataset,split,variant,origin_id,n_points,key,root,content"
    assert (out / "train.csv").read_text().splitlines()[0] == header
    assert [row["id"] for row in rows_of(out, "gallery")] == dataset.gallery["id"].tolist()
    assert rows_of(out, "probe")[0]["n_points"] == "16"
    for name in ("pairs.csv", "pairs.txt"):
        assert (out / name).read_bytes() == (dataset.path / name).read_bytes()


def test_only_some_splits(dataset, tmp_path):
    assert export_dataset(dataset.path, tmp_path / "out", ["ply", "npy"], ["test"]) == 6
    assert {path.name for path in (tmp_path / "out").glob("*/")} >= {"d__p2", "d__p5"}
    assert not (tmp_path / "out" / "d__p0").exists()
    assert not (tmp_path / "out" / "train.csv").exists()
    with pytest.raises(UserError, match="has no split 'exam'"):
        export_dataset(dataset.path, tmp_path / "b", splits=["exam"])


def test_what_is_there_is_left_alone(dataset, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("x")
    export_dataset(dataset.path, tmp_path / "out", splits=["test"])
    for name in ("out", "file"):
        with pytest.raises(UserError, match="is not empty: choose a folder that does not exist yet"):
            export_dataset(dataset.path, tmp_path / name)


def test_a_format_that_does_not_fit(tmp_path):
    link = build(tmp_path / "d", spec=spec_of(fields=["landmarks"]))
    with pytest.raises(UserError, match=r"has no points or vertices to write as ply \(its arrays: landmarks\)"):
        export_dataset(link, tmp_path / "out")
    with pytest.raises(UserError, match="unknown format 'abc': choose ply, csv\\+ply, npy, png"):
        export_dataset(link, tmp_path / "out", ["abc"])
    assert not (tmp_path / "out").exists()
    export_dataset(link, tmp_path / "out", ["npy"])
    assert np.load(next((tmp_path / "out").rglob("*.npy"))).shape == (5, 2)


def test_a_failure_leaves_nothing(dataset, tmp_path):
    def broken(n):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        export_dataset(dataset.path, tmp_path / "out", tell=broken)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_one_line(dataset, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"file/out: cannot be written \(Not a directory\)"):
        export_dataset(dataset.path, tmp_path / "file" / "out")


def test_command(dataset, tmp_path):
    work = str(dataset.path.parent.parent)
    done = CliRunner().invoke(
        command, ["faces", str(tmp_path / "out"), "-w", work, "--format", "npy", "--split", "test"]
    )
    assert done.exit_code == 0, done.output
    assert f"6 samples as npy in {tmp_path / 'out'}" in done.output
    done = CliRunner().invoke(command, ["faces", str(tmp_path / "out"), "-w", work])
    assert isinstance(done.exception, UserError)
    done = CliRunner().invoke(command, ["faces", str(tmp_path / "x"), "-w", work, "--format", "abc"])
    assert done.exit_code == 2


@pytest.mark.slow
def test_importing_commands_and_readers_is_light():
    names = ("cli.verify", "cli.export", "shards.read", "shards.finish", "shards.audit.verify", "tables.pairs")
    code = "import sys, " + ", ".join(f"face3d_data.{name}" for name in names) + "\n"
    code += "print([name for name in ('torch', 'open3d', 'cv2', 'pandas', 'h5py') if name in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout == "[]\n", done.stderr
