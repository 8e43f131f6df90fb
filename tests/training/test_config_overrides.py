"""What a text on the command line becomes in a config."""

from pathlib import Path

import pytest

from face3d_data.errors import UserError
from face3d_training.config import load_config


def value_of(key, text):
    value = load_config(None, [(key, text)])
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("data.where", "mask == 'none'", "mask == 'none'"),
        ("data.where", "name == 'a: b'", "name == 'a: b'"),
        ("description", "[1, 2]", "[1, 2]"),
        ("data.where", "null", None),
        ("data.where", "", None),
        ("data.train_split", "2024", "2024"),
        ("data.train_split", "on", "on"),
        ("weights", "1e5", Path("1e5")),
        ("triplets.file", "a,b.npy", Path("a,b.npy")),
        ("optimizer.learning_rate", "1e-3", 0.001),
        ("epochs", "1e2", 100),
        ("stop.patience", "null", None),
        ("model.widths", "32,64", [32, 64]),
        ("model.widths", "32,", [32]),
        ("data.fields", ["points", "normals"], ("points", "normals")),
        ("masks.styles", "surgical,n95", ("surgical", "n95")),
        ("loss", "arcface,center", {"arcface": {}, "center": {}}),
        ("loss.triplet.margin", "0.5", 0.5),
        ("augment.yaw_deg", "15", 15),
    ],
)
def test_a_text_becomes_what_its_key_holds(key, text, value):
    found = value_of(key, text)
    assert found == value
    assert type(found) is type(value) or isinstance(value, Path)


@pytest.mark.parametrize("key", ["data.train_split", "name"])
def test_a_text_that_has_to_be_there_cannot_be_taken_back(key):
    with pytest.raises(UserError, match="Input should be a valid string"):
        load_config(None, [(key, "null")])
