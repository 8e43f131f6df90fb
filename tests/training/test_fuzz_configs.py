"""Whatever stands in a training config or among its options: it is taken, or refused in one line, at once."""

import random

import pytest
import yaml
from hang_guard import ends_soon
from soak import tries
from yaml_mutations import VALUES, mutated

from face3d_data.errors import UserError
from face3d_training.building import build_losses, build_spec
from face3d_training.config import TrainConfig, config_names, load_config
from face3d_training.variation import Variation

ONCE_FAILED = [
    "loss: [{a: 1}]",
    "data: {where: 5}",
    "model: [x]",
    "seed: 99999999999999999999",
    "a: &a [*a]",
    "name: 2026-02-30",
    "data: {where: '@x == 1'}",
    "data: {channel_mean: [.nan]}",
]


@ends_soon()
def plan(config, overrides=()):
    """Build what can be built without a dataset; return what it was refused with, or nothing."""
    try:
        made = load_config(config, overrides)
        build_spec(made)
        Variation.of(made)
        build_losses(made.loss, 4, 64, "m")
        said = ""
    except UserError as error:
        said = str(error)
        assert said
    return said


def keys(model, above=""):
    """Return the dotted keys of a config."""
    for name, info in model.model_fields.items():
        yield above + name
        if hasattr(info.annotation, "model_fields"):
            yield from keys(info.annotation, f"{above}{name}.")


@pytest.mark.slow
def test_changed_configs_are_taken_or_refused_in_one_line(tmp_path):
    names = config_names()
    documents = [load_config(name).model_dump(mode="json", exclude_unset=True) for name in names]
    results = []
    for seed in range(tries(90, 300)):
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump(mutated(documents[seed % len(documents)], seed), allow_unicode=True), "utf-8")
        said = plan(path)
        assert "\n" not in said, (seed, said)
        results.append(bool(said))
    assert 0 < results.count(False) < len(results) / 2, "the changes say something"


@pytest.mark.slow
def test_options_are_taken_or_refused_in_one_line():
    texts = [yaml.safe_dump(value, default_flow_style=True).split("\n")[0] for value in VALUES]
    known = [*keys(TrainConfig), "model.x", "loss.triplet", "loss.x.y", "augment.jitter_mm", "a.b", ""]
    for seed in range(tries(90, 300)):
        rng = random.Random(seed)
        changes = [(rng.choice(known), rng.choice(texts)) for _ in range(rng.choice((1, 2)))]
        assert "\n" not in plan(rng.choice([None, *config_names()]), changes), changes


def test_an_option_below_a_list_of_lists_is_refused():
    assert plan(None, [("loss", "[[]]"), ("loss.x", "1")])
    assert plan(None, [("data", "[[]]"), ("data.views", "2")])


@pytest.mark.parametrize("text", ONCE_FAILED)
def test_what_once_failed_is_refused(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    said = plan(tmp_path / "c.yaml")
    assert said
    assert "\n" not in said
