"""The report: one page, nothing from outside, every string escaped."""

import base64
import doctest
import gzip
import html
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.support.synthetic_run import make_run
from twin.results import charts
from twin.results.charts import pack
from twin.results.quantity import scorecard
from twin.results.report import page, write_report
from twin.results.run_folder import Run
from twin.schema import PUE_BOUNDARY

NASTY = "</script><script>alert(1)</script> & <b>x</b>"


@pytest.fixture(scope="module")
def text(week):
    return write_report(Run.open(week)).read_text(encoding="utf-8")


def test_it_is_one_file_of_less_than_five_megabytes_that_asks_for_nothing(text):
    assert len(text.encode()) < 5e6
    page_itself = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page_itself)
    assert "http" not in page_itself.replace("http-equiv", "")


def test_it_says_what_was_run_and_every_figure_with_its_boundary(week, text):
    shown = html.unescape(text)
    assert PUE_BOUNDARY in shown
    for rows in scorecard(Run.open(week).summary).values():
        for _, label, value in rows:
            assert label in shown and value in shown
    for words in ("mana_oasis", "What does a week cost?", "seed 7", "0123456789abcdef"):
        assert words in shown
    assert " · Guiyang, Guizhou, China · " in shown
    assert "Without a value in this run" in shown and "cooling.chiller" in shown
    assert "condenser water left the curve" in shown


def test_strings_cannot_break_out_of_the_page(tmp_path):
    run = make_run(tmp_path / "run", days=0.1, beat_s=300.0, name=NASTY, question=NASTY)
    info = json.loads((run / "run.json").read_text())
    info["warnings"] = info["command"] = [NASTY]
    (run / "run.json").write_text(json.dumps(info))
    assert NASTY not in page(Run.open(run))


def test_the_numbers_in_the_page_are_those_of_the_file_to_four_digits(week):
    run = Run.open(week)
    packed = pack(run)
    data = np.frombuffer(gzip.decompress(base64.b64decode(packed.data)), dtype="<f4")
    (chart,) = (c for c in packed.meta["charts"] if c["id"] == "c-pue")
    place = chart["series"][0]["mean"]
    carried = data[place["at"] : place["at"] + place["count"]]
    assert carried == pytest.approx(run.series(["pue"])["pue"], rel=1e-4)


def test_columns_that_say_nothing_are_not_drawn(week):
    meta = pack(Run.open(week)).meta
    assert "c-battery" not in {chart["id"] for chart in meta["charts"]}
    totals = next(chart for chart in meta["charts"] if chart["id"] == "c-totals")
    assert [line["label"] for line in totals["series"]] == ["facility", "IT"]


def test_each_section_is_linked_from_the_top(text):
    links = dict(re.findall(r'<a href="#(s\d+)">(.*?)</a>', text))
    heads = dict(re.findall(r'<h2 id="(s\d+)">(.*?)</h2>', text))
    assert links == heads and "Scorecard" in heads.values() and len(heads) > 5
    assert text.index("<nav") < text.index('<h2 id="s1">')


def test_prices_are_told_in_the_currency_of_the_run(week):
    run = Run.open(week)
    (chart,) = (c for c in pack(run).meta["charts"] if c["id"] == "c-price")
    assert chart["unit"] == f"{run.summary['currency']}/kWh"
    assert chart["axis"] == f"price [{run.summary['currency']}/kWh]"


def test_the_scale_of_pue_is_that_of_the_time_in_which_servers_work(week, monkeypatch):
    run = Run.open(week)
    (chart,) = (c for c in pack(run).meta["charts"] if c["id"] == "c-pue")
    assert chart["range"] is None and chart["title"] == "PUE"
    whole = run.series()
    series = {name: values.copy() for name, values in whole.items()}
    series["pue"][7], series["it_power_w"][7] = 40.0, 1.0
    monkeypatch.setattr(Run, "series", lambda self, columns=None: series)
    (chart,) = (c for c in pack(run).meta["charts"] if c["id"] == "c-pue")
    low, high = chart["range"]
    assert low < np.delete(whole["pue"], 7).min() and np.delete(whole["pue"], 7).max() < high < 40.0
    assert "off the scale" in chart["title"]


def test_a_battery_that_stays_full_is_not_drawn(week, monkeypatch):
    series = {**Run.open(week).series()}
    series["battery_j"] = np.full_like(series["pue"], 1e9)
    monkeypatch.setattr(Run, "series", lambda self, columns=None: series)
    assert "c-battery" not in {chart["id"] for chart in pack(Run.open(week)).meta["charts"]}
    series["battery_j"][3] = 0.5e9
    assert "c-battery" in {chart["id"] for chart in pack(Run.open(week)).meta["charts"]}


