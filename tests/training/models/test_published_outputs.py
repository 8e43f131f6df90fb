"""Published networks give the outputs that their own code gave, to 1e-5, for the same weights under published names.

`published_outputs.json` was written by `tests/golden/record_published.py`, beside clones of the originals: it has the
repository, commit, file and arguments of each, the shape of its input, and the first numbers of two embeddings, made
unit length. Weights and inputs are drawn by name, with seed 20261202 (`drawn_weights.py`).
"""

import json
import re
from pathlib import Path

import pytest
import torch
from drawn_weights import drawn_images, drawn_points, drawn_state
from soak import SOAK

from face3d_training.foreign import load_foreign
from face3d_training.published_networks import published_network
from face3d_training.registry import make_spec

RECORDED = json.loads(Path(__file__).with_name("published_outputs.json").read_text())
KEPT = 32
OTHER_NAMES = {  # what of `architecture` is neither our name nor among the published ones
    **{f"ResNet_{depth}": f"face_resnet{depth}" for depth in (50, 101, 152)},
    "Resnet34Triplet": "resnet34",
    "Resnet50Triplet": "resnet50",
    "MobileNetV2Triplet": "mobilenetv2",
    "InceptionResnetV2Triplet": "inceptionresnetv2",
}
IN_FILES = {"MobileNet_V2": ("classifier.1", "out.1")}
IN_FILES |= dict.fromkeys(("MobileNet_V3_Small", "MobileNet_V3_Large"), ("classifier.1", "out.1"))


def published_shapes(recorded):
    """Shapes of the published weights by name: recorded, or those of our network under the names of the files."""
    if "weights" in recorded:
        return recorded["weights"]
    name = OTHER_NAMES.get(recorded["architecture"], recorded["architecture"])
    size = recorded["arguments"].get("embedding_dimension", 512)
    with torch.device("meta"):
        net = make_spec("model", published_network(name, "test").name, {"embedding_size": size}).build()
    ours, theirs = IN_FILES.get(recorded["architecture"], ("", ""))
    shapes = {key.replace(ours, theirs) if ours else key: value.shape for key, value in net.state_dict().items()}
    if "embedding_dimension" not in recorded["arguments"]:
        return shapes
    # Triplet trainers: the classifier has no bias, and lies at another place in MobileNet.
    shapes = {f"model.{key.replace('classifier.1.', 'classifier.')}": shape for key, shape in shapes.items()}
    heads = ("fc.bias", "classifier.bias", "last_linear.bias")
    return {key: shape for key, shape in shapes.items() if not key.endswith(heads)}


def largest_difference(recorded, folder):
    """Return how far our network is from what was recorded of the original."""
    state, name = drawn_state(published_shapes(recorded)), recorded["architecture"]
    path, images = folder / "published.pth", len(recorded["input"]) == 4
    torch.save(state, path)
    foreign = load_foreign(path, architecture=OTHER_NAMES.get(name, name))
    assert foreign.unmatched == []
    with torch.no_grad():
        if images:
            found = foreign.net.double()(drawn_images(recorded["input"][-1]).double())
        else:
            found = foreign.net(drawn_points())
    found = found[:, :KEPT].double()
    expected = torch.tensor(recorded["outputs"], dtype=torch.float64)
    return float((found / found.norm(dim=1, keepdim=True) - expected).abs().max())


TRIED = [each for each in RECORDED if SOAK or not re.search("101|152|Inception|_50|34", each["architecture"])]
"""Without a soak the deep ones are left out, which have the layers of others, more often."""
TRIED += [each for each in RECORDED if not SOAK and each["architecture"] in ("IR_SE_50", "ResNet_50")]


@pytest.mark.slow
@pytest.mark.parametrize("recorded", TRIED, ids=lambda recorded: recorded["architecture"])
def test_outputs_are_those_of_the_original(recorded, tmp_path):
    assert largest_difference(recorded, tmp_path) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pointMLPEliteTriplet", "pointnet2ssgeliteTriplet"])
def test_the_logistic_function_and_the_first_point_matter(name, tmp_path):
    recorded = next(each for each in RECORDED if each["architecture"] == name)
    plain = dict(recorded, architecture=published_network(name, "test").name)
    assert largest_difference(plain, tmp_path) > 1e-3
