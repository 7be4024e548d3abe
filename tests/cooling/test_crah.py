import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.cooling.crah import AirHandlers
from twin.errors import ParameterError


def handlers(effectiveness=0.75, air_w_per_k=1e5, water_w_per_k=2e5):
    made = AirHandlers(
        unit_kw=100.0,
        spares=1,
        fan_pressure_pa=300.0,
        fan_efficiency=0.6,
        fan_exponent=2.7,
        min_speed=0.3,
        coil_effectiveness=effectiveness,
    )
    made.size_coil(air_w_per_k, water_w_per_k)
    return made


@given(st.floats(0.3, 0.85), st.floats(1.1e5, 1e6))
def test_a_coil_has_its_effectiveness_at_design(effectiveness, water_w_per_k):
    made = handlers(effectiveness, water_w_per_k=water_w_per_k)
    assert made.effectiveness(1e5) == pytest.approx(effectiveness, rel=1e-9)


def test_with_less_air_a_coil_brings_it_nearer_to_the_water():
    """UA falls with the 0.82 power of the flows: half of both, 2**0.18 the transfer units."""
    made = handlers()
    seen = [made.effectiveness(share * 1e5) for share in (1.2, 1.0, 0.7, 0.5, 0.3)]
    assert seen == sorted(seen)
    assert 0.02 < seen[3] - seen[1] < 0.06
    assert seen[-1] < 1.0


def test_scarce_water_is_the_smaller_flow_of_the_coil():
    made = handlers(0.6, water_w_per_k=0.8e5)
    assert made.effectiveness(1e5) == pytest.approx(0.6, rel=1e-9)
    assert made.effectiveness(0.5e5) > 0.6


def test_a_coil_that_no_water_could_feed_is_refused():
    with pytest.raises(ParameterError, match=r"air_handlers\.coil_effectiveness=0\.75.*rise_k"):
        handlers(0.75, water_w_per_k=0.6e5)
