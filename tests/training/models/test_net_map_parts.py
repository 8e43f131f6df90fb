"""Part networks on maps: a part that is covered says nothing, and what is covered the network learns to see."""

import pytest
import torch
from image_nets import build

from face3d_data.errors import UserError
from face3d_data.geometry.face_parts import part_cells
from face3d_data.geometry.surface_map import MapGrid
from face3d_training.registry import make_spec

SIDE, CELL_MM = 32, 4.0
SMALL = {"image_size_px": SIDE, "cell_mm": CELL_MM, "embedding_size": 16, "widths": (4, 4, 8, 8)}
UPPER, NOSE, WHOLE = range(3)
CELLS = part_cells(MapGrid(CELL_MM, SIDE, SIDE, -64.0, 66.0))[[0, 1, 3]]


def given(**options):
    torch.manual_seed(0)
    return build("map_part_resnet", **{**SMALL, "in_channels": 5, "occlusion": "given", **options})


def maps(count=4, seed=1):
    """Return maps that are seen everywhere and covered nowhere, f4 (count, 5, SIDE, SIDE)."""
    made = torch.randn(count, 5, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    made[:, 3], made[:, 4] = 1, 0
    return made


def test_weights_counted_by_hand():
    def conv(inside, outside, side=3):
        return inside * outside * side**2

    def branch(inside, left):
        total, channels = conv(inside, 16) + 3 * 16, 16
        for number, width in enumerate((16, 32, 64, 96)):
            total += conv(channels, width) + conv(width, width) + 4 * width + 2 * width
            total += conv(channels, width, 1) + 2 * width if number else 0
            channels = width
        return total + 96 * left * 256 + 256 + 2 * 256

    head = conv(4, 12) + 3 * 12 + 3 * (conv(12, 12) + 3 * 12) + 13
    net = build("map_part_resnet")
    # Halved four times: 27 x 58 cells of the upper face leave 2 x 4, 30 x 20 of the nose 2 x 2, 63 x 58 4 x 4.
    assert sum(weight.numel() for weight in net.parameters()) == branch(4, 8) + branch(4, 4) + branch(4, 16) + head + 3


def test_weights_are_the_shares_that_are_visible():
    net, inputs = given().eval(), maps(3)
    inputs[1, 4, 16:] = 1  # from 2 mm above the nose's tip downwards
    inputs[2, 3, :, :16] = 0  # half is not seen
    weights = net(inputs, full=True)["part_weights"]
    visible = (inputs[:, 3] * (1 - inputs[:, 4])).numpy()
    for one, seen in zip(weights, visible, strict=True):
        shares = torch.tensor([float(seen[part].mean()) for part in CELLS])
        torch.testing.assert_close(one, shares / shares.sum())
    torch.testing.assert_close(weights[0], torch.full((3,), 1 / 3))
    assert weights[1, NOSE] < 0.75 * weights[1, UPPER]


@pytest.mark.parametrize(("channel", "value"), [(4, 1.0), (3, 0.0)], ids=["covered", "not seen"])
def test_a_part_that_is_covered_or_not_seen_says_nothing(channel, value):
    net, inputs, nose = given().eval(), maps(2), torch.from_numpy(CELLS[NOSE])
    inputs[1] = inputs[0]
    inputs[:, channel, nose] = value
    inputs[1, :3, nose] += 7.0
    with torch.no_grad():
        outputs = net(inputs, full=True)
        assert outputs["part_weights"][:, NOSE].tolist() == [0, 0]
        torch.testing.assert_close(*outputs["embedding"])
        for weight in net.parts["nose"].parameters():
            weight.add_(1.0)
        torch.testing.assert_close(net(inputs), outputs["embedding"])


def test_the_weight_of_a_covered_part_is_0_and_its_network_gets_no_gradient():
    net, inputs = given(drop_parts=0.0).train(), maps()
    inputs[:, 4, torch.from_numpy(CELLS[1])] = 1
    (net(inputs) * torch.randn(4, 16)).sum().backward()
    assert all(not weight.grad.any() for weight in net.parts["nose"].parameters())
    for part in ("upper", "whole"):
        assert any(weight.grad.abs().sum() > 0 for weight in net.parts[part].parameters())


def test_where_nothing_is_visible_the_whole_face_speaks():
    net, inputs = given().eval(), maps(2)
    inputs[0, 4] = 1
    outputs = net(inputs, full=True)
    assert outputs["part_weights"][0].tolist() == [0, 0, 1]
    torch.testing.assert_close(outputs["embedding"].norm(dim=1), torch.ones(2))


def test_parts_fall_silent_in_training_as_often_as_asked_for_but_never_all():
    net = given(drop_parts=0.4).train()
    torch.manual_seed(3)
    weights = net(maps(600), full=True)["part_weights"]
    silent = weights == 0
    assert not silent.all(dim=1).any()
    assert silent.float().mean() == pytest.approx(0.4 - 0.4**3, abs=0.04)
    torch.testing.assert_close(weights.sum(1), torch.ones(600))
    assert (net.eval()(maps(20), full=True)["part_weights"] > 0).all()


def test_without_the_field_it_learns_to_see_what_is_covered():
    """Covered cells here are those with a height of 1; a few steps of the loss alone are enough for that."""
    torch.manual_seed(0)
    net = build("map_part_resnet", **SMALL, in_channels=4).train()
    optimizer = torch.optim.Adam(net.occlusion_head.parameters(), 0.03)
    loss = make_spec("loss", "occlusion", {}).build(2, 16)
    rng = torch.Generator().manual_seed(5)
    for _ in range(60):
        inputs = torch.zeros(8, 4, SIDE, SIDE)
        inputs[:, 3] = 1
        covered = torch.zeros(8, SIDE, SIDE)
        for one in covered:
            one[int(torch.randint(8, 28, (), generator=rng)) :] = 1
        inputs[:, 0] = covered
        value = loss(net(inputs, full=True), {"map_occlusion": covered})
        optimizer.zero_grad()
        value.loss.backward()
        optimizer.step()
    assert value.stats["right"] > 0.97
    weights = net.eval()(inputs, full=True)["part_weights"]
    least, most = covered.mean((1, 2)).argmin(), covered.mean((1, 2)).argmax()
    assert weights[most, NOSE] < weights[least, NOSE]
    assert weights[most, UPPER] > weights[least, UPPER]


def test_seeing_of_occlusion_is_learnt_from_its_loss_alone():
    net = build("map_part_resnet", **SMALL, in_channels=4).train()
    (net(maps()[:, :4]) * torch.randn(4, 16)).sum().backward()
    assert all(weight.grad is None for weight in net.occlusion_head.parameters())


def test_maps_without_a_part_are_refused():
    with pytest.raises(UserError, match=r"have no nose: set model\.image_size_px"):
        build("map_part_resnet", image_size_px=16, cell_mm=1.0, top_mm=66.0)
