"""Work that can wait goes to the cheap hours of a tariff, and that costs waiting."""

import numpy as np

from tests.support.composed import composed
from twin import run
from twin.results.run_folder import Run

SMALL = ["facility.gpus=512", "clock.duration_days=2", "clock.heartbeat_s=300"]


def finished(folder, scheduling):
    words = ["scenario=deferral", f"scheduling={scheduling}", *SMALL]
    run.execute(composed(*words), folder)
    return Run.open(folder)


def gpus_by_price(done):
    """Return the mean GPUs held while electricity is cheapest, and while it is dearest."""
    series = done.series(["price_per_kwh", "gpus_allocated"])
    price, gpus = series["price_per_kwh"], series["gpus_allocated"]
    return [float(np.mean(gpus[price == each])) for each in (price.min(), price.max())]


def test_deferral_moves_work_to_cheap_hours_and_makes_it_wait(tmp_path):
    now, later = (finished(tmp_path / name, name) for name in ("easy", "deadline"))
    cheap, dear = gpus_by_price(later)
    assert cheap > 1.3 * gpus_by_price(now)[0]
    assert dear < 0.7 * gpus_by_price(now)[1]
    paid = [
        done.summary["electricity_cost"] / done.summary["facility_energy_kwh"]
        for done in (now, later)
    ]
    assert paid[1] < 0.98 * paid[0]
    assert later.summary["wait_p50_s"] > 3600.0 > now.summary["wait_p50_s"]
