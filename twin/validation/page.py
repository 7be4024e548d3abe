"""What ``twin-validate`` leaves behind besides its CSV: a figure, a page, a table for documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from twin import __version__
from twin.files import write_text
from twin.plot.validation import Mark, draw
from twin.results.page import document, pictures
from twin.scenario import Published
from twin.validation.published import TYPES, Checked, tally

_HEAD = (
    "row",
    "type",
    "scenario",
    "figure",
    "published",
    "tolerance",
    "twin",
    "error",
    "",
    "source",
)


def deviation(row: Published, got: float | None) -> float:
    """Return our error over what is allowed: -1 to 1 within, NaN where there is no figure.

    An error where none is allowed is infinite.
    """
    if got is None or math.isnan(got):
        return math.nan
    if row.factor is not None:
        if got / row.value <= 0.0:
            return -math.inf
        return _over(math.log(got / row.value), math.log(row.factor))
    allowed = row.absolute
    if allowed is None:
        allowed = (row.relative or 0.0) * abs(row.value)
    return _over(got - row.value, allowed)


def _over(error: float, allowed: float) -> float:
    if error == 0.0:
        return 0.0
    return error / allowed if allowed > 0.0 else math.copysign(math.inf, error)


def write(checked: Sequence[Checked], folder: Path) -> list[Path]:
    """Write ``validation.png``, ``validation.html`` and ``validation.md``; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    marks = [
        Mark(f"{one.row.row} {one.scenario}", one.row.type, deviation(one.row, one.got))
        for one in checked
    ]
    picture = draw(marks, folder)
    page = write_text(folder / "validation.html", _page(checked, picture))
    return [picture, page, write_text(folder / "validation.md", markdown(checked))]


def _page(checked: Sequence[Checked], picture: Path) -> str:
    sections = [
        "<h1>Published outcomes against the twin</h1>",
        '<p class="question">Do the runs of this twin come out as the real systems did?</p>',
        f'<p class="soft">twin {__version__}. Arithmetic on its own inputs (A), calibrated on the '
        "row (C) and predicted (V) are counted apart: arithmetic must not flatter."
        "</p>",
        _cards(checked),
        pictures(picture, alt="error against tolerance"),
        _off(checked),
        "<h2>Every figure</h2>",
        _table(checked),
    ]
    return document("Validation: datacenter twin", sections)


def _cards(checked: Sequence[Checked]) -> str:
    cards = "".join(
        f'<div class="card"><b>{passed} of {total}</b><span>{TYPES[kind]} ({kind})</span></div>'
        for kind, (passed, total) in tally(checked).items()
        if total
    )
    return f'<div class="cards">{cards}</div>'


def _off(checked: Sequence[Checked]) -> str:
    """Say of every failing figure why, where that is known."""
    items = "".join(
        f"<li><b>{escape(one.row.row)}</b> {escape(one.scenario)}, "
        f"<code>{escape(one.row.figure())}</code>: published {_number(one.row.value)}, "
        f"twin {_number(one.got)}. {escape(one.problem or one.row.note or 'No reason is known.')}"
        "</li>"
        for one in checked
        if not one.passed
    )
    return f'<h2>Out of tolerance</h2><ul class="note warn">{items}</ul>' if items else ""


def _table(checked: Sequence[Checked]) -> str:
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    rows = []
    for one in checked:
        mark = '<span class="pass">within</span>' if one.passed else '<span class="fail">off</span>'
        row = one.row
        cells = (row.row, row.type, one.scenario, row.figure(), _number(row.value), row.allowed())
        plain = "".join(
            f"<td{' class=figure' if k == 3 else ''}>{escape(cell)}</td>"
            for k, cell in enumerate(cells)
        )
        ours = f"<td>{_number(one.got)}</td><td>{_percent(one)}</td><td>{mark}</td>"
        off = "" if one.passed else ' class="off"'
        rows.append(f"<tr{off}>{plain}{ours}<td>{escape(row.source)}</td></tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def markdown(checked: Sequence[Checked]) -> str:
    """Return the table as Markdown, one line a figure."""
    lines = ["# Published outcomes against the twin", ""]
    for kind, (passed, total) in tally(checked).items():
        if total:
            lines.append(f"- {kind}, {TYPES[kind]}: {passed} of {total} within tolerance")
    lines += ["", "Written by `twin-validate` into `outputs/validation/validation.md`.", ""]
    lines.append("| row | scenario | figure | published | tolerance | twin | error | type | |")
    lines.append("|---|---|---|---:|---|---:|---:|---|---|")
    for one in checked:
        row = one.row
        cells = (
            row.row, one.scenario, f"`{row.figure()}`", _number(row.value), row.allowed(),
            _number(one.got), _percent(one), row.type, "within" if one.passed else "**off**",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    noted = [one for one in checked if not one.passed]
    if noted:
        lines += ["", "Out of tolerance, and why:", ""]
    for one in noted:
        why = one.problem or one.row.note or "no reason is known"
        lines.append(f"- {one.row.row}, {one.scenario}, `{one.row.figure()}`: {why}")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(one: Checked) -> str:
    error = one.error_fraction
    return "-" if error is None else f"{round(100.0 * error, 1) + 0.0:+.1f} %"
