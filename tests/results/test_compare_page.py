"""The page of a comparison carries everything and escapes what it is told."""

import json
import re
import shutil

import pytest

from tests.support.synthetic_run import make_run
from twin.results.compare import compare
from twin.results.compare_page import page, write_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    for k, supply in enumerate((18.0, 22.0, 26.0)):
        make_run(folder / str(k), days=0.25, beat_s=300.0, seed=k, supply_c=supply)
    broken = folder / "3"
    broken.mkdir()
    (broken / "config.yaml").write_text("a: 1\n")
    (broken / "error.txt").write_text("RunError: <b>burnt</b>\n")
    return folder


def test_it_asks_nothing_of_any_network_and_is_light(folder):
    path = write_page(compare([folder]), folder)
    text = path.read_text()
    assert path.stat().st_size < 5e6
    assert not list(folder.glob("*.part"))
    head = text[: text.index('<script type="text/plain" id="library">')]
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", head)


def test_every_design_and_every_failure_stands_on_it(folder):
    text = page(compare([folder]), folder)
    assert text.count("<tr><td>") == 3
    assert "&lt;b&gt;burnt" in text and "<b>burnt" not in text
    assert "cooling.supply_c" in text


def test_money_of_several_currencies_is_labelled_with_all(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    summary = json.loads((copy / "1/summary.json").read_text())
    (copy / "1/summary.json").write_text(json.dumps({**summary, "currency": "USD"}))
    text = page(compare([copy]), copy)
    meta = json.loads(re.search(r'id="meta">(.*?)</script>', text, re.S)[1])
    assert meta["figures"]["cost_per_gpu_hour"]["axis"].endswith("[CNY/USD/GPU-h]")


def test_the_chart_has_the_figures_of_all_designs(folder):
    text = page(compare([folder]), folder)
    meta = json.loads(re.search(r'id="meta">(.*?)</script>', text, re.S)[1])
    assert meta["x"] in meta["figures"] and meta["y"] in meta["figures"]
    assert len(meta["figures"]["pue"]["values"]) == len(meta["names"]) == 3
    held = meta["figures"]["gpu_allocated_fraction"]
    assert held["axis"].endswith("[%]")
    assert all(1.0 < value <= 100.0 for value in held["values"])
    assert meta["settings"]["cooling.supply_c"] == ["18.0", "22.0", "26.0"]
