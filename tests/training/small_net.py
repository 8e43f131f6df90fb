"""A small network on points for tests, with all that GradCache has to take care of."""

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, norm_layer


class SmallNet(EmbeddingNet):
    """A shared layer on the points, their maximum, and a layer on it; `penalty` is an output of its own."""

    def __init__(self, norm="group", dropout=0.0, width=16, embedding_size=8):
        super().__init__()
        self.embedding_size = embedding_size
        self.points = nn.Sequential(nn.Conv1d(3, width, 1), norm_layer(norm, width, 1), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(width, width), norm_layer(norm, width, 1), nn.ReLU(), nn.Dropout(dropout))
        self.out = nn.Linear(width, embedding_size)
        self.ratio = nn.Linear(width, 1)

    def compute(self, inputs):
        pooled = self.points(inputs.transpose(1, 2)).amax(2)
        features = self.head(pooled)
        return {
            "embedding": self.out(features),
            "penalty": features.square().mean(1),
            "visible_ratio": self.ratio(features)[:, 0],
        }


def made_batch(people=6, samples=4, n_points=10, seed=0, dtype=torch.float32):
    """People that differ in place, and samples of them in noise."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, 1, n_points, 3, generator=generator)
    noise = torch.randn(people, samples, n_points, 3, generator=generator)
    inputs = (centres + 0.8 * noise).flatten(0, 1).to(dtype)
    label = torch.arange(people).repeat_interleave(samples)
    return {"inputs": inputs, "label": label, "index": torch.arange(len(label)), "masked": label % 2 == 0}
