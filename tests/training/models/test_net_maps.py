"""Networks on maps and MobileFaceNet: counts of weights, sizes, and that a hole's place is seen."""

import pytest
import torch
from image_nets import build

from face3d_data.errors import UserError


def count(name, **options):
    return sum(parameter.numel() for parameter in build(name, **options).parameters())


def test_weights_of_the_map_network_counted_by_hand():
    def conv(inside, outside, side=3):
        return inside * outside * side**2

    widths, total, inside = (24, 48, 96, 160), conv(4, 24) + 2 * 24 + 24, 24
    for number, width in enumerate(widths):
        total += conv(inside, width) + conv(width, width) + 4 * width + 2 * width  # norms, PReLUs
        total += conv(inside, width, 1) + 2 * width if number else 0
        inside = width
    total += 160 * 4 * 4 * 256 + 256 + 2 * 256
    assert count("map_resnet") == total == 1_215_288


def test_mobilefacenet_is_as_large_as_its_paper_says():
    # Table 1 with 128 numbers and a 7 x 7 last map: 0.99 million.
    assert count("mobilefacenet", embedding_size=128, image_size_px=112) == pytest.approx(0.99e6, rel=0.02)


def test_ir18_has_the_known_number_of_weights():
    # 24.03 million in published lists of face recognisers with 512 numbers from 112 px.
    assert count("ir18") == pytest.approx(24.03e6, rel=0.002)


@pytest.mark.parametrize(("name", "size"), [("map_resnet", 64), ("map_resnet", 40), ("mobilefacenet", 64)])
def test_an_embedding_has_unit_length_and_the_asked_size(name, size):
    net = build(name, in_channels=4, image_size_px=size, embedding_size=32).eval()
    with torch.no_grad():
        made = net(torch.randn(3, 4, size, size))
    assert made.shape == (3, 32)
    assert torch.allclose(made.norm(dim=1), torch.ones(3), atol=1e-5)


def test_a_network_also_gives_the_length_before_it_was_made_1():
    net = build("map_resnet", image_size_px=32, embedding_size=16).eval()
    inputs = torch.randn(3, 4, 32, 32)
    with torch.no_grad():
        raw, outputs = net.compute(inputs)["embedding"], net(inputs, full=True)
    torch.testing.assert_close(outputs["norm"], raw.square().sum(1).sqrt())
    torch.testing.assert_close(outputs["embedding"] * outputs["norm"][:, None], raw)


@pytest.mark.parametrize("name", ["map_resnet", "mobilefacenet"])
def test_maps_of_another_size_are_refused(name):
    net = build(name, in_channels=4, image_size_px=64)
    with pytest.raises(UserError, match=r"64 × 64 px and got 48 × 32: .*model\.image_size_px"):
        net(torch.zeros(2, 4, 32, 48))


def test_the_map_network_knows_places():
    net = build("map_resnet", image_size_px=32).eval()
    spot = torch.zeros(2, 4, 32, 32)
    spot[0, 0, 4:8, 4:8] = spot[1, 0, 22:26, 22:26] = 1.0
    with torch.no_grad():
        first, second = net(spot)
    assert float((first - second).abs().max()) > 1e-3
