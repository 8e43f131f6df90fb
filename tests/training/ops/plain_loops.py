"""The operations on points as plain loops over float32 numbers: slow, and nothing to get wrong."""

import numpy as np


def squared(a, b):
    dx, dy, dz = (np.float32(p) - np.float32(q) for p, q in zip(a, b, strict=True))
    return (dx * dx + dy * dy) + dz * dz


def farthest(cloud, n_points, start):
    chosen, nearest = [start], [np.float32(np.inf)] * len(cloud)
    while len(chosen) < n_points:
        for i, point in enumerate(cloud):
            nearest[i] = min(nearest[i], squared(point, cloud[chosen[-1]]))
        best = 0
        for i, distance in enumerate(nearest):
            if distance > nearest[best]:
                best = i
        chosen.append(best)
    return chosen


def nearest(cloud, center, k):
    return sorted(range(len(cloud)), key=lambda i: (squared(cloud[i], center), i))[:k]


def ball(cloud, center, radius, k):
    limit = np.float32(radius) * np.float32(radius)
    inside = [i for i in range(len(cloud)) if squared(cloud[i], center) < limit][:k]
    inside = inside or nearest(cloud, center, 1)
    return inside + [inside[0]] * (k - len(inside))


def interpolated(cloud, known, features):
    rows = []
    for point in cloud:
        index = nearest(known, point, 3)
        weights = [1 / (float(squared(known[i], point)) + 1e-8) for i in index]
        rows.append(sum(w * features[i] for w, i in zip(weights, index, strict=True)) / sum(weights))
    return rows
