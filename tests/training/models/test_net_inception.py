"""Inception-ResNet v2."""

import pytest
import torch
from image_nets import build, count, embed, images, linear, untouched
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.models.inception_resnet_net import ConvNorm, Residual

KERAS_TRAINABLE, KERAS_STATISTICS = 55_813_192, 60_544
"""With 1,000 classes, as Keras' summary of InceptionResNetV2 says; its norms have a shift, but no scale."""
PUBLISHED = KERAS_TRAINABLE + KERAS_STATISTICS // 2
"""With a scale for every norm's channel, of which Keras keeps mean and variance: 55.8 M, as timm's table says."""


@pytest.mark.slow
def test_sizes_are_the_published_ones_but_for_the_classifier():
    assert count("inception_resnet_v2", embedding_size=1000) == PUBLISHED == 55_843_464
    assert count("inception_resnet_v2", embedding_size=512) == PUBLISHED - linear(1536, 1000) + linear(1536, 512)
    assert count("inception_resnet_v2", embedding_size=1000, in_channels=1) == PUBLISHED - 2 * 32 * 9


@pytest.mark.slow
def test_weights_have_the_names_of_the_published_port():
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in build("inception_resnet_v2").state_dict().items()}
    expected = {
        "conv2d_1a.conv.weight": (32, 3, 3, 3),
        "conv2d_4a.bn.running_var": (192,),
        "mixed_5b.branch0.conv.weight": (96, 192, 1, 1),
        "mixed_5b.branch1.1.conv.weight": (64, 48, 5, 5),
        "mixed_5b.branch3.1.conv.weight": (64, 192, 1, 1),
        "repeat.9.branch2.2.conv.weight": (64, 48, 3, 3),
        "repeat.9.conv2d.bias": (320,),
        "mixed_6a.branch1.2.conv.weight": (384, 256, 3, 3),
        "repeat_1.19.branch1.1.conv.weight": (160, 128, 1, 7),
        "repeat_1.19.branch1.2.conv.weight": (192, 160, 7, 1),
        "mixed_7a.branch2.2.conv.weight": (320, 288, 3, 3),
        "repeat_2.8.branch1.2.conv.weight": (256, 224, 3, 1),
        "block8.conv2d.weight": (2080, 448, 1, 1),
        "conv2d_7b.conv.weight": (1536, 2080, 1, 1),
        "last_linear.weight": (512, 1536),
    }
    assert {name: shapes.get(name) for name in expected} == expected


@pytest.mark.slow
def test_maps_shrink_as_published():
    """299 px: 35 × 35, 17 × 17, then 8 × 8 (figure 3 ff. of the paper)."""
    with torch.device("meta"):
        net, x, sides = build("inception_resnet_v2").eval(), torch.empty(1, 3, 299, 299), {}
        for name in net.body:
            x = net.get_submodule(name)(x)
            sides[name] = tuple(x.shape[1:])
    assert sides["mixed_5b"] == sides["repeat"] == (320, 35, 35)
    assert sides["mixed_6a"] == sides["repeat_1"] == (1088, 17, 17)
    assert sides["mixed_7a"] == sides["block8"] == (2080, 8, 8)
    assert sides["conv2d_7b"] == (1536, 8, 8)


def test_a_residual_is_scaled_and_added_before_the_relu():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5, 5)
    for last in (False, True):
        block = Residual(8, 6, 0.25, ConvNorm(8, 2, 1), ConvNorm(8, 4, 3, padding=1), last=last).eval()
        joined = torch.cat([block.branch0(x), block.branch1(x)], 1)
        added = x + 0.25 * functional.conv2d(joined, block.conv2d.weight, block.conv2d.bias)
        torch.testing.assert_close(block(x), added if last else added.clamp(min=0))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_embeddings_have_unit_length_alike_in_any_company(channels):
    net = build("inception_resnet_v2", in_channels=channels, embedding_size=20)
    inputs = images(channels=channels, side=75)
    found = embed(net, inputs)
    assert found.shape == (2, 20)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(embed(net, inputs[1:]), found[1:], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_every_parameter_learns_and_features_are_dropped_in_training_alone():
    net = build("inception_resnet_v2", embedding_size=16)
    assert untouched(net, images(side=75)) == []
    assert not torch.equal(net(images(side=75)), net(images(side=75)))
    assert torch.equal(embed(net, images(side=75)), embed(net, images(side=75)))


@pytest.mark.slow
def test_images_that_are_too_small_are_told():
    with pytest.raises(UserError, match=r"needs images of 75 px or more and got 74 × 74: set data.image_size_px"):
        build("inception_resnet_v2")(images(side=74))
