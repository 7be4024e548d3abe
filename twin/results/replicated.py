"""The report of several runs that differ in chance alone: figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from twin.files import write_text
from twin.results.page import document, pictures
from twin.results.quantity import quantity
from twin.schema import GROUPS, PUE_BOUNDARY, SCORECARD, SUMMARY


def write_page(
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    scenario: Mapping[str, Any],
    folder: Path,
    picture: Path | None,
) -> Path:
    """Write ``report.html`` for replications into *folder* and return its path.

    Parameters
    ----------
    rows : sequence of mapping
        The summary of each replication.
    summary : mapping
        Means, and half-widths of their 95 % intervals as ``<key>_ci95``.
    scenario : mapping
        Its ``name`` and ``question``.
    folder : Path
        Where the folders of the replications are.
    picture : Path or None
        A PNG to show.
    """
    name = str(scenario.get("name", folder.name))
    sections = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="question">{escape(str(scenario.get("question", "")))}</p>',
        f'<p class="soft">{len(rows)} replications that differ in chance alone: means with '
        "95 % confidence intervals (Student's t), and the range of the replications.</p>",
        pictures(picture, alt="Each replication, their mean and its interval") if picture else "",
        "<h2>Scorecard</h2>",
        *(_group(group, rows, summary) for group in GROUPS),
        f'<p class="note">{escape(PUE_BOUNDARY)}</p>',
        "<h2>Replications</h2>",
        _links(folder, len(rows)),
    ]
    return write_text(folder / "report.html", document(f"{name}: replications", sections))


def _group(group: str, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    lines = {
        key.label: _line(name, rows, summary)  # what stands there in two units is shown once
        for name, key in SCORECARD.items()
        if key.group == group and isinstance(summary.get(name), (int, float))
    }
    if not lines:
        return ""
    heads = "".join(
        f'<th class="number" style="width:16%">{name}</th>'
        for name in ("mean", "± 95 %", "lowest", "highest")
    )
    table = f"<table><tr><th></th>{heads}</tr>{''.join(lines.values())}</table>"
    return f'<h3>{escape(group)}</h3><div class="wide">{table}</div>'


def _line(name: str, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    key, currency = SUMMARY[name], summary.get("currency")
    values = [float(row[name]) for row in rows]
    shown = (summary[name], summary.get(f"{name}_ci95"), min(values), max(values))
    cells = "".join(
        f'<td class="number">{escape(quantity(value, key.unit, currency))}</td>' for value in shown
    )
    return f'<tr><td title="{escape(key.formula)}">{escape(key.label)}</td>{cells}</tr>'


def _links(folder: Path, number: int) -> str:
    names = [f"rep_{index:03d}" for index in range(number)]
    links = [
        f'<a href="{name}/report.html">{name}</a>'
        if (folder / name / "report.html").is_file()
        else name
        for name in names
    ]
    return f"<p>{' · '.join(links)}</p>"
