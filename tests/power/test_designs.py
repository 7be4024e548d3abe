"""The ready designs give the losses and sizes their kind is known for."""

import pytest

from twin.power.base import FeedDesign


def loss_fraction(feed, load_fraction, it_w=1.9e6):
    """Return losses owed to IT over IT power, nothing else drawing."""
    feed.serve_it(load_fraction * it_w, 60.0)
    feed.serve_all(0.0, 0.0, 60.0)
    return feed.it_loss_j() / 60.0 / (load_fraction * it_w)


def test_the_direct_feed_loses_a_little_over_a_percent(ready):
    feed = ready("direct", FeedDesign(it_w=1e6, mechanical_w=5e4, aux_w=1e4))
    feed.serve_it(0.62e6, 60.0)
    feed.serve_all(3e4, 1e4, 60.0)
    assert feed.it_loss_j() / 60.0 / 0.62e6 == pytest.approx(0.013, abs=0.001)


def test_designs_rank_as_engineers_rank_them(ready):
    names = ["direct", "hvdc", "ups_eco", "n", "n_plus_1", "two_n", "legacy"]
    losses = [loss_fraction(ready(name), 0.5) for name in names]
    assert losses == sorted(losses)
    assert losses[-1] > 3 * losses[-2]


def test_two_n_modules_run_at_half_the_load_factor(ready):
    feed = ready("two_n")
    loss_fraction(feed, 0.78)
    for side in "ab":
        assert feed.one_line().nodes[f"ups_{side}"]["x"] == pytest.approx(0.35, abs=0.01)


def test_two_n_at_35_percent_of_each_module_passes_96_to_97_percent(ready):
    feed = ready("two_n")
    loss_fraction(feed, 0.78)
    node = feed.one_line().nodes["ups_a"]
    assert node["load_w"] / (node["load_w"] + node["loss_w"]) == pytest.approx(0.9665, abs=0.001)


@pytest.mark.parametrize(
    ("name", "ups", "steady"),
    [
        ("n", "ups", 0.9),
        ("two_n", "ups_a", 0.45),
        ("catcher", "ups_a", 0.6),
        ("block_redundant", "ups_1", 0.9),
    ],
)
def test_load_factors_at_the_design_load_are_those_of_the_redundancy(ready, name, ups, steady):
    feed = ready(name)
    feed.serve_it(1.9e6, 60.0)
    feed.serve_all(0.7e6, 0.02e6, 60.0)
    assert feed.one_line().nodes[ups]["x"] == pytest.approx(steady, rel=1e-6)
    assert feed.headroom_w() == pytest.approx(0.0, abs=1.0)


def test_n_plus_1_runs_at_n_over_n_plus_1(ready):
    feed = ready("n_plus_1")
    loss_fraction(feed, 1.0)
    node = feed.one_line().nodes["ups"]
    needed = node["installed"] - 1
    assert node["x"] == pytest.approx(0.9 * needed / node["installed"])


def test_generator_sets_carry_the_whole_design_load(ready):
    for name in ("n_plus_1", "two_n", "catcher", "block_redundant", "hvdc", "rack_battery"):
        feed = ready(name)
        feed.serve_it(1.9e6, 60.0)
        feed.serve_all(0.7e6, 0.02e6, 60.0)
        graph = feed.one_line()
        bought_w = sum(
            node["load_w"] for _, node in graph.nodes(data=True) if node["kind"] == "utility"
        )
        installed = graph.nodes["generator"]["installed"]
        rated_w = (installed - 1) * feed._unit_w[feed._index["generator"]]
        assert 0.95 * bought_w / 0.9 <= rated_w <= 1.35 * bought_w / 0.9, name


def test_a_reserve_block_is_as_large_as_the_block_it_stands_in_for(ready):
    feed = ready("block_redundant")
    nodes = feed.one_line().nodes
    assert nodes["ups_reserve"]["rated_w"] == pytest.approx(nodes["ups_1"]["rated_w"], rel=0.01)


@pytest.mark.parametrize("name", ["n_plus_1", "two_n", "hvdc"])
def test_mean_losses_hardly_depend_on_the_beat(ready, name):
    """A load that swings every 60 s, read every 60 or 300 s: within 0.2 %."""
    swing_w = [0.80e6, 0.90e6, 1.00e6, 0.85e6, 0.95e6] * 12

    def lost_j(beat_s):
        feed, total_j = ready(name), 0.0
        per_beat = int(beat_s / 60.0)
        for k in range(0, len(swing_w), per_beat):
            feed.serve_it(sum(swing_w[k : k + per_beat]) / per_beat, beat_s)
            total_j += feed.serve_all(2e5, 2e4, beat_s).loss_w * beat_s
        return total_j

    assert lost_j(300.0) == pytest.approx(lost_j(60.0), rel=0.002)
    assert lost_j(300.0) < lost_j(60.0)  # the law is convex


def test_every_design_rides_through_a_ten_second_outage_or_says_it_does_not(ready, drive):
    for name in ("n", "n_plus_1", "two_n", "catcher", "block_redundant", "hvdc", "legacy"):
        feed = ready(name)
        run = drive(feed).run(60)
        for line in feed._utilities:
            run.set(feed._names[line], 0)
        run.run(9.9)
        assert feed.fed_fraction("it") == 1.0, name
        assert feed.fed_fraction("mechanical") == 0.0, name
        assert run.unserved_j == 0.0
    direct = ready("direct")
    direct.set_available("utility", 0)
    assert direct.fed_fraction("it") == 0.0


def test_an_oversubscribed_feed_is_smaller_and_says_what_does_not_fit(ready):
    full, small = ready("n_plus_1"), ready("n_plus_1")
    small.oversubscription = 1.25
    small.size(FeedDesign(it_w=1.9e6, mechanical_w=0.7e6, aux_w=0.02e6))
    for feed in (full, small):
        feed.serve_it(1.0e6, 60.0)
        feed.serve_all(0.7e6, 0.02e6, 60.0)
    assert full.it_limit_w(steady=True) == pytest.approx(1.9e6)
    assert small.it_limit_w(steady=True) == pytest.approx(1.9e6 / 1.25)
    assert small.one_line().nodes["racks"]["rated_w"] == pytest.approx(1.9e6)


def test_standing_sets_are_kept_warm_wherever_there_are_any(ready):
    """0.3 % of all sets installed, spare ones included; a feed without sets needs nothing."""
    for name in ("n", "n_plus_1", "two_n", "catcher", "block_redundant", "hvdc", "rack_battery"):
        feed = ready(name)
        nodes = feed.one_line().nodes.values()
        rated_w = sum(node["installed_w"] for node in nodes if node["kind"] == "generator")
        assert rated_w > 2.6e6
        assert feed.standby_w == pytest.approx(0.003 * rated_w)
    assert ready("direct").standby_w == 0.0
