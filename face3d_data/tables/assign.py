"""Assignment of people, or captures, to splits: by deficit, in an order that depends on a digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import lcm

from face3d_data.digest import digest


def exact(ratio: float | Fraction) -> Fraction:
    """Return a ratio as it was written (0.1 is 1/10), so that nothing rests on binary rounding."""
    return ratio if isinstance(ratio, Fraction) else Fraction(repr(float(ratio)))


def assign(
    groups: Mapping[str, str],
    ratios: Mapping[str, float] | Mapping[str, Fraction],
    kept: Mapping[str, str],
    seed: int,
    even: bool = False,
) -> dict[str, str]:
    """Return the split of every unit; units in `kept` stay, the others go where the deficit is largest.

    The deficit of a split is its ratio times the number of units, less the units that it has; of equal deficits the
    larger share is served, so that the order of `ratios` means nothing. While there are only as many units to place as
    splits without any, these are served first: so no split is empty from as many units on as there are splits. Where a
    group has several units (a person's captures, a stratum's people), the whole units due to each of its splits come
    first, so that groups are spread over all splits.

    Args:
        groups: unit (a person, or a capture) to what is spread: the person that a capture shows, or a stratum.
        ratios: split to share, summing to 1.
        kept: unit to split, from before; units that are not in `groups` are ignored.
        seed: orders the new units by digest(seed, unit).
        even: of one group no split gets more units than its share rounded up, as long as others have less: then every
            split has its share of every group, to within one unit where nobody was kept.
    """
    whole = lcm(*(exact(ratio).denominator for ratio in ratios.values()))
    shares = {name: int(exact(ratio) * whole) for name, ratio in ratios.items() if ratio > 0}
    places = {unit: kept[unit] for unit in groups if unit in kept}
    counts = Counter(places.values())
    owned = Counter(groups.values())
    mine = Counter((groups[unit], split) for unit, split in places.items())
    new = sorted((unit for unit in groups if unit not in places), key=lambda unit: digest(seed, unit))
    targets = {name: share * len(groups) for name, share in shares.items()}
    for n_placed, unit in enumerate(new):
        group = groups[unit]
        empty = [name for name in shares if not counts[name]]
        due = [name for name in shares if mine[group, name] < shares[name] * owned[group] // whole]
        low = [name for name in shares if even and mine[group, name] * whole < shares[name] * owned[group]]
        choice = empty if len(new) - n_placed <= len(empty) else due or low or list(shares)
        split = max(choice, key=lambda name: (targets[name] - counts[name] * whole, shares[name], name))
        places[unit] = split
        counts[split] += 1
        mine[group, split] += 1
    return places
