"""Residual networks on images, and weights from files."""

import logging

import pytest
import safetensors.torch
import torch
from image_nets import build, conv, count, embed, images, linear, untouched
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.models.adapt import drop_prefixes, fit_channels

BASIC, BOTTLENECK = 1, 4
NETS = {
    "resnet18": (BASIC, (2, 2, 2, 2)),
    "resnet34": (BASIC, (3, 4, 6, 3)),
    "resnet50": (BOTTLENECK, (3, 4, 6, 3)),
    "resnet101": (BOTTLENECK, (3, 4, 23, 3)),
    "resnet152": (BOTTLENECK, (3, 8, 36, 3)),
}
PUBLISHED = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}
"""With 1,000 classes: `num_params` in torchvision's documentation of each model."""


def published_shapes(name: str, classes: int = 1000, channels: int = 3) -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's weights, by the rules of its names."""
    expansion, depths = NETS[name]
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, channels, 7, 7), **norm_shapes("bn1", 64)}
    inside = 64
    for stage, (width, depth) in enumerate(zip((64, 128, 256, 512), depths, strict=True), 1):
        outside = width * expansion
        for index in range(depth):
            at = f"layer{stage}.{index}"
            sizes = (3, 3) if expansion == BASIC else (1, 3, 1)
            widths = [inside, *([width] * (len(sizes) - 1)), outside]
            for number, size in enumerate(sizes, 1):
                shapes[f"{at}.conv{number}.weight"] = (widths[number], widths[number - 1], size, size)
                shapes |= norm_shapes(f"{at}.bn{number}", widths[number])
            if index == 0 and (stage > 1 or inside != outside):
                shapes[f"{at}.downsample.0.weight"] = (outside, inside, 1, 1)
                shapes |= norm_shapes(f"{at}.downsample.1", outside)
            inside = outside
    return {**shapes, "fc.weight": (classes, inside), "fc.bias": (classes,)}


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (width,) for part in parts}, f"{name}.num_batches_tracked": ()}


def published_state(name: str, **options: int) -> dict[str, torch.Tensor]:
    """Made-up weights under torchvision's names."""
    noise = torch.Generator().manual_seed(3)
    state = {}
    for key, shape in published_shapes(name, **options).items():
        state[key] = torch.randn(shape, generator=noise) / max(1.0, torch.Size(shape[1:]).numel() ** 0.5)
        if key.endswith(("running_var", "num_batches_tracked")):
            state[key] = torch.ones(shape) if key.endswith("var") else torch.tensor(7)
    return state


def naive_resnet(state: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    """The network as plain function calls, layer by layer."""
    expansion, depths = NETS[name]

    def norm(x: torch.Tensor, at: str) -> torch.Tensor:
        mean, var = state[f"{at}.running_mean"], state[f"{at}.running_var"]
        return functional.batch_norm(x, mean, var, state[f"{at}.weight"], state[f"{at}.bias"])

    def conv_norm(x: torch.Tensor, conv: str, bn: str, stride: int) -> torch.Tensor:
        weight = state[f"{conv}.weight"]
        return norm(functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2), bn)

    x = functional.max_pool2d(conv_norm(x, "conv1", "bn1", 2).relu(), 3, 2, 1)
    for stage, depth in enumerate(depths, 1):
        for index in range(depth):
            at, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            strides = (stride, 1) if expansion == BASIC else (1, stride, 1)
            y = x
            for number, each in enumerate(strides, 1):
                y = conv_norm(y, f"{at}.conv{number}", f"{at}.bn{number}", each)
                y = y.relu() if number < len(strides) else y
            if f"{at}.downsample.0.weight" in state:
                x = conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
            x = (x + y).relu()
    return functional.normalize(functional.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_sizes_are_the_published_ones_but_for_the_classifier(name):
    wide = 512 * NETS[name][0]
    assert count(name, embedding_size=1000) == PUBLISHED[name]
    assert count(name, embedding_size=128) == PUBLISHED[name] - linear(wide, 1000) + linear(wide, 128)
    assert count(name, embedding_size=1000, in_channels=4) == PUBLISHED[name] + conv(1, 64, 7)
    assert count(name, embedding_size=1000, norm="group") == PUBLISHED[name]


@pytest.mark.parametrize("name", ["resnet34", "resnet101"])
def test_weights_have_the_names_and_shapes_of_torchvision(name):
    with torch.device("meta"):
        own = {key: tuple(value.shape) for key, value in build(name, embedding_size=1000).state_dict().items()}
    assert own == published_shapes(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_published_weights_give_what_the_plain_network_gives(name):
    state = published_state(name, classes=24)
    net = build(name, embedding_size=24)
    net.load_state_dict(state)
    found, expected = embed(net, images(side=48)), naive_resnet(state, name, images(side=48))
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_embeddings_have_unit_length_whatever_the_channels_and_size(channels):
    net = build("resnet18", in_channels=channels, embedding_size=20)
    for inputs in (images(channels=channels), images(channels=channels, side=47)[..., :33]):
        found = embed(net, inputs)
        assert found.shape == (2, 20)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "norm"), [("resnet18", "batch"), ("resnet18", "group"), ("resnet50", "batch")])
