"""``compare.html``: many designs on one page, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from twin.files import write_text
from twin.results.compare import MOST_VARIED, Comparison, Entry
from twin.results.page import document, pictures, script, to_know
from twin.results.quantity import in_own_unit, quantity, spoken
from twin.schema import PUE_BOUNDARY, SUMMARY

FIRST_X, FIRST_Y = "cost_per_gpu_hour", "carbon_t"
"""Figures of the chart when the page opens, where they are known."""
MOST_ROWS = 2000
PICTURES = (
    ("pareto", "Trade-off"),
    ("tornado_pue", "What moves the PUE"),
    ("tornado_cost_per_gpu_hour", "What moves the cost"),
    ("parallel", "All designs at once"),
    ("costs", "What it is paid for"),
    ("waterfall", "From the design that draws most to the one that draws least"),
    ("compare", "Figure by figure"),
)
"""Pictures that stand in the folder, and their heads."""


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write ``compare.html`` into *folder*, with the pictures that stand there."""
    return write_text(folder / "compare.html", page(comparison, folder))


def page(comparison: Comparison, folder: Path) -> str:
    """Return the whole page."""
    sections = [_head(comparison), _chart(), _table(comparison), _said(comparison)]
    sections += [_picture(folder, name, head) for name, head in PICTURES]
    sections.append(script("compare.js", _meta(comparison)))
    return document(f"{len(comparison.entries)} designs: datacenter twin", sections)


def _head(comparison: Comparison) -> str:
    varied = ", ".join(comparison.telling[:MOST_VARIED]) or "nothing"
    return (
        f"<h1>{len(comparison.entries)} designs side by side</h1>"
        f'<p class="question">What differs: {escape(varied)}</p>'
        f'<p class="note">{escape(PUE_BOUNDARY)}</p>'
    )


def _chart() -> str:
    return (
        '<h2>Two figures against each other</h2><p class="no-print">'
        '<label>across <select id="x"></select></label> '
        '<label>up <select id="y"></select></label> '
        '<label>coloured by <select id="by"></select></label></p>'
        '<p class="soft no-print" id="status">Unpacking the chart …</p>'
        '<div class="chart tall" id="trade-off"></div>'
    )


def _table(comparison: Comparison) -> str:
    """Return all designs, the best of each figure marked."""
    metrics = comparison.metrics()
    keys = comparison.telling[:MOST_VARIED]
    best = {metric: comparison.best(metric) for metric in metrics}
    head = "".join(f"<th>{escape(name)}</th>" for name in ["run", *keys])
    head += "".join(f'<th class="number">{escape(SUMMARY[name].label)}</th>' for name in metrics)
    rows = []
    for k, entry in enumerate(comparison.entries[:MOST_ROWS]):
        cells = [_run(entry)]
        cells += [f"<td>{escape(comparison.setting(entry, key))}</td>" for key in keys]
        cells += [_figure(entry, metric, k in best[metric]) for metric in metrics]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<h2>All designs</h2><p class="soft no-print">A click on a head sorts.</p>'
        f'<div class="wide"><table id="designs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _run(entry: Entry) -> str:
    report = entry.path / "report.html"
    name = escape(entry.name)
    if report.is_file():
        return f'<td><a href="{escape(report.resolve().as_uri())}">{name}</a></td>'
    return f"<td>{name}</td>"


def _figure(entry: Entry, metric: str, best: bool) -> str:
    value = entry.summary.get(metric)
    text = escape(quantity(value, SUMMARY[metric].unit, entry.summary.get("currency")))
    shown = f'<span class="pass">{text} ★</span>' if best else text
    return f'<td class="number" data-value="{"" if value is None else value}">{shown}</td>'


def _said(comparison: Comparison) -> str:
    """Say what must be known: designs without a result, and notes about runs."""
    sentences = [f"{path}: {why}" for path, why in comparison.failures]
    sentences += [
        f"{names[0]}{'' if len(names) == 1 else f' and {len(names) - 1} more'}: {note}"
        for note, names in comparison.notes().items()
    ]
    return to_know(sentences)


def _picture(folder: Path, name: str, head: str) -> str:
    path = folder / f"{name}.png"
    if not path.is_file():
        return ""
    return f"<h2>{head}</h2>{pictures(path)}"


def _meta(comparison: Comparison) -> dict[str, Any]:
    """Return what the chart is drawn from."""
    metrics = [
        name
        for name in SUMMARY
        if any(isinstance(e.summary.get(name), (int, float)) for e in comparison.entries)
    ]
    return {
        "names": [comparison.label(entry) for entry in comparison.entries],
        "figures": {name: _series(comparison, name) for name in metrics},
        "settings": {
            key: [comparison.setting(entry, key) for entry in comparison.entries]
            for key in comparison.telling[:MOST_VARIED]
        },
        "x": _first(metrics, FIRST_X, 0),
        "y": _first(metrics, FIRST_Y, 1),
    }


def _series(comparison: Comparison, metric: str) -> dict[str, Any]:
    key = SUMMARY[metric]
    currencies = {str(entry.summary.get("currency")) for entry in comparison.entries}
    unit = spoken(key.unit, "/".join(sorted(currencies)))
    return {
        "label": key.label,
        "axis": key.label if unit in {"-", ""} else f"{key.label} [{unit}]",
        "better": key.better,
        "values": [in_own_unit(e.summary.get(metric), key.unit) for e in comparison.entries],
    }


def _first(metrics: Sequence[str], wanted: str, otherwise: int) -> str:
    return wanted if wanted in metrics else metrics[min(otherwise, len(metrics) - 1)]
