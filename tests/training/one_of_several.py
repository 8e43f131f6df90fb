"""One of several processes that learn together, and the same in one process: `test_two_processes.py` compares them.

python one_of_several.py OUT.json    with LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from small_net import SmallNet

from face3d_data.errors import UserError
from face3d_data.tables.triplet_draws import TripletDraws
from face3d_training.gather import gather_rows, gather_sizes
from face3d_training.gradcache import backward
from face3d_training.losses.weighted import build_losses
from face3d_training.sampler import PKSampler, SampledRows, ShuffleSampler
from face3d_training.triplets import TripletSampler

STEPS = 20
PEOPLE, CAPTURES = 11, 6
TRIPLET = {"triplet": {"margin": 0.5, "mining": "all"}}
SUM = {
    "triplet": {"margin": 0.3, "mining": "semihard"},
    "arcface": {"scale": 8, "weight": 0.2},
    "center": {"weight": 0.2},
    "softmax": {"scale": 4, "weight": 0.2},
}
CASES = {
    "triplet": {"loss": TRIPLET, "sampler": "pk", "parts": 1},
    "triplet in parts": {"loss": TRIPLET, "sampler": "pk", "parts": 3},
    "sum": {"loss": SUM, "sampler": "pk", "parts": 2},
    "unequal shares": {"loss": TRIPLET, "sampler": "odd", "parts": 3},
    "shuffled": {"loss": {"softmax": {"scale": 4}}, "sampler": "shuffle", "parts": 1},
    "offline": {"loss": TRIPLET, "sampler": "triplets", "parts": 2},
    "batch norm in parts": {"loss": TRIPLET, "sampler": "pk", "parts": 2, "norm": "batch"},
    "one person": {"loss": TRIPLET, "sampler": "pk", "parts": 2, "norm": "batch", "one_label": True},
}
LABELS = np.repeat(np.arange(PEOPLE), CAPTURES)


def make_sampler(kind, rank, world):
    place = {"seed": 4, "rank": rank, "world": world}
    if kind == "shuffle":
        return ShuffleSampler(len(LABELS), 16, **place)
    if kind == "triplets":
        draws = TripletDraws(LABELS, list(range(len(LABELS))), 4, 8, seed=4)
        return TripletSampler(lambda epoch: draws.of_epoch(epoch, 30), 30, 8, rank, world)
    identities, samples = (5, 3) if kind == "odd" else (4, 4)
    return PKSampler(SampledRows(LABELS, LABELS % 2 == 0), identities, samples, **place)


def learn(fabric, loss, sampler, parts, norm="group", one_label=False):
    """Return the loss of each step, and the sum of all weights at the end."""
    torch.manual_seed(0)
    rows = torch.randn(PEOPLE, 1, 10, 3) + 0.7 * torch.randn(PEOPLE, CAPTURES, 10, 3)
    rows = rows.flatten(0, 1)
    raw, losses = SmallNet(norm), build_losses(loss, PEOPLE, 8)
    net = fabric.setup_module(raw.train())
    optimizer = torch.optim.SGD([*raw.parameters(), *losses.parameters()], 0.05, momentum=0.9)
    optimizer = fabric.setup_optimizers(optimizer)
    batches = make_sampler(sampler, fabric.global_rank, fabric.world_size)
    found = []
    while len(found) < STEPS:
        for number, draws in enumerate(batches):
            index = torch.tensor([row for row, _, _ in draws])
            label = torch.zeros_like(index) if one_label else torch.from_numpy(LABELS)[index]
            extras = {name: torch.from_numpy(array) for name, array in batches.extras(number).items()}
            value = backward(net, losses, {"inputs": rows[index], "label": label, **extras}, parts, fabric)
            found.append(None if value.loss is None else value.loss.item())
            if value.loss is not None:
                optimizer.step()
            optimizer.zero_grad()
        batches.set_epoch(batches.epoch + 1)
    weights = torch.cat([weight.detach().flatten().double() for weight in [*raw.parameters(), *losses.parameters()]])
    return {"losses": found[:STEPS], "weights": float(weights.abs().sum())}


def gathered(fabric):
    """Return rows of all processes, and the gradient of a loss of them: rows 10r, 10r + 1, … and a weight for each."""
    mine = torch.arange(2.0 + fabric.global_rank) + 10 * fabric.global_rank
    mine = torch.stack([mine, -mine], 1).requires_grad_()
    sizes = gather_sizes(len(mine), mine.device)
    rows = gather_rows({"rows": mine, "flag": mine.detach()[:, 0] > 0}, sizes)
    (rows["rows"].square().sum() / 2).backward()
    return {"rows": rows["rows"].tolist(), "flag": rows["flag"].tolist(), "gradient": mine.grad.tolist()}


def main(out):
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=int(os.environ["WORLD_SIZE"]), strategy="ddp")
    fabric.launch()
    found = {name: learn(fabric, **case) for name, case in CASES.items()}
    found["gathered"] = gathered(fabric)
    try:
        make_sampler("triplets", 0, 50).batches(0)
    except UserError as error:
        found["too many"] = str(error)
    Path(f"{out}.{fabric.global_rank}").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
