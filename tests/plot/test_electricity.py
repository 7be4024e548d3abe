"""The figure of electricity is drawn where something of it changes, and only there."""

import numpy as np
import pytest

from tests.support.synthetic_run import make_run
from twin.plot import electricity
from twin.results.run_folder import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run.open(make_run(tmp_path_factory.mktemp("runs") / "day", days=1.0, beat_s=300.0))


def test_a_tariff_by_the_clock_is_drawn(run, tmp_path):
    path = electricity.draw(run, tmp_path)
    assert path == tmp_path / "electricity.png"
    assert path.stat().st_size > 10_000


def test_flat_prices_without_pv_and_storage_are_not_drawn(run, tmp_path, monkeypatch):
    series = run.series(electricity.COLUMNS)
    kwh_per_s = series["utility_power_w"] / 3.6e6
    flat = {
        "price_per_kwh": np.full_like(kwh_per_s, 0.6),
        "carbon_kg_per_s": 0.5 * kwh_per_s,
        "battery_j": np.full_like(kwh_per_s, np.nan),
        "pv_power_w": np.full_like(kwh_per_s, np.nan),
    }
    monkeypatch.setattr(Run, "series", lambda self, columns=None: series | flat)
    assert electricity.draw(run, tmp_path) is None
    sunny = {"pv_power_w": np.full_like(kwh_per_s, 5e4)}
    monkeypatch.setattr(Run, "series", lambda self, columns=None: series | flat | sunny)
    assert electricity.draw(run, tmp_path) is not None
