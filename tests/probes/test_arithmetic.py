"""Probes that are formulas: known points, units, and what they refuse."""

import pytest

from tests.support.composed import composed
from twin.errors import ConfigError, ParameterError
from twin.probes import (
    another_gpu,
    dataset,
    fabric,
    gpu_time,
    heat_rejection,
    mass,
    nameplate,
    training,
    training_memory,
)


def test_gpu_weeks_on_all_gpus():
    config = composed("facility.gpus=1680")  # 210 servers of 6.5 kW
    assert gpu_time.hours(config, 100) == 10.0
    assert gpu_time.nameplate_mwh(config, 100) == pytest.approx(13.65)


def test_training_time_falls_as_one_over_speed():
    """1e12 x 1e9 x 8 FLOPs at 1e15 FLOP/s are 8e6 s."""
    assert training.days_with_recomputation(1e12, 1e9, 10, 100) == pytest.approx(8e6 / 86400)
    assert training.petaflop_days(1e12, 1e9) == pytest.approx(6e6 / 86400)


def test_work_of_a_shape_takes_its_time():
    """A layer of width 1 and no context: 24 x 4 operations, a word 6."""
    assert training.zettaflops_with_recomputation(1, 1, 0, 10, 1e21) == pytest.approx(156)
    assert training.days_of_work(8.64, 1000, 100) == pytest.approx(1.0)


def test_gpu_hours_are_those_of_the_gpu_of_the_facility():
    """6e21 FLOPs at half of 312 TFLOP/s."""
    config = composed("gpu=a100")
    got = training.million_gpu_hours(config, 1e9, 1e12, 0.5)
    assert got == pytest.approx(6e21 / 156e12 / 3600 / 1e6)


def test_a_job_on_one_server_fails_as_often_as_the_server():
    config = composed("gpu=a100")
    assert training.hours_to_failure(config, 8, 0.5) == pytest.approx(48.0)


def test_two_tiers_of_rails_take_three_switches_per_64_gpus():
    config = composed("network=fat_tree", "facility.gpus=2048")
    assert fabric.switches(config) == 3 * 2048 / 64


def test_the_pound_is_exact():
    assert mass.tonnes(100_000 / 0.45359237) == pytest.approx(100.0, rel=1e-15)


def test_half_air_doubles_water_over_air():
    full_k = heat_rejection.tower_approach_k(10.0, 5.56, 1.0)
    assert heat_rejection.tower_approach_k(10.0, 5.56, 0.5) > full_k


def test_an_unknown_chiller_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'york_yk'"):
        heat_rejection.chiller_cop("york_y", 7.0, 24.0, 1.0)


def test_a_chiller_is_not_asked_outside_its_curves():
    with pytest.raises(ParameterError, match="must be in"):
        heat_rejection.chiller_cop("york_yk", 20.0, 24.0, 1.0)


def test_failures_and_what_restarts_leave():
    config = composed("gpu=a100")
    assert training.failures(config, 80, 0.1, 30) == pytest.approx(30.0)
    assert training.productive_share(24.0, 14400, 100) == pytest.approx(0.8)


def test_operations_of_the_first_pass_are_three_in_four_of_all():
    """6 of 8 for each parameter and token where the forward pass runs twice."""
    assert training.first_pass_share(1e9, 1e12, 8.0) == pytest.approx(0.75)


def test_gpu_energy_money_and_days_of_published_gpu_hours():
    config = composed("gpu=a100")  # 400 W
    assert training.gpu_gwh(config, 2.5) == pytest.approx(1.0)
    assert training.carbon_kg_per_kwh(config, 2.5, 500.0) == pytest.approx(0.5)
    assert training.days_per_trillion_tokens(0.24, 1000, 10e12) == pytest.approx(1.0)
    assert training.million_dollars(3.0, 2.0) == 6.0
    assert training.days(1e12, 1e9, 10, 100) == pytest.approx(6e6 / 86400)


def test_a_run_may_need_more_than_there_is():
    config = composed("gpu=a100", "facility.gpus=8")
    one = training.needed_mfu(config, 1e12, 312e12 * 86400 / 6e12, 1, 1)
    assert one == pytest.approx(1.0)
    assert nameplate.servers_gwh(config, 1000 / 24) == pytest.approx(0.0065)


def test_small_files_are_read_as_fast_as_they_are_opened():
    packed, small = composed(), composed("storage.file_mb=0.2")
    assert dataset.minutes_per_pass(packed, 6) == pytest.approx(50)
    assert dataset.minutes_per_pass(small, 6) == pytest.approx(6e15 / (1e6 * 2e5) / 60)
    assert dataset.opens_per_s(packed, 50) == pytest.approx(4e7)


def test_gpu_time_of_clips_is_that_of_the_pipeline_of_the_workload():
    config = composed()
    assert dataset.gpu_weeks(config, "dense", 2e6) == pytest.approx(200)
    with pytest.raises(ConfigError, match="no training task 'sparse'"):
        dataset.gpu_weeks(config, "sparse", 1)
    with pytest.raises(ConfigError, match="must hold a driving pipeline"):
        dataset.gpu_weeks(composed("workload=training_mix"), "dense", 1)


def test_the_state_of_a_model_is_sixteen_bytes_a_parameter():
    config = composed("gpu=a100")
    assert training_memory.state_gb_per_gpu(2e9, 4) == 8
    assert training_memory.servers_needed(config, 4e10, 1.0) == 1  # exactly all of 640 GB
    assert training_memory.servers_needed(config, 4.01e10, 1.0) == 2


def test_work_told_for_an_a100_on_other_gpus():
    """Bound by memory alone and by arithmetic alone: the two ratios, and the mean of times."""
    config = ["workload=training_mix", "workload.told_for.memory_fraction="]

    def on_h100(share):
        return composed("gpu=h100", "rack=20kw", config[0], f"{config[1]}{share}")

    assert another_gpu.minutes(on_h100(1), 3.35) == pytest.approx(2.039)
    assert another_gpu.minutes(on_h100(0), 9.89) == pytest.approx(3.12)
    assert another_gpu.minutes(on_h100(0.5), 1.0) == pytest.approx((2.039 / 3.35 + 312 / 989) / 2)
    assert another_gpu.per_second(on_h100(0), 10.0, 125, 0.9) == pytest.approx(10 * 989 / 125)
    with pytest.raises(ConfigError, match="told_for"):
        another_gpu.minutes(composed("workload=steady"), 1.0)
