"""Outputs of published networks: written into tests/training/models/published_outputs.json by running the originals.

    python tests/golden/record_published.py S0=DIR S2=DIR S3=DIR POINTNET2=DIR MLP=DIR

The directories are clones of the repositories in `REPOSITORIES`, at any commit, which is recorded. Their code runs on a
CPU; three CUDA kernels of pointnet2_ops are computed here as its sources describe them. Only numbers are kept: of each
embedding the first ones, made unit length together, and for networks of points the names and shapes of their weights.
Networks of images compute in float64: a hundred residual layers with drawn weights make rounding errors large.
"""

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "models"))
from drawn_weights import drawn_images, drawn_points, drawn_state

OUT = Path(__file__).parents[1] / "training" / "models" / "published_outputs.json"
KEPT = 32
REPOSITORIES = {
    "S0": "azhadzuraimi/3D-face-masked-recognition",
    "S2": "egcode/facerec",
    "S3": "tamerthamoqa/facenet-pytorch-glint360k",
    "POINTNET2": "erikwijmans/Pointnet2_PyTorch",
    "MLP": "ma-xu/pointMLP-pytorch",
}
POINTS = (  # repository, module, what is called, its arguments, architecture
    ("S0", "models.Pointnet", "pointnetTriplet", {"out_embedding": 512}),
    ("S0", "models.Pointnet", "pointnetTriplet_v2", {"out_embedding": 128}),
    ("S0", "models.Pointnet2", "pointnet2ssgTriplet", {"out_embedding": 512}),
    ("S0", "models.Pointnet2", "pointnet2ssgeliteTriplet", {"out_embedding": 512}),
    ("S0", "models.pointmlp", "pointMLPTriplet", {"out_embedding": 512, "numpts": 512}),
    ("S0", "models.pointmlp", "pointMLPEliteTriplet", {"out_embedding": 512, "numpts": 512}),
    ("S0", "models.pointmlp", "pointMLPElite8Triplet", {"out_embedding": 512, "numpts": 512}),
)
IMAGES = (
    *(("S2", "models.irse", f"IR_{name}", {"input_size": [112, 112]}, 112) for name in ("50", "101", "152")),
    *(("S2", "models.irse", f"IR_SE_{name}", {"input_size": [112, 112]}, 112) for name in ("50", "101", "152")),
    *(("S2", "models.resnet", f"ResNet_{name}", {"input_size": [112, 112]}, 112) for name in ("50", "101", "152")),
    ("S2", "models.mobilenet_v2", "MobileNet_V2", {"input_size": [112, 112]}, 112),
    ("S2", "models.mobilenet_v3", "MobileNet_V3_Small", {"input_size": [112, 112]}, 112),
    ("S2", "models.mobilenet_v3", "MobileNet_V3_Large", {"input_size": [112, 112]}, 112),
    ("S3", "models.resnet", "Resnet34Triplet", {"embedding_dimension": 256}, 140),
    ("S3", "models.resnet", "Resnet50Triplet", {"embedding_dimension": 256}, 140),
    ("S3", "models.mobilenetv2", "MobileNetV2Triplet", {"embedding_dimension": 256}, 140),
    ("S3", "models.inceptionresnetv2", "InceptionResnetV2Triplet", {"embedding_dimension": 256}, 299),
)


def farthest(points, count):
    """As sampling_gpu.cu: it starts at the first point, and of equal distances takes the first."""
    chosen = torch.zeros(len(points), count, dtype=torch.int32)
    rows = torch.arange(len(points))
    apart = torch.full(points.shape[:2], 1e10)
    for place in range(1, count):
        last = points[rows, chosen[:, place - 1].long()]
        apart = torch.minimum(apart, (points - last[:, None]).square().sum(2))
        chosen[:, place] = apart.argmax(1)
    return chosen


def in_ball(centers, points, radius, count):
    """As ball_query_gpu.cu: the first points inside, filled up with the first of them."""
    near = (centers[:, :, None] - points[:, None]).square().sum(3) < radius**2
    index = torch.where(near, torch.arange(points.shape[1]), points.shape[1]).sort(2).values[:, :, :count]
    return torch.where(index == points.shape[1], index[:, :, :1], index).int()


def gathered(features, index):
    """Features (B, C, N) at an index (B, ...): (B, C, ...)."""
    flat = index.long().flatten(1)[:, None].expand(-1, features.shape[1], -1)
    return features.gather(2, flat).unflatten(2, index.shape[1:])


def stand_in(root):
    """Let the package pointnet2_ops be its own Python files with these kernels."""
    package = types.ModuleType("pointnet2_ops")
    package.__path__ = [str(root / "pointnet2_ops_lib" / "pointnet2_ops")]
    kernels = types.ModuleType("pointnet2_ops._ext")
    kernels.furthest_point_sampling, kernels.ball_query = farthest, in_ball
    kernels.gather_points = kernels.group_points = gathered
    package._ext = kernels
    sys.modules |= {"pointnet2_ops": package, "pointnet2_ops._ext": kernels}


def original(root, module, name, arguments):
    """Return a network of another repository."""
    for known in [known for known in sys.modules if known == "models" or known.startswith("models.")]:
        del sys.modules[known]
    sys.path.insert(0, str(root))
    try:
        return getattr(importlib.import_module(module), name)(**arguments).eval()
    finally:
        sys.path.remove(str(root))


@torch.no_grad()
def record(root, entry, inputs, with_names):
    key, module, name, arguments = entry[:4]
    net = original(root, module, name, arguments)
    shapes = {key: list(value.shape) for key, value in net.state_dict().items()}
    net.load_state_dict(drawn_state(shapes))
    found = net(inputs.transpose(1, 2)) if inputs.ndim == 3 else net.double()(inputs.double())
    found = (found[0] if isinstance(found, tuple) else found)[:, :KEPT].double()
    commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return {
        "architecture": name,
        "repository": REPOSITORIES[key],
        "commit": commit.stdout.strip(),
        "file": module.replace(".", "/") + ".py",
        "arguments": arguments,
        "input": list(inputs.shape),
        "outputs": [[round(x, 7) for x in row.tolist()] for row in found / found.norm(dim=1, keepdim=True)],
        **({"weights": shapes} if with_names else {}),
    }


def main(places):
    roots = {key: Path(place).resolve() for key, _, place in (each.partition("=") for each in places)}
    stand_in(roots["POINTNET2"])
    found = [record(roots[entry[0]], entry, drawn_points(), True) for entry in POINTS]
    found += [record(roots[entry[0]], entry, drawn_images(entry[4]), False) for entry in IMAGES]
    lines = ",\n".join(json.dumps(each) for each in found)
    OUT.write_text(f"[\n{lines}\n]\n")
    for each in found:
        print(each["architecture"], each["outputs"][0][:3])


if __name__ == "__main__":
    main(sys.argv[1:])
