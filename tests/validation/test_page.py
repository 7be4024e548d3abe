"""The figure, page and table that ``twin-validate`` leaves behind."""

import math

import pytest

from twin.scenario import Published
from twin.validation import page as validation_page
from twin.validation.published import Checked


def row(value=100.0, kind="V", **more):
    bounds = more or {"relative": 0.1}
    return Published("V1", value, kind, "a <source>", metric="pue", note="because", **bounds)


@pytest.mark.parametrize(
    ("bounds", "got", "expected"),
    [
        ({"relative": 0.1}, 105.0, 0.5),
        ({"absolute": 4.0}, 98.0, -0.5),
        ({"factor": 4.0}, 200.0, 0.5),
        ({"factor": 4.0}, -1.0, -math.inf),
        ({"relative": 0.0}, 100.0, 0.0),
        ({"relative": 0.0}, 101.0, math.inf),
    ],
)
def test_an_error_is_measured_in_tolerances(bounds, got, expected):
    one = row(**bounds)
    assert validation_page.deviation(one, got) == pytest.approx(expected)
    assert one.passes(got) == (abs(expected) <= 1.0)


def test_no_figure_of_ours_is_no_error():
    assert math.isnan(validation_page.deviation(row(), None))


@pytest.fixture
def written(tmp_path):
    checked = [
        Checked("near", row(), 101.0),
        Checked("far", row(), 150.0),
        Checked("broken", row(), None, "did <not> run"),
        Checked("sums", row(kind="A"), 100.0),
    ]
    return {path.name: path for path in validation_page.write(checked, tmp_path)}


def test_figure_page_and_table_appear_whole(written, tmp_path):
    assert set(written) == {"validation.png", "validation.html", "validation.md"}
    assert written["validation.png"].read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))


def test_the_page_needs_no_network_and_says_why_a_row_is_off(written):
    page = written["validation.html"].read_text()
    assert "http" not in page
    assert page.count("<tr class=") == 2
    assert "did &lt;not&gt; run" in page
    assert "because" in page
    assert "<b>1 of 3</b><span>predicted (V)" in page
    assert "<b>1 of 1</b><span>arithmetic (A)" in page


def test_the_table_counts_kinds_apart_and_keeps_what_fails(written):
    text = written["validation.md"].read_text()
    assert "- V, predicted: 1 of 3 within tolerance" in text
    assert "| V1 | far | `pue` | 100 | 10 % | 150 | +50.0 % | V | **off** |" in text
    assert "- V1, broken, `pue`: did <not> run" in text
