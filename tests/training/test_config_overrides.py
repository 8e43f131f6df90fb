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


def test_losses_chosen_by_name_keep_the_options_that_the_config_has_for_them():
    made = load_config("maps", [("loss", "arcface,consistency"), ("loss.consistency.weight", "5")])
    assert made.loss == {"arcface": {"margin": 0.3, "scale": 30}, "consistency": {"weight": 5}}
    assert load_config("maps", [("loss", "adaface")]).loss == {"adaface": {}}


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


@pytest.mark.parametrize(
    ("config", "changes", "known"),
    [
        (None, [], "triplet"),
        ("demo", [], "triplet"),
        (None, [("loss", "softmax,center")], "softmax, center"),
    ],
)
def test_an_option_of_a_loss_that_the_run_lacks_is_refused(config, changes, known):
    """It would add that loss in silence."""
    with pytest.raises(UserError, match=rf"--loss\.arcface\.margin: loss arcface is not among .* \({known}\): add it"):
        load_config(config, [*changes, ("loss.arcface.margin", "0.3")])
    made = load_config(config, [("loss", "triplet,arcface"), ("loss.arcface.margin", "0.3")])
    assert made.loss == {"triplet": load_config(config).loss.get("triplet", {}), "arcface": {"margin": 0.3}}


def test_what_was_given_as_an_option_is_blamed_not_the_file():
    with pytest.raises(UserError, match=r"^--precision: 'precision' = 'bf16'"):
        load_config("points_pointnet", [("precision", "bf16")])
    with pytest.raises(UserError, match=r"^--optimizer\.learning-rate: "):
        load_config("points_pointnet", [("optimizer.learning_rate", "0"), ("epochs", "2")])


def test_what_the_caller_gives_is_left_as_it_is():
    model = {"name": "map_resnet", "embedding_size": 8}
    made = load_config("maps", [("model", model), ("model.embedding_size", 16)])
    assert made.model["embedding_size"] == 16
    assert model == {"name": "map_resnet", "embedding_size": 8}