def test_figures_that_no_chart_repeats_stand_in_the_page(week, tmp_path):
    copy = shutil.copytree(week, tmp_path / "copy")
    (copy / "plots").mkdir(exist_ok=True)
    for name in ("gantt", "one_line", "fault_story", "utilization"):
        (copy / "plots" / f"{name}.png").write_bytes(name.encode())
    shown = page(Run.open(copy))
    for name in ("gantt", "one_line", "fault_story"):
        assert f'alt="{name.replace("_", " ")}"' in shown
    assert 'alt="utilization"' not in shown  # its chart stands there
    assert shown.index('alt="fault story"') > shown.index(">Events (")


def test_a_long_run_carries_hourly_ranges_and_a_few_columns_whole(tmp_path):
    run = Run.open(make_run(tmp_path / "run", days=90.0, beat_s=300.0))
    packed = pack(run)
    lines = {line["label"]: line for chart in packed.meta["charts"] for line in chart["series"]}
    assert lines["PUE"]["mean"]["count"] == 90 * 288 and "low" not in lines["PUE"]
    assert lines["dry bulb"]["mean"]["count"] == lines["dry bulb"]["high"]["count"] == 90 * 24
    assert lines["dry bulb"]["step_s"] == 3600.0
    assert "every hour" in packed.meta["hint"]


def test_a_published_outcome_is_set_beside_the_run(week, tmp_path):
    run = Run.open(week)
    rows = [
        {"row": "V1", "metric": "pue", "value": 1.3, "type": "V", "source": "a", "relative": 0.1},
        {"row": "V2", "metric": "pue", "value": 2.0, "type": "V", "source": "b", "relative": 0.1},
        {"row": "V3", "probe": "a.b", "value": 2.0, "type": "A", "source": "c", "absolute": 0.1},
    ]
    copy = shutil.copytree(week, tmp_path / "copy")
    config = json.dumps({**run.config(), "scenario": {"name": "x", "published": rows}})
    (copy / "config.yaml").write_text(config)
    shown = page(Run.open(copy))
    assert shown.count(">within<") == 1 and shown.count(">off<") == 1
    folded = shown[shown.index("<details><summary>1 published figure that") :]
    assert "a.b" in folded[: folded.index("</details>")]  # no column of dashes


def test_equal_runs_give_equal_pages(week):
    assert page(Run.open(week)) == page(Run.open(week))


def test_plotly_is_read_but_not_imported(week):
    code = (
        "import sys; from twin.results.run_folder import Run; from twin.results.report import page;"
        f"page(Run.open({str(week)!r})); print('plotly' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


ZOOM = """<script>
const wait = setInterval(async () => {
  if (document.documentElement.dataset.ready !== "yes") return;
  clearInterval(wait);
  const power = document.getElementById("c-power"), pue = document.getElementById("c-pue");
  const all = pue.data[0].x.length;
  const day = { "xaxis.range[0]": "2023-07-04 00:00", "xaxis.range[1]": "2023-07-05 00:00" };
  await Plotly.relayout(power, day);
  await new Promise((done) => setTimeout(done, 1000));
  const zoomed = pue.data[0].x.length;
  await Plotly.relayout(power, { "xaxis.autorange": true });
  await new Promise((done) => setTimeout(done, 1000));
  document.body.dataset.rows = [all, zoomed, pue.data[0].x.length].join(" ");
}, 100);
</script>"""


@pytest.mark.slow
def test_a_real_browser_draws_every_chart_and_zooms_them_together(week, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    text = page(Run.open(week)).replace("</body>\n</html>", ZOOM + "</body></html>")
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    options += [f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=30000", "--dump-dom"]
    done = subprocess.run(
        [browser, *options, (tmp_path / "report.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    charts = len(pack(Run.open(week)).meta["charts"])
    assert done.stdout.count('class="main-svg"') >= 2 * charts
    rows = re.search(r'data-rows="(\d+) (\d+) (\d+)"', done.stdout)
    assert rows is not None
    everything, zoomed, again = (int(number) for number in rows.groups())
    assert everything == again == 2016 and 288 <= zoomed <= 292
    assert "CONSOLE" not in done.stderr


def test_what_a_page_carries_is_within_a_screen_of_the_truth():
    values = np.random.default_rng(3).uniform(-1e7, 1e7, 5000)
    assert doctest.testmod(charts).failed == 0
    assert np.abs(charts.coarse(values) / values - 1.0).max() < 1e-4
