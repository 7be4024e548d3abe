"""The report of several runs that differ in chance alone: figures with their intervals."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from twin.results.quantity import quantity
from twin.schema import GROUPS, PUE_BOUNDARY, SCORECARD, SUMMARY

_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{css}</style>
</head>
<body>
{body}
</body>
</html>
"""


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
    body = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="question">{escape(str(scenario.get("question", "")))}</p>',
        f'<p class="soft">{len(rows)} replications that differ in chance alone: means with '
        "95 % confidence intervals (Student's t), and the range of the replications.</p>",
        _image(picture),
        "<h2>Scorecard</h2>",
        *(_group(group, rows, summary) for group in GROUPS),
        f'<p class="note">{escape(PUE_BOUNDARY)}</p>',
        "<h2>Replications</h2>",
        _links(folder, len(rows)),
    ]
    page = _DOCUMENT.format(
        title=escape(f"{name}: replications"),
        css=(files("twin.results.page") / "report.css").read_text(encoding="utf-8"),
        body="\n".join(part for part in body if part),
    )
    path = folder / "report.html"
    part = folder / "report.html.part"
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def _image(picture: Path | None) -> str:
    if picture is None:
        return ""
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    return (
        '<div class="pictures"><img alt="Each replication, their mean and its interval" '
        f'src="data:image/png;base64,{data}"></div>'
    )


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
