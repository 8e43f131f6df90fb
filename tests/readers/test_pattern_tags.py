"""What the help says of a reader's tags is what its captures have, also those that its own pattern gives."""

import importlib

import pytest

READERS = ("biwi", "bosphorus", "curtinfaces", "eurecom_kinect", "frgc", "iiitd_kinect", "lock3dface",
           "lock3dface_bundle", "realsense", "texas3dfrd")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_every_tag_of_every_capture_is_in_the_help(tmp_path, name):
    tiny = importlib.import_module(f"tiny_{name}")
    tiny.write(tmp_path)
    reader = tiny.reader(tmp_path)
    tags = {tag for source in reader.scan() for tag in source.tags}
    assert tags <= {*type(reader).tag_names, "mask"}
    assert tags
