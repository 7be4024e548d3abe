"""Probes of training runs: a short run simulated to its end, and what a plan expects."""

import pytest

from tests.support.composed import composed
from twin import run
from twin.errors import ConfigError, RunError
from twin.probes import training_run
from twin.results.run_folder import Run

SHORT = [
    "clock=day",
    "clock.duration_days=0.25",
    "clock.heartbeat_s=300",
    "output.plots=false",
    "output.report=false",
    "workload=training_run",
    "workload.checkpoint=null",
]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Return a finished run of 2 billion tokens and one that ends too early."""

    def make(tokens_billion):
        folder = tmp_path_factory.mktemp("run")
        run.execute(composed(*SHORT, f"workload.tokens_billion={tokens_billion}"), folder)
        return Run.open(folder)

    return make(2.0), make(2000.0)


def test_time_gpu_hours_power_energy_and_carbon_of_one_job_agree(simulated):
    done, _ = simulated
    days = training_run.days(done)
    assert 0 < days < 0.25
    assert training_run.minutes(done) == pytest.approx(1440 * days)
    assert training_run.million_gpu_hours(done) == pytest.approx(days * 24 * 1024 / 1e6)
    energy_kwh = training_run.server_w_per_gpu(done) * 1024 * days * 24 / 1e3
    pue = done.summary["pue"]
    assert training_run.energy_mwh(done) == pytest.approx(energy_kwh * pue / 1e3)
    carbon = done.summary["carbon_t"] / done.summary["facility_energy_kwh"]
    assert training_run.carbon_t(done) == pytest.approx(energy_kwh * pue * carbon)


def test_model_flops_utilisation_is_that_of_the_plan_and_the_fabric(simulated):
    done, _ = simulated
    plan = training_run.plan(done.config())
    assert done.summary["mfu_mean"] == pytest.approx(plan.mfu, rel=0.01)
    assert done.summary["mfu_mean"] <= plan.mfu


def test_a_job_that_did_not_finish_has_no_time(simulated):
    with pytest.raises(RunError, match="must be one, completed"):
        training_run.days(simulated[1])


def test_expected_goodput_lengthens_the_run():
    config = composed("workload=training_run")
    plan = training_run.plan(config)
    share = training_run.goodput_fraction(config)
    assert 0.9 < share < 1
    hours = plan.training_s * 1024 / 3600 / share
    assert training_run.million_gpu_hours_expected(config) == pytest.approx(hours / 1e6)


def test_figures_of_another_workload_are_refused():
    with pytest.raises(ConfigError, match=r"workload.kind: must be training_run.TrainingRun"):
        training_run.plan(composed())
    with pytest.raises(ConfigError, match=r"failures_per_server_day: is required"):
        training_run.goodput_fraction(composed("workload=training_run", "workload.checkpoint=null"))


def test_a_run_without_failures_is_productive_but_for_checkpoints_and_the_fabric(tmp_path):
    words = [word for word in SHORT if word != "workload.checkpoint=null"]
    config = composed(*words)
    run.execute(config, tmp_path)
    done, planned = Run.open(tmp_path), training_run.plan(config)
    got = training_run.productive_fraction(config, done)
    assert got == pytest.approx(1 - planned.blocked_fraction, abs=0.002)
    assert training_run.restarts(done) == 0
