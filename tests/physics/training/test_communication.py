"""What ranks of a step send each other, by hand."""

from dataclasses import replace

import pytest

from tests.support.training import BARE, H100
from twin.physics.training.communication import context_s, data_s, expert_s, tensor_s
from twin.physics.training.layout import Layout

QUIET = replace(H100, domain_latency_s=0.0, fabric_latency_s=0.0)
RACK = replace(QUIET, domain_gpus=72)


def layout(**ranks):
    return Layout(**{"tensor": 1, "pipeline": 1, "data": 1, "batch": 128, **ranks})


def test_a_dense_model_does_not_wait_for_experts_it_has_not():
    latency = replace(H100, domain_gpus=1, domain_bytes_per_s=1e30, fabric_bytes_per_s=1e30)
    got_s = data_s(BARE, layout(data=128), latency, 2.0)
    assert got_s == pytest.approx(2 * 127 * latency.fabric_latency_s)


def test_data_ranks_that_do_not_fill_racks_still_meet_inside_them():
    """128 of them, nine to a rack of 72 with 8 tensor ranks each."""
    size = 2.0 * BARE.parameters / 8
    got_s = data_s(BARE, layout(tensor=8, data=128), RACK, 2.0)
    inside_s, across_s = 2 * 8 / 9 * size / 450e9, 2 * 14 / 15 * size / 8 / 48e9
    assert got_s == pytest.approx(inside_s + across_s)


def test_layers_that_run_forward_again_send_again():
    """Two of four times on the way forward: to tensor ranks, and to experts and back."""
    once = Layout(tensor=2, pipeline=2, data=8, batch=64, expert=4)
    again = replace(once, full_recompute=True)
    routed = replace(BARE, expert_parameters=1.0e9, expert_copies=2.0)
    for sent_s in (tensor_s, expert_s):
        assert sent_s(routed, again, H100) == pytest.approx(1.5 * sent_s(routed, once, H100))
        assert sent_s(routed, once, H100) > 0.0


def test_experts_that_are_not_spread_are_reduced_like_all_other_weights():
    routed = replace(BARE, expert_parameters=1.0e9)
    assert data_s(routed, layout(data=128), QUIET, 4.0) == pytest.approx(
        data_s(BARE, layout(data=128), QUIET, 4.0)
    )


def test_keys_of_a_sequence_that_spans_servers_take_all_their_ways_out():
    """Sixteen ranks on two servers: eight parts cross, on eight ports."""
    size = 2 * 2 * 2048 * 1024
    inside_s, across_s = 7 / 8 * size / 450e9, 1 / 2 * size / 8 / 48e9
    got_s = context_s(BARE, layout(context=16, data=2), QUIET)
    assert got_s == pytest.approx(3 * (inside_s + across_s))
