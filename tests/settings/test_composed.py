"""The short way to a configuration leads to the same one."""

import pytest

from tests.support.composed import composed
from twin.settings import compose


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["scenario=fuyao", "rack.rated_kw=14", "cooling=immersion", "clock.seed=3"],
        ["facility.gpus=128", "workload=full_load"],  # one key refers to another
        ["power=n_plus_1_pv", "power.bess={at: utility, hours: 2}", "power.pv.kw_peak=50"],
        ["workload=training_run", "workload.checkpoint=null", "clock.seed=1", "clock.seed=2"],
        ["scheduling=deadline", "scheduling.slack_hours={training: 24}", "clock.start='2024-1-1'"],
        [
            "~workload.streams.fine_tuning",
            "+site.altitude=3",
            "scenario=fuyao",
            "gpu={gpu_idle_w: 9}",
        ],
        ["faults=utility_outage", "faults.scheduled.line.at_hours=${clock.heartbeat_s}"],
    ],
)
def test_values_set_afterwards_are_those_of_the_command_line(words):
    assert composed(*words) == compose.load(words)


def test_what_one_test_does_to_its_configuration_does_not_reach_another():
    composed("clock.seed=3")["clock"]["seed"] = 4
    composed()["scenario"]["published"].clear()
    assert composed() == compose.load()
