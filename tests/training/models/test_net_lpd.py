"""Latent part detection on images."""

import pytest
import torch
from image_nets import build, conv, count, embed, images, linear, untouched

from face3d_data.errors import UserError
from face3d_training.models.lpd_net import Localiser, cut_out

RESNET50 = 25_557_032 - linear(2048, 1000)
"""ResNet-50 without its classifier, as torchvision counts it; both branches share it."""
LOCALISER = linear(128 * 128, 32) + 2 * 32 + linear(32, 4)


def crop(width: float, height: float, x: float, y: float) -> torch.Tensor:
    return torch.tensor([[[width, 0, x], [0, height, y]]])


def test_sizes_are_those_of_the_published_layers():
    norms = 2 * 2 * 2048
    assert count("lpd", embedding_size=4096) == RESNET50 + LOCALISER + norms
    assert count("lpd", embedding_size=512) == RESNET50 + LOCALISER + norms + 2 * 2048 * 256
    assert count("lpd", embedding_size=4096, in_channels=4) == RESNET50 + LOCALISER + norms + conv(1, 64, 7)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_outputs_have_the_stated_shapes(channels):
    net = build("lpd", in_channels=channels, embedding_size=24).eval()
    outputs = net(images(3, channels, side=48), full=True)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "embedding": (3, 24),
        "global_embedding": (3, 12),
        "part_embedding": (3, 12),
        "visible_ratio": (3,),
        "norm": (3,),
    }
    torch.testing.assert_close(outputs["embedding"].norm(dim=1), torch.ones(3))
    joined = torch.cat([outputs["global_embedding"], outputs["part_embedding"]], 1)
    torch.testing.assert_close(outputs["embedding"], joined / joined.norm(dim=1, keepdim=True))
    assert ((outputs["visible_ratio"] > 0) & (outputs["visible_ratio"] < 1)).all()


@pytest.mark.slow
def test_for_matching_both_parts_are_joined_as_published_or_one_of_them_answers():
    """Published: cosines of both features, joined as they are; `normalize` of the joined ones, and products."""
    net, faces = build("lpd", embedding_size=24).eval(), images(4, 3, side=48)
    outputs = net(faces, full=True)
    parts = {name: outputs[f"{name}_embedding"].double() for name in ("global", "part")}
    joined = torch.cat([parts["global"], parts["part"]], 1)
    cosines = torch.nn.functional.cosine_similarity(joined[:, None], joined[None], dim=2)
    embedding = net(faces).double()
    torch.testing.assert_close(embedding @ embedding.T, cosines, atol=1e-6, rtol=0)
    for name, vectors in parts.items():
        net.answer_by(name)
        assert net.embedding_size == 12
        torch.testing.assert_close(
            net(faces).double(), torch.nn.functional.normalize(vectors, dim=1), atol=1e-6, rtol=0
        )
    with pytest.raises(UserError, match="--branch nose: choose global, part, both"):
        net.answer_by("nose")


@pytest.mark.slow
def test_the_published_length_has_no_linear_layer():
    outputs = build("lpd", embedding_size=4096).eval()(images(side=32), full=True)
    assert outputs["part_embedding"].shape == (2, 2048)
    # Maxima of a ReLU through a norm without statistics yet.
    assert (outputs["part_embedding"] >= 0).all()


def test_the_first_crop_is_the_upper_part():
    torch.manual_seed(0)
    found, height = Localiser("batch").eval()(images(16, side=128))
    assert torch.all((height > 0.6) & (height < 0.7))
    torch.testing.assert_close(found[:, 1, 1], height)
    top, bottom = found[:, 1, 2] - height, found[:, 1, 2] + height
    assert torch.all((top >= -1) & (top < -0.95))
    assert torch.all(bottom < 0.4)
    assert torch.all(found[:, 0, 0] > 0.9)
    assert torch.all(found[:, 0, 2].abs() < 0.1)
    assert torch.all(found[:, [0, 1], [1, 0]] == 0)


def test_a_crop_never_leaves_the_image():
    torch.manual_seed(0)
    localiser = Localiser("batch").eval()
    torch.nn.init.normal_(localiser.fc2.weight, std=5)
    found, height = localiser(20 * images(200, side=16))
    assert height.min() < 0.1
    assert height.max() > 0.9
    for size, centre in ((found[:, 0, 0], found[:, 0, 2]), (found[:, 1, 1], found[:, 1, 2])):
        assert (centre + size).max() <= 1 + 1e-6
        assert (centre - size).min() >= -1 - 1e-6


