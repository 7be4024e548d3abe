"""The figure of the fabric: every form of fabric, few links and many, idle and contended."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.support import fabrics
from tests.support.desk import job
from twin.network.gangs import Gangs
from twin.plot import fabric, style
from twin.records import Placement


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw a run with that much work for gangs over whole fabrics; return (path, figure)."""
    kept = []
    plain = style.save

    def save(figure, folder, name):
        kept.append(figure)
        return plain(figure, folder, name)

    monkeypatch.setattr(style, "save", save)

    def draw(name, servers, worked_s=100.0, gangs=2, **changes):
        net = fabrics.load(name, **changes)
        net.size(servers, 8)
        leaf_of = net.leaf_of()
        running = Gangs(net)
        for i in range(gangs):
            one = job(str(i), 0, 8, 1)
            mine = range(i, servers, 2)
            leaves = len({leaf_of[server] for server in mine})
            running.join(one, 0.9, leaves, Placement(list(mine), 8))
            one.worked_s = worked_s
        loads = running.link_loads(1000.0)
        record = {"plan": net.plan(), "links": loads}
        path = fabric.draw(SimpleNamespace(info={"fabric": record}), tmp_path)
        return path, kept[-1] if kept else None, loads

    return draw


def words(figure: Figure) -> str:
    axes = [text.get_text() for each in figure.axes for text in each.texts]
    return " ".join([*axes, *(text.get_text() for text in figure.texts)])


@pytest.mark.parametrize("name", fabrics.ALL)
def test_every_fabric_is_drawn_with_what_its_links_carried(drawn, name):
    path, figure, loads = drawn(name, 1000)
    assert path.name == "fabric.png"
    fullest = max(max(columns["mean_fraction"]) for columns in loads.values())
    assert f"fullest {fabric._percent(100 * fullest)}" in words(figure)
    ranked = figure.axes[1]
    assert "% of capacity" in ranked.get_ylabel()
    assert ranked.patches[0].get_data().values.max() == pytest.approx(
        100 * max(next(iter(loads.values()))["mean_fraction"])
    )


def test_contended_links_are_marked_and_counted(drawn):
    _, figure, loads = drawn("fat_tree_oversubscribed", 70)
    contended = sum(loads["leaf"]["contended"])
    assert contended == 10
    assert f"on {contended} links (diamonds)" in words(figure)
    assert len(figure.axes[0].collections) == contended


def test_ample_links_say_that_they_never_were_contended(drawn):
    _, figure, _ = drawn("fat_tree", 96)
    assert "never contended" in words(figure)
    assert not figure.axes[0].collections


@pytest.mark.parametrize(
    "name, servers", [("fat_tree", 12500), ("dragonfly", 9400), ("torus", 32768)]
)
def test_a_fabric_of_many_links_is_gathered_to_what_an_eye_can_tell_apart(drawn, name, servers):
    _, figure, _ = drawn(name, servers)
    axes = figure.axes[0]
    assert len(axes.lines) + len(axes.patches) < 600


def test_a_run_whose_jobs_never_met_a_link_has_no_such_figure(drawn, tmp_path):
    assert drawn("fat_tree", 96, worked_s=0.0)[0] is None
    assert drawn("fat_tree", 8)[0] is None  # one switch
    assert fabric.draw(SimpleNamespace(info={}), tmp_path) is None


@pytest.mark.parametrize("leaves", [1, 48, 49, 97, 390, 2000])
@pytest.mark.parametrize("per_pod", [None, 2, 16, 32, 64])
def test_leaves_drawn_as_one_are_never_of_two_pods(leaves, per_pod):
    each = fabric.neighbours(leaves, per_pod)
    assert each >= 1
    assert per_pod is None or each >= per_pod or per_pod % each == 0
    assert -(-leaves // each) <= max(fabric.MOST_LEAVES, -(-leaves // (per_pod or leaves)))


def test_gathered_leaves_keep_their_mean_and_the_worst_of_their_demands():
    loads = {
        "mean": np.array([0.1, 0.3, 0.8]),
        "demand": np.array([np.nan, np.nan, np.nan]),
        "contended": np.array([0.0, 1.0, 0.0]),
    }
    found = fabric.gather(loads, 2)
    assert found["mean"].tolist() == pytest.approx([0.2, 0.8])
    assert np.isnan(found["demand"]).all()
    assert found["contended"].tolist() == [1.0, 0.0]