def test_every_parameter_learns(name, norm):
    assert untouched(build(name, embedding_size=16, norm=norm), images(side=64)) == []


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_face_is_embedded_alike_in_any_company(norm):
    net = build("resnet18", norm=norm)
    together = embed(net, images(4, side=48))
    torch.testing.assert_close(together[1:2], embed(net, images(4, side=48)[1:2]), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_group_norm_leaves_the_company_out_in_training_too():
    net = build("resnet18", norm="group").train()
    together, alone = net(images(3, side=48)), net(images(3, side=48)[:1])
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)
    net = build("resnet18", norm="batch").train()
    assert not torch.allclose(net(images(3, side=48))[:1], net(images(4, side=48))[:1], atol=1e-3)


@pytest.mark.slow
def test_colour_weights_are_fitted_to_grey_and_to_depth(tmp_path, caplog):
    path = tmp_path / "published.pth"
    torch.save(published_state("resnet18", classes=24), path)
    colour = build("resnet18", embedding_size=24, weights=path)
    grey = build("resnet18", embedding_size=24, weights=path, in_channels=1)
    depth = build("resnet18", embedding_size=24, weights=path, in_channels=4)
    assert not caplog.records
    one, three = images(channels=1), images()
    torch.testing.assert_close(embed(grey, one), embed(colour, one.expand(-1, 3, -1, -1)), atol=1e-5, rtol=0)
    flat = torch.cat([three, torch.zeros_like(one)], 1)
    torch.testing.assert_close(embed(depth, flat), embed(colour, three), atol=1e-5, rtol=0)
    # Depth is read as a fourth, mean colour.
    mean = colour.state_dict()["conv1.weight"].mean(1)
    torch.testing.assert_close(depth.state_dict()["conv1.weight"][:, 3], mean)


def test_other_channels_than_colour_are_left_alone():
    for weight in (torch.ones(8, 1, 3, 3), torch.ones(8, 4, 3, 3), torch.ones(8, 3)):
        for channels in (1, 3, 4):
            assert fit_channels(weight, channels) is weight


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [("", ".safetensors"), ("module.", ".pt"), ("module.model.", ".safetensors"), ("_orig_mod.", ".pt")],
)
def test_weights_are_found_in_files_of_each_kind(tmp_path, prefix, suffix):
    state = {prefix + name: tensor for name, tensor in published_state("resnet18", classes=24).items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        safetensors.torch.save_file(state, path, metadata={"format": "pt"})
    net = build("resnet18", embedding_size=24, weights=path)
    for name, tensor in published_state("resnet18", classes=24).items():
        assert torch.equal(net.state_dict()[name], tensor)


@pytest.mark.slow
def test_what_a_file_does_not_give_starts_fresh_and_is_told(tmp_path, caplog):
    state = published_state("resnet18")
    del state["layer1.0.conv1.weight"], state["bn1.num_batches_tracked"]
    torch.save({**state, "head.weight": torch.ones(2)}, tmp_path / "part.pt")
    fresh = build("resnet18", embedding_size=24).state_dict()
    with caplog.at_level(logging.WARNING, logger="face3d_training"):
        net = build("resnet18", embedding_size=24, weights=tmp_path / "part.pt").state_dict()
    (record,) = caplog.records
    message = record.getMessage()
    assert "fc.weight: (1000, 512) in the file, (24, 512) in the network" in message
    assert "fc.bias: (1000,) in the file, (24,) in the network" in message
    assert "layer1.0.conv1.weight: not in the file, keeps its initial values" in message
    assert "head.weight: the network has no weight of that name" in message
    assert f"{len(state) - 2} tensors fit" in message
    assert torch.equal(net["layer1.0.conv1.weight"], fresh["layer1.0.conv1.weight"])
    assert torch.equal(net["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])


@pytest.mark.slow
def test_a_long_list_is_cut_and_counted(tmp_path, caplog):
    state = {name: tensor for name, tensor in published_state("resnet34").items() if "layer3" not in name}
    torch.save(state, tmp_path / "part.pt")
    with caplog.at_level(logging.WARNING, logger="face3d_training"):
        build("resnet34", weights=tmp_path / "part.pt")
    lacking = [name for name in published_shapes("resnet34") if "layer3" in name and "num_batches" not in name]
    assert caplog.records[0].getMessage().endswith(f"; and {len(lacking) + 2 - 6} more")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"body.0.weight": torch.ones(3)},
            r"nothing in it fits resnet18 \(body.0.weight: the network has no weight of that name",
        ),
        ({"epoch": 3}, "contains no weights"),
        ({}, "contains no weights"),
        ([torch.ones(3)], "contains a list, not weights by name"),
    ],
)
def test_files_without_its_weights_are_told(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=message):
        build("resnet18", weights=tmp_path / "other.pt")


def test_prefixes_are_dropped_only_where_all_names_share_them():
    assert list(drop_prefixes({"module.model.a": torch.ones(1), "module.model.b": torch.ones(1)})) == ["a", "b"]
    assert list(drop_prefixes({"model.a": torch.ones(1), "b": torch.ones(1)})) == ["model.a", "b"]
    assert drop_prefixes({}) == {}


@pytest.mark.parametrize("channels", [0, 17])
def test_other_channels_are_refused(channels):
    with pytest.raises(UserError, match=r"model resnet18: 'in_channels' = .*(greater|less) than"):
        build("resnet18", in_channels=channels)


def test_further_channels_begin_as_the_mean_of_the_colours():
    weight = torch.randn(4, 3, 3, 3)
    fitted = fit_channels(weight, 5)
    assert torch.equal(fitted[:, :3], weight)
    assert torch.equal(fitted[:, 3], weight.mean(1))
    assert torch.equal(fitted[:, 4], weight.mean(1))
