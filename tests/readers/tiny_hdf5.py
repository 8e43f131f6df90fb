"""A tiny collection for reader `hdf5`: ModelNet-style files with their lists, face HDF5, people as texts, a shard."""

from pathlib import Path

import h5py
from write_hdf5 import face_clouds, write_face_h5, write_modelnet, write_shard

from face3d_data.readers.hdf5 import Hdf5

SHARED = frozenset({"modelnet/train_files.txt", "modelnet/test_files.txt", "modelnet/shape_names.txt"})


def write(root: Path) -> None:
    clouds, who = face_clouds(2, 2, 200)
    write_modelnet(root / "modelnet", "train", clouds, who, ["ann", "bob"], normals=clouds / 1000, per_file=2)
    write_modelnet(root / "modelnet", "test", clouds[::2] + 1, who[::2])
    write_face_h5(root / "faces.h5", clouds + 2, who + 7)
    with h5py.File(root / "texts.h5", "w") as file:
        file["data"] = clouds + 5
        file["identity"] = ["ann", "ben", "cy", "a name of more than eight bytes"]
    names = [f"lab/p{person}" for person in who]
    write_shard(root / "shards" / "all-00000.h5", clouds + 3, names, ["c0", "c1"] * 2)
    write_shard(root / "shards" / "all-00001.h5", clouds + 4, names, ["c2", "c3"] * 2, normalize=True)


def reader(root: Path) -> Hdf5:
    return Hdf5(root=root, up="-y")
