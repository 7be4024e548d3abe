"""The page answers under its own name only, and shows what the library holds."""

import pytest

from tests.support.synthetic_run import make_run
from twin.dashboard.launch import Launcher
from twin.dashboard.library import Library

pytest.importorskip("dash", reason="the extra `dash` is not installed")
pytest.importorskip("dash_ag_grid", reason="the extra `dash` is not installed")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    from twin.dashboard.app import build

    folder = tmp_path_factory.mktemp("runs")
    run = make_run(folder / "one", days=0.25, beat_s=300.0)
    make_run(folder / "two", days=0.25, beat_s=300.0, seed=2, supply_c=25.0)
    (run / "report.html").write_text("the report")
    return build(Library(folder), Launcher(folder)).server.test_client()


def test_reports_of_listed_runs_are_served(client):
    answer = client.get("/run/one/file/report.html", base_url="http://127.0.0.1:8050")
    assert answer.status_code == 200 and answer.data == b"the report"
    answer.close()


@pytest.mark.parametrize("path", ["/run/one/file/config.yaml", "/run/three/file/report.html"])
def test_nothing_else_is(client, path):
    assert client.get(path, base_url="http://127.0.0.1:8050").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example"])
def test_a_page_that_points_its_own_name_here_is_turned_away(client, host):
    assert client.get("/", base_url=f"http://{host}").status_code == 403


def test_the_layout_holds_every_run(client):
    answer = client.get("/_dash-layout", base_url="http://localhost:8050")
    assert answer.status_code == 200
    text = answer.get_data(as_text=True)
    assert '"one"' in text and '"two"' in text
