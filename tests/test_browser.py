"""Pages in a real browser: they load without a network and answer to the reader's hand."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from tests.support.synthetic_run import make_run
from twin.results.compare import compare
from twin.results.compare_page import write_page
from twin.results.report import write_report
from twin.results.run_folder import Run

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="needs chromium and chromedriver",
    ),
]


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,2000"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def complaints(browser):
    return [entry["message"] for entry in browser.get_log("browser")]


def asked_for(browser):
    """Return the addresses that the page asked for since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    urls = {event["params"]["request"]["url"] for event in sent}
    return {url for url in urls if not url.startswith(("data:", "blob:"))}


def until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.05)


def ready(browser):
    return browser.execute_script("return document.documentElement.dataset.ready") == "yes"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "week", beat_s=300.0)
    make_run(folder / "other", beat_s=300.0, seed=3, supply_c=25.0)
    return folder


def test_a_report_loads_alone_and_answers_to_a_zoom(browser, runs):
    path = write_report(Run.open(runs / "week"))
    assert path.stat().st_size < 5e6
    browser.get(path.as_uri())
    until(lambda: ready(browser))
    assert asked_for(browser) == {path.as_uri()}
    assert complaints(browser) == []
    shown = "return document.getElementById('c-pue').layout.xaxis.range.map(String).join()"
    before = browser.execute_script(shown)
    browser.execute_script(
        "Plotly.relayout(document.getElementById('c-power'),"
        "{'xaxis.range[0]': '2023-07-04 00:00', 'xaxis.range[1]': '2023-07-05 00:00'})"
    )
    until(lambda: browser.execute_script(shown) != before)
    assert complaints(browser) == []


def test_a_year_stays_light_and_comes_quickly(browser, tmp_path):
    run = make_run(tmp_path / "year", days=365.0, beat_s=60.0, interval_s=60.0)
    path = write_report(Run.open(run))
    assert path.stat().st_size < 10e6
    browser.get(path.as_uri())
    until(lambda: ready(browser))
    assert asked_for(browser) == {path.as_uri()}
    assert complaints(browser) == []


def test_a_comparison_sorts_and_draws_what_is_picked(browser, runs):
    path = write_page(compare([runs]), runs)
    browser.get(path.as_uri())
    until(lambda: ready(browser))
    assert asked_for(browser) == {path.as_uri()}
    first = "return document.querySelector('#designs tbody tr td').textContent"
    assert browser.execute_script(first) == "other"
    head = browser.find_elements("css selector", "#designs th")[0]
    head.click()
    head.click()
    assert browser.execute_script(first) == "week"
    axis = "return document.getElementById('trade-off').layout.yaxis.title.text"
    browser.execute_script(
        "const y = document.getElementById('y');"
        "y.value = 'pue'; y.dispatchEvent(new Event('change'))"
    )
    assert browser.execute_script(axis) == "PUE"
    assert complaints(browser) == []


def test_the_dashboard_shows_runs_and_asks_only_this_machine(browser, runs):
    pytest.importorskip("dash_ag_grid", reason="the extra `dash` is not installed")
    port = 8059
    code = "import sys; from twin.cli import dash; sys.exit(dash(sys.argv[1:]))"
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(runs), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        server.stdout.readline()
        until(lambda: opened(browser, f"http://127.0.0.1:{port}/"))
        until(lambda: browser.find_elements("css selector", "#trade-off .plot-container"))
        until(lambda: browser.find_elements("css selector", ".ag-row .ag-checkbox-input"))
        box = browser.find_elements("css selector", ".ag-row .ag-checkbox-input")[0]
        browser.execute_script("arguments[0].click()", box)
        until(lambda: browser.find_elements("css selector", "#over-time .scatterlayer .trace"))
        assert all(url.startswith(f"http://127.0.0.1:{port}/") for url in asked_for(browser))
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert severe == []
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def opened(browser, url):
    from selenium.common.exceptions import WebDriverException

    try:
        browser.get(url)
    except WebDriverException:
        return False
    return bool(browser.title)
