import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.synthetic.appearance import HAIR_STYLES, draw_appearance
from face3d_data.synthetic.identity import FACTORS, PARAMETERS, draw_identity, mean_identity
from face3d_data.synthetic.skull import Levels

PEOPLE = [draw_identity(3, person) for person in range(300)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**63), st.integers(0, 10**6))
def test_every_parameter_lies_within_its_limits(seed, person):
    identity = draw_identity(seed, person)
    for name, parameter in PARAMETERS.items():
        assert parameter.low <= identity[name] <= parameter.high, name


def test_there_are_some_thirty_parameters_with_sane_declarations():
    assert len(PARAMETERS) >= 30
    for name, parameter in PARAMETERS.items():
        assert parameter.low < parameter.mean < parameter.high, name
        assert parameter.unit in ("mm", "deg")
        assert set(parameter.loadings) <= set(FACTORS), name
        assert sum(weight**2 for weight in parameter.loadings.values()) < 1.0, name


def test_the_same_person_whatever_was_drawn_before():
    draw_identity(1, 5)
    again = draw_identity(3, 17)
    assert again.shape == PEOPLE[17].shape
    assert np.array_equal(again.residuals, PEOPLE[17].residuals)
    assert again.appearance_seed == PEOPLE[17].appearance_seed


def test_people_and_seeds_differ():
    assert len({tuple(identity.shape.values()) for identity in PEOPLE}) == len(PEOPLE)
    assert draw_identity(4, 0).shape != PEOPLE[0].shape


@pytest.mark.parametrize("name", ["interpupillary", "nose_width", "bizygomatic", "nasion_menton"])
def test_mean_and_spread_are_as_declared(name):
    values = np.array([identity[name] for identity in PEOPLE])
    parameter = PARAMETERS[name]
    assert abs(values.mean() - parameter.mean) < 0.25 * parameter.sd
    assert 0.8 < values.std() / parameter.sd < 1.15


def test_measures_hang_together_through_the_factors():
    def correlation(a, b):
        return np.corrcoef([p[a] for p in PEOPLE], [p[b] for p in PEOPLE])[0, 1]

    assert correlation("nose_width", "bridge_height") < -0.3
    assert correlation("bizygomatic", "head_breadth") > 0.3


def test_levels_of_the_face_are_in_order():
    for identity in PEOPLE:
        at = Levels.of(identity)
        assert 0 > at.tip > at.subnasale > at.stomion > at.mentolabial > at.pogonion > at.menton


def test_appearance_is_the_persons_own():
    first, again, other = draw_appearance(PEOPLE[0]), draw_appearance(PEOPLE[0]), draw_appearance(PEOPLE[1])
    assert np.array_equal(first.skin, again.skin)
    assert not np.array_equal(first.skin, other.skin)
    looks = [draw_appearance(identity) for identity in PEOPLE[:60]]
    assert {look.style for look in looks} <= set(HAIR_STYLES)
    assert len({look.style for look in looks}) >= 4
    assert all(0 <= channel <= 255 for look in looks for channel in (*look.skin, *look.lip, *look.hair))


def test_the_mean_person_has_the_mean_parameters():
    assert all(mean_identity()[name] == parameter.mean for name, parameter in PARAMETERS.items())
