"""A close-up shows the swings of training, keeps the mean, and leaves the run as it was."""

import numpy as np
import pytest

from tests.support.composed import composed
from twin import run
from twin.config import BurstConfig
from twin.errors import ConfigError
from twin.facility.burst import ASSUMED, FLAT, STEPPED, Stepping, take
from twin.results.run_folder import Run

SMALL = [
    "workload=llama2_70b_run",
    "workload.gpus=256",
    "gpu=h100",
    "facility.gpus=256",
    "rack=20kw",
    "clock.duration_days=0.1",
    "output.plots=false",
    "output.report=false",
]


def load(*overrides):
    return composed(*SMALL, *overrides)


def finished(folder, *overrides):
    run.execute(load(*overrides), folder)
    return Run.open(folder)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    burst = "clock.burst={at_hours: [1.5, 0.51], seconds: 7, hz: 25}"
    return finished(folder / "plain"), finished(folder / "close", burst)


def test_the_run_is_the_same_byte_for_byte(pair):
    plain, close = pair
    for name in ("series", "jobs", "racks", "events"):
        file = f"{name}.parquet"
        assert (plain.path / file).read_bytes() == (close.path / file).read_bytes(), name
    assert not (plain.path / "burst.parquet").exists()
    assert plain.info["bursts"] == []


def test_the_mean_of_the_waveform_is_the_power_of_the_run(pair):
    _, close = pair
    series, waves = close.series(), close.bursts()
    assert len(close.info["bursts"]) == 2
    for number, told in enumerate(close.info["bursts"]):
        inside = waves["burst"] == number
        row = int(told["at_s"] // 300.0)
        assert waves["it_power_w"][inside].mean() == pytest.approx(
            series["it_power_w"][row], rel=1e-9
        )
        # Losses grow with the square of the load: the meter sees a little more than at the mean.
        meter = waves["utility_power_w"][inside].mean() / series["utility_power_w"][row]
        assert 1.0 - 1e-6 < meter < 1.01
        assert told["it"]["swing_w"] > 0.1 * told["it"]["mean_w"]


def test_it_says_frequency_margin_and_whose_steps_are_known(pair):
    _, close = pair
    told = close.info["bursts"][0]
    assert told["at_s"] == 0.51 * 3600.0, "in order of time"
    assert told["it"]["dominant_hz"] == pytest.approx(1.0 / told["main_step_s"], rel=1e-6)
    assert told["seconds"] % told["main_step_s"] == pytest.approx(0.0, abs=1e-6)
    assert told["hz"] >= 25.0
    assert told["jobs"][STEPPED]["jobs"] == 1
    assert told["elements"][told["tightest"]]["peak"] == max(
        each["peak"] for each in told["elements"].values()
    )
    assert "racks" not in told["elements"], "a sink has no rating to keep"
    assert sum("IT power swings by" in warning for warning in close.info["warnings"]) == 2
    assert sum("upper bound" in warning for warning in close.info["warnings"]) == 1


@pytest.mark.parametrize(
    ("burst", "said"),
    [
        ("{at_hours: [3]}", r"clock\.burst\.at_hours=3: must lie within the run"),
        ("{at_hours: [1], hz: 5}", r"clock\.burst\.hz=5: must be >= 10"),
        ("{at_hours: [1], seconds: 0}", r"clock\.burst\.seconds=0: must be >= 1"),
        ("{hours: [1]}", r"clock\.burst\.hours=\[1\]: unknown key; did you mean 'at_hours'"),
        ("{at_hours: [-1]}", r"clock\.burst\.at_hours\[0\]=-1: must be >= 0"),
    ],
)
def test_a_wrong_window_is_refused(burst, said):
    with pytest.raises(ConfigError, match=said):
        run.check(load(f"clock.burst={burst}"))


def straight(it_w):
    return 1.1 * it_w, {"ups": (100.0, it_w), "cable": (0.0, it_w)}


def close_up(jobs, **keys):
    config = BurstConfig(**({"at_hours": [0.0], "hz": 20.0, "seconds": 10.0} | keys))
    return take(config, 0.0, 90.0, jobs, straight, 0.0, np.random.default_rng(3))


def test_jobs_without_steps_use_their_duty_or_stay_flat_and_it_is_said():
    known = Stepping("a", 64, step_s=2.5, duty=0.8, swing_w=30.0)
    assumed = Stepping("b", 16, step_s=0.0, duty=0.5, swing_w=4.0)
    flat = Stepping("c", 8, step_s=0.0, duty=1.0, swing_w=0.0)
    burst = close_up([known, assumed, flat])
    assert {kind: each["gpus"] for kind, each in burst.jobs.items()} == {
        STEPPED: 64,
        ASSUMED: 16,
        FLAT: 8,
    }
    assert burst.it_wave_w.mean() == pytest.approx(90.0)  # 10 s hold whole steps of both
    assert burst.it.swing_w == pytest.approx(34.0)
    assert burst.elements == {"ups": pytest.approx(burst.elements["ups"])}
    level = close_up([flat])
    assert level.it.dominant_hz is None
    assert "does not swing" in level.warning()


def test_a_window_grows_to_whole_steps_of_the_largest_job():
    burst = close_up([Stepping("a", 64, step_s=7.0, duty=0.3, swing_w=30.0)])
    assert burst.record()["seconds"] == pytest.approx(14.0)
    assert burst.it_wave_w.mean() == pytest.approx(90.0)


def test_a_peak_above_a_rating_is_shouted():
    burst = close_up([Stepping("a", 64, step_s=2.5, duty=0.5, swing_w=40.0)])
    assert burst.tightest() == "ups"
    assert "ups peaks at 110% of its rating, ABOVE it" in burst.warning()