def test_cutting_out_everything_changes_nothing():
    torch.testing.assert_close(cut_out(images(1, side=9), crop(1, 1, 0, 0)), images(1, side=9), atol=1e-5, rtol=0)


def test_a_crop_shows_its_part_at_the_size_of_the_image():
    rows = torch.linspace(-1 + 1 / 8, 1 - 1 / 8, 8)[None, None, :, None].expand(1, 1, 8, 8)
    upper = cut_out(rows, crop(1, 0.5, 0, -0.5))[0, 0, :, 0]
    # A picture of its own rows: the upper half holds what the rows of -1 to 0 held, between the outer rows' centres.
    torch.testing.assert_close(upper, ((torch.arange(8) + 0.5) / 8 - 1).clamp(min=-7 / 8), atol=1e-5, rtol=0)
    columns = rows.transpose(2, 3)
    right = cut_out(columns, crop(0.5, 1, 0.5, 0))[0, 0, 0]
    torch.testing.assert_close(right, ((torch.arange(8) + 0.5) / 8).clamp(max=7 / 8), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_the_lower_part_is_not_seen_by_the_part_branch():
    net = build("lpd", embedding_size=16).eval()
    with torch.no_grad():
        net.localiser.fc2.weight.zero_()
        net.localiser.fc2.bias.copy_(torch.tensor([20.0, 0.0, 0.0, -20.0]))  # The upper half, to the edges.
        covered = images(side=64).clone()
        covered[:, :, 40:] = 3.0
        plain, masked = net(images(side=64), full=True), net(covered, full=True)
    torch.testing.assert_close(plain["part_embedding"], masked["part_embedding"])
    assert not torch.allclose(plain["global_embedding"], masked["global_embedding"], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_parameter_learns(norm):
    assert untouched(build("lpd", embedding_size=16, norm=norm), images(side=48)) == []


@pytest.mark.slow
def test_the_crop_is_learnt_from_whom_it_shows():
    net = build("lpd", embedding_size=16)
    net(images(side=48), full=True)["part_embedding"].square().sum().backward()
    assert net.localiser.fc1.weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_the_visible_share_is_learnt():
    torch.manual_seed(0)
    localiser, share = Localiser("batch"), torch.linspace(0.35, 0.8, 32)
    optimizer = torch.optim.Adam(localiser.parameters(), lr=0.01)
    rows = torch.arange(32)[None, :, None] / 32
    covered = torch.where(rows < share[:, None, None], images(32, 1, 32)[:, 0], 2.0)[:, None]
    for _ in range(25):
        optimizer.zero_grad()
        (localiser(covered)[1] - share).abs().mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert (localiser(covered)[1] - share).abs().mean() < 0.05


@pytest.mark.slow
def test_a_face_is_embedded_alike_in_any_company():
    net = build("lpd", embedding_size=16)
    torch.testing.assert_close(embed(net, images(3))[1:2], embed(net, images(3)[1:2]), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_half_precision_leaves_the_shapes_and_the_ratio_whole():
    net = build("lpd", embedding_size=16).eval()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = net(images(side=48), full=True)
    assert outputs["visible_ratio"].dtype == torch.float32
    assert torch.isfinite(outputs["embedding"].float()).all()


@pytest.mark.slow
def test_published_weights_start_both_branches(tmp_path, caplog):
    state = build("resnet50", embedding_size=8).state_dict()
    torch.save(state, tmp_path / "resnet50.pth")
    net = build("lpd", weights=tmp_path / "resnet50.pth", in_channels=4).state_dict()
    assert torch.equal(net["layer4.2.conv3.weight"], state["layer4.2.conv3.weight"])
    assert torch.equal(net["conv1.weight"][:, :3], state["conv1.weight"])
    assert "fc.weight: the network has no weight of that name" in caplog.text
    assert "localiser.fc1.weight: not in the file, keeps its initial values" in caplog.text


def test_a_length_that_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match="model lpd: 'embedding_size' = 511"):
        build("lpd", embedding_size=511)
