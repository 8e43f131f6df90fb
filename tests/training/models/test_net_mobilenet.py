"""MobileNet V2."""

import pytest
import torch
from image_nets import build, conv, count, embed, images, linear, untouched

from face3d_training.models.mobilenet_net import round_channels

TABLE = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Expansion, channels and blocks (Sandler et al. 2018, table 2)."""


def parameters(embedding_size: int, channels: int = 3) -> int:
    """The published layers at width 1, one by one."""
    total, inside = conv(channels, 32, 3) + 2 * 32, 32
    for expansion, outside, depth in TABLE:
        for _ in range(depth):
            hidden = inside * expansion
            total += conv(inside, hidden, 1) + 2 * hidden if expansion > 1 else 0
            total += conv(hidden, hidden, 3, groups=hidden) + 2 * hidden + conv(hidden, outside, 1) + 2 * outside
            inside = outside
    return total + conv(320, 1280, 1) + 2 * 1280 + linear(1280, embedding_size)


def test_sizes_are_the_published_ones_but_for_the_classifier():
    # `num_params` in torchvision's documentation, with 1,000 classes.
    assert count("mobilenet_v2", embedding_size=1000) == parameters(1000) == 3_504_872
    assert count("mobilenet_v2", embedding_size=256) == 3_504_872 - linear(1280, 1000) + linear(1280, 256)
    assert count("mobilenet_v2", embedding_size=64, in_channels=1) == parameters(64, channels=1)


def test_wider_and_narrower_ones_have_the_published_sizes():
    # timm's table: mobilenetv2_140 6.1 M; the last layer of narrow ones stays at 1280.
    assert round(count("mobilenet_v2", width=1.4, embedding_size=1000) / 1e6, 1) == 6.1
    narrow = {name: value.shape for name, value in build("mobilenet_v2", width=0.35).state_dict().items()}
    assert narrow["features.0.0.weight"] == (16, 3, 3, 3)
    assert narrow["features.17.conv.2.weight"][0] == 112
    assert narrow["classifier.1.weight"] == (512, 1280)


@pytest.mark.parametrize(
    ("asked", "rounded"), [(32, 32), (11.2, 16), (8.4, 8), (22.4, 24), (44.8, 48), (3, 8), (12, 16)]
)
def test_channels_are_rounded_to_eights_and_never_far_down(asked, rounded):
    assert round_channels(asked) == rounded


def test_weights_have_the_names_of_torchvision():
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in build("mobilenet_v2").state_dict().items()}
    expected = {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.0.1.running_mean": (32,),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.weight": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.2.conv.2.weight": (24, 96, 1, 1),
        "features.2.conv.3.bias": (24,),
        "features.18.0.weight": (1280, 320, 1, 1),
        "classifier.1.weight": (512, 1280),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    assert len({name.split(".")[1] for name in shapes if name.startswith("features.")}) == 19


def test_the_image_shrinks_by_32():
    net = build("mobilenet_v2").eval()
    assert net.features(images(side=96)).shape == (2, 1280, 3, 3)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_embeddings_have_unit_length(channels):
    found = embed(build("mobilenet_v2", in_channels=channels, embedding_size=20), images(channels=channels, side=47))
    assert found.shape == (2, 20)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_parameter_learns(norm):
    assert untouched(build("mobilenet_v2", norm=norm, embedding_size=16), images(4, side=96)) == []


def test_a_face_is_embedded_alike_in_any_company():
    net = build("mobilenet_v2")
    torch.testing.assert_close(embed(net, images(3))[1:2], embed(net, images(3)[1:2]), atol=1e-5, rtol=0)


def test_features_are_dropped_in_training_alone():
    net = build("mobilenet_v2", norm="group")
    assert torch.equal(embed(net, images()), embed(net, images()))
    assert not torch.equal(net.train()(images()), net(images()))
