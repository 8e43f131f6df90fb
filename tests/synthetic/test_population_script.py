"""The figures of benchmarks/population.py, on cases whose answer is known, and a few people."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def population(monkeypatch_module):
    monkeypatch_module.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "population.py"))


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def face_maps(population):
    return sys.modules["face_maps"]


def test_modes_count_the_directions_that_vary(face_maps):
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((300, 5)))[0].T
    maps = rng.standard_normal((400, 5)) @ directions * 30
    found = face_maps.population(maps.astype(np.float32))
    assert found["modes_99"] in (5, 6)
    assert found["rms_mm"] == pytest.approx(30 * np.sqrt(5 / 300), rel=0.1)
    assert found["pairwise_mm"] == pytest.approx(found["rms_mm"] * np.sqrt(2), rel=0.02)


def test_within_rms_is_the_noise_around_each_persons_mean(face_maps):
    rng = np.random.default_rng(1)
    people = 10 * rng.standard_normal((6, 1, 4000))
    maps = people + 1.7 * rng.standard_normal((6, 5, 4000))
    maps[0, 0, :50] = np.nan
    assert face_maps.within_rms(maps) == pytest.approx(1.7, rel=0.05)


def test_rank_1_is_all_for_clear_people_and_chance_for_noise(face_maps):
    rng = np.random.default_rng(2)
    people = 5 * rng.standard_normal((8, 1, 500))
    assert face_maps.rank_1(people + 0.1 * rng.standard_normal((8, 4, 500))) == 1.0
    assert face_maps.rank_1(rng.standard_normal((8, 40, 500))) < 0.3


def test_a_capture_map_is_the_surface_seen_from_the_front(face_maps):
    depth = np.full((240, 320), 600.0, np.float32)
    intrinsics = np.array([307.5, 307.5, 159.5, 119.5])
    landmarks = np.array([[-31, -33, 630], [31, -33, 630], [0, 0, 600], [-25, 40, 628], [25, 40, 628]], np.float32)
    mean = (landmarks - landmarks[2]) * np.array([1.0, -1.0, -1.0])
    seen = face_maps.capture_map(depth, intrinsics, landmarks, mean)
    assert np.nanmax(np.abs(seen)) < 0.01
    assert np.isfinite(seen).mean() > 0.9


def test_overlap(population):
    box = np.array([0.0, 0.0, 10.0, 10.0])
    assert population["overlap"](box, box) == 1.0
    assert population["overlap"](box, box + np.array([5, 0, 5, 0])) == pytest.approx(1 / 3)
    assert population["overlap"](box, box + 20) == 0.0


@pytest.mark.slow
def test_some_people_measure_as_adults_do(population):
    for person in range(12):
        measures = population["measure"](population["neutral"](person))
        for name, ((low_mean, low_sd), (high_mean, high_sd)) in population["PUBLISHED"].items():
            assert low_mean - 3 * low_sd <= measures[name] <= high_mean + 3 * high_sd, (person, name)
