"""IR-50 with and without squeeze and excitation."""

import pytest
import torch
from image_nets import build, conv, count, embed, images, linear, untouched

from face3d_data.errors import UserError
from face3d_training.models.iresnet_net import SqueezeExcitation

STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
SMALL = {"image_size_px": 32, "embedding_size": 24}
"""As deep and wide as published, on small images."""


def parameters(excited: bool, embedding_size: int = 512, side: int = 7, channels: int = 3) -> int:
    """The published layers, one by one: norms have two numbers a channel, PReLUs one."""
    total, inside = conv(channels, 64, 3) + 2 * 64 + 64, 64
    for width, depth in STAGES:
        for _ in range(depth):
            total += 2 * inside + conv(inside, width, 3) + width + conv(width, width, 3) + 2 * width
            total += conv(inside, width, 1) + 2 * width if inside != width else 0
            total += 2 * conv(width, width // 16, 1) if excited else 0
            inside = width
    return total + 2 * 512 + linear(512 * side * side, embedding_size) + 2 * embedding_size


@pytest.mark.parametrize(("name", "published"), [("ir50", 43_574_976), ("ir_se50", 43_797_696)])
def test_sizes_are_the_published_ones(name, published):
    assert count(name) == parameters(name == "ir_se50") == published
    assert count(name, in_channels=4, embedding_size=128) == parameters(name == "ir_se50", 128, channels=4)
    assert count(name, image_size_px=100) == count(name)  # 100 -> 50 -> 25 -> 13 -> 7
    assert count(name, image_size_px=128) == parameters(name == "ir_se50", side=8)


def test_the_size_is_that_of_the_original_too():
    # LResNet50E-IR, ArcFace@ms1m-refine-v1: 43.576 M in Open Model Zoo's table (face-recognition-resnet50-arcface).
    assert count("ir50") / 1e6 == pytest.approx(43.576, abs=0.002)


def test_weights_have_the_names_of_the_published_port():
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in build("ir_se50").state_dict().items()}
    assert len({name.split(".")[1] for name in shapes if name.startswith("body.")}) == 24
    expected = {
        "input_layer.0.weight": (64, 3, 3, 3),
        "input_layer.1.running_var": (64,),
        "input_layer.2.weight": (64,),
        "body.0.res_layer.1.weight": (64, 64, 3, 3),
        "body.3.shortcut_layer.0.weight": (128, 64, 1, 1),
        "body.3.shortcut_layer.1.weight": (128,),
        "body.7.res_layer.5.fc1.weight": (16, 256, 1, 1),
        "body.23.res_layer.2.weight": (512,),
        "body.23.res_layer.5.fc2.weight": (512, 32, 1, 1),
        "output_layer.0.running_mean": (512,),
        "output_layer.3.weight": (512, 512 * 49),
        "output_layer.4.bias": (512,),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    # The first stage keeps its channels, so that its first unit's shortcut has no weights.
    assert not [name for name in shapes if name.startswith("body.0.shortcut_layer")]


@pytest.mark.parametrize("name", ["ir50", "ir_se50"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_embeddings_have_unit_length(name, channels):
    found = embed(build(name, in_channels=channels, **SMALL), images(channels=channels))
    assert found.shape == (2, 24)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_parameter_learns(norm):
    assert untouched(build("ir_se50", norm=norm, **SMALL), images()) == []


def test_a_face_is_embedded_alike_in_any_company():
    net = build("ir50", **SMALL)
    torch.testing.assert_close(embed(net, images(3))[1:2], embed(net, images(3)[1:2]), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_features_are_dropped_in_training_alone():
    net = build("ir50", norm="group", **SMALL)
    assert torch.equal(embed(net, images()), embed(net, images()))
    assert not torch.equal(net.train()(images()), net(images()))
    steady = build("ir50", norm="group", dropout=0, **SMALL).train()
    assert torch.equal(steady(images()), steady(images()))


def test_channels_are_weighted_by_the_whole_image():
    layer = SqueezeExcitation(32)
    x = torch.rand(2, 32, 4, 5)
    found = layer(x)
    for sample in range(2):
        mean = x[sample].mean((1, 2))
        hidden = (layer.fc1.weight[:, :, 0, 0] @ mean).clamp(min=0)
        scale = 1 / (1 + torch.exp(-layer.fc2.weight[:, :, 0, 0] @ hidden))
        torch.testing.assert_close(found[sample], x[sample] * scale[:, None, None])


def test_images_of_another_size_are_told():
    with pytest.raises(
        UserError,
        match=r"ir50 is built for images of 32 × 32 px and got 48 × 48: set model.image_size_px to 48 or, if they are",
    ):
        build("ir50", **SMALL)(images(side=48))
