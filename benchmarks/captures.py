"""Cost of a synthetic capture of depth alone, population by population, and what it consists of.

For each population: milliseconds a capture on one core, the share of the ray cast (the floor), of building and posing
the head, and of the sensor. With --captures, that many are made on --workers processes, and a digest of all their
bytes is printed: it does not depend on the number of workers.

    python benchmarks/captures.py
    python benchmarks/captures.py --captures 40000 --workers 2
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import time
from itertools import islice

from joblib import Parallel, delayed

from face3d_data.readers.synthetic import Synthetic
from face3d_data.synthetic.sensors.draw import SENSOR_KINDS

POPULATIONS, PER_PERSON = ("own", "anny", "ict"), 8
PARTS = {
    "ray cast": ("cast_rays",),
    "head": ("_head", "posed", "bearded", "pose_person"),
    "sensor": ("read_depth",),
}
"""Functions whose time, with all that they call, counts as a part."""
ARRAYS = ("depth", "intrinsics", "landmarks")


def reader_of(population: str) -> Synthetic:
    """Return the reader of a population, before all sensors, faces turned to 60 degrees."""
    return Synthetic(
        model=population, people=10_000, captures=PER_PERSON, images=False, sensors=list(SENSOR_KINDS), max_yaw_deg=60
    )


def digest_of(population: str, first: int, people: int) -> list[str]:
    """Return the SHA-256 of each capture of some people."""
    reader = reader_of(population).model_copy(update={"first_person": first, "people": people})
    return [
        hashlib.sha256(b"".join(reader.load(source, name).tobytes() for name in ARRAYS)).hexdigest()
        for source in reader.scan()
    ]


def parts_of(population: str, captures: int) -> tuple[float, dict[str, float]]:
    """Return ms a capture, and the share of each part by a profile, the first person left out."""
    reader = reader_of(population)
    sources = list(islice(reader.scan(), PER_PERSON + captures))
    for source in sources[:PER_PERSON]:
        reader.load(source, "depth")
    started = time.perf_counter()
    for source in sources[PER_PERSON:]:
        reader.load(source, "depth")
    each_ms = (time.perf_counter() - started) / captures * 1e3
    others = reader.model_copy(update={"first_person": 5000})
    profile = cProfile.Profile()
    for source in islice(others.scan(), captures):
        profile.runcall(others.load, source, "depth")
    found = pstats.Stats(profile)
    rows = [(name, cumulative) for (_, _, name), (_, _, _, cumulative, _) in found.stats.items()]  # type: ignore[attr-defined]
    shares = {
        part: sum(seconds for name, seconds in rows if name.rstrip(">").split(".")[-1] in names) / found.total_tt  # type: ignore[attr-defined]
        for part, names in PARTS.items()
    }
    return each_ms, shares


def main() -> None:
    """Print costs and parts, or make many captures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--captures", type=int, help="make so many, a third of each population")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    given = parser.parse_args()
    if given.captures is None:
        for population in POPULATIONS:
            each_ms, shares = parts_of(population, 80)
            told = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
            print(f"{population}: {each_ms:.1f} ms a capture; {told}, rest {1 - sum(shares.values()):.0%}")
        return
    people = -(-given.captures // PER_PERSON // len(POPULATIONS))
    started = time.perf_counter()
    tasks = [(name, first, min(10, people - first)) for name in POPULATIONS for first in range(0, people, 10)]
    found = Parallel(n_jobs=given.workers)(delayed(digest_of)(*task) for task in tasks)
    seconds = time.perf_counter() - started
    every = [digest for part in found for digest in part]
    whole = hashlib.sha256("".join(every).encode()).hexdigest()
    print(f"{len(every)} captures on {given.workers} workers: {seconds / 60:.1f} min, SHA-256 {whole}")


if __name__ == "__main__":
    main()
