"""Frontier's power against the samples that ExaDigiT's RAPS computed for the same schedule."""

import csv
import gzip

import pytest

from tests.support.composed import composed
from twin import build, run
from twin.results.recorder import Recorder

HOURS = 2


@pytest.fixture
def day(shared_data, tmp_path):
    """Return the folder of the lists and RAPS' own schedule, each job ending a second late."""
    folder = shared_data / "samework"
    with gzip.open(folder / "jobs_1d_with_starts.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    path = tmp_path / "starts.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "runtime_s": int(row["runtime_s"]) + 1} for row in rows)
    return folder, path


def test_power_at_every_step_equals_that_of_raps(day, tmp_path):
    folder, path = day
    design = build.read(
        composed(
            "scenario=frontier",
            "workload=raps_jobs",
            f"workload.path={path}",
            "workload.columns.submit=start_s",
            "scheduling=fcfs",
            f"clock.duration_days={HOURS / 24}",
        )
    )
    build.size(design)
    recorder = Recorder(tmp_path, 60.0)
    facility = build.assemble(design, recorder)
    inside_w = []

    def probe():
        for k in range(HOURS * 240):
            yield facility.env.timeout(15 * k + 0.5 - facility.env.now)
            inside_w.append(facility.cluster.power.total_w + design.network.power_w())

    facility.env.process(probe())
    run.simulate(design, facility, lambda _: None)
    recorder.close()

    with gzip.open(folder / "raps_power_1d.csv.gz", "rt") as file:
        expected_kw = [float(row["power_kw"]) for row in csv.DictReader(file)]
    entering_kw = [(w + 2368 * 17) / 0.96 / 1e3 + 25 * 8.47347 for w in inside_w]
    assert entering_kw == pytest.approx(expected_kw[: len(entering_kw)], rel=1e-6)


def test_the_feed_loses_in_rectifiers_what_raps_says():
    """(P + 17 W) / 0.96 for each of 2,368; the steps before them are ours."""
    design = build.read(composed("scenario=frontier"))
    element = design.power.elements["rectifiers"]
    units, unit_w = element.build(1.0)
    a0, a1, a2 = element.loss
    for inside_w in (6.5e6, 26e6):
        lost_w = units * unit_w * a0 + a1 * inside_w
        assert lost_w == pytest.approx((inside_w + 2368 * 17) / 0.96 - inside_w, rel=1e-9)
    assert a2 == 0
