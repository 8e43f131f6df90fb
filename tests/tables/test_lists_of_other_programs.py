"""Lists that people write in spreadsheets: read the same in UTF-16 and with any line ends."""

import gzip

import pytest
from split_table import captures, split_table

from face3d_data.tables.frozen import read_frozen
from face3d_data.tables.label import read_labels
from face3d_data.tables.lists import read_list
from face3d_data.tables.pairs_file import read_pairs
from face3d_data.tables.same_person import read_same_person

NAMES = {"d/ann": ("d/ann",), "d/zoë": ("d/zoë",)}


def pairs(path):
    return read_pairs(path, split_table(captures(2, 3, ("none",)))).first.tolist()


def frozen(path):
    return vars(read_frozen(path, (), "identity", {"train": 0.5, "test": 0.5}, NAMES, "people"))


LISTS = {
    "ids": ("d/ann\nd/zoë\n", read_list),
    "same person": ("identity,same_as\nd/ann,d/zoë\n", read_same_person),
    "labels": ("identity,light\nd/ann,dim\nd/zoë,\n", lambda path: read_labels(path, ["light"])),
    "frozen": ("identity,split\nd/ann,test\nd/zoë,train\n", frozen),
    "pairs": ("p0\tc0\tc1\np0\tc0\tp1\tc0\n", pairs),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_the_same_in_every_encoding(tmp_path, name):
    text, read = LISTS[name]
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode())
    wanted = read(path)
    for data in (
        text.encode("utf-16"),
        text.encode("utf-8-sig"),
        text.replace("\n", "\r\n").encode("utf-16-be"),
        text.replace("\n", "\r").encode(),
        gzip.compress(text.encode()),
    ):
        path.write_bytes(data)
        assert read(path) == wanted
