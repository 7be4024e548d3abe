"""``report.html``: one page that says what was run and what came out, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

from twin.errors import TwinError
from twin.files import write_text
from twin.results import pipeline_section
from twin.results.charts import Packed, pack
from twin.results.page import document, pictures, script, table, to_know
from twin.results.quantity import ABSENT, figure, not_modelled, quantity, scorecard
from twin.results.run_folder import Run, read_yaml
from twin.scenario import Published
from twin.schema import PUE_BOUNDARY, SUMMARY

HEADLINES = (
    "pue",
    "facility_energy_gwh",
    "it_power_mean_mw",
    "facility_power_peak_mw",
    "rack_density_p95_kw",
    "gpu_allocated_fraction",
    "goodput_fraction",
    "wait_p95_s",
    "cost_per_gpu_hour",
    "carbon_t",
    "water_m3",
    "free_cooling_fraction",
)
"""Figures on the cards at the top, where they apply."""
PICTURES = (
    ("Energy flow and rack density", ("energy_flow", "rack_density", "burst")),
    ("Load, weather and season", ("load_duration", "pue_map", "months", "electricity")),
    ("Feed and fabric", ("one_line", "fabric")),
    ("Jobs and services", ("gantt", "service", "shared_pool")),
)
"""Figures of ``plots/`` that no interactive chart repeats, by what they are about."""
MOST_EVENTS = 500
MOST_REFUSED = 20


def write_report(run: Run) -> Path:
    """Write ``report.html`` into the folder of *run* and return its path."""
    return write_text(run.path / "report.html", page(run))


def page(run: Run) -> str:
    """Return the whole page."""
    packed = pack(run)
    name = _scenario(run).get("name", run.path.name)
    sections = [
        _head(run),
        _cards(run),
        _scorecard(run),
        _boundary_and_nameplate(run),
        _published(run),
        pipeline_section.section(run),
        _charts(packed),
        *(_pictures(run, head, names) for head, names in PICTURES),
        _events(run),
        to_know(str(sentence) for sentence in [*run.notes, *run.info.get("warnings", [])]),
        _inputs(run),
        _provenance(run),
        script("report.js", packed.meta, packed.data),
    ]
    return document(f"{name}: datacenter twin", sections)


def _scenario(run: Run) -> dict[str, Any]:
    found = run.config().get("scenario")
    return found if isinstance(found, dict) else {}


# ---- sections ------------------------------------------------------------------


def _head(run: Run) -> str:
    config, scenario = run.config(), _scenario(run)
    facility, clock = config.get("facility", {}), config.get("clock", {})
    site = config.get("site", {})
    place = dict.fromkeys(site[key] for key in ("name", "province", "country") if key in site)
    facts = [
        facility.get("name"),
        ", ".join(place),
        f"{facility['gpus']:,} GPUs" if "gpus" in facility else None,
        f"{quantity(run.summary.get('simulated_days'), 'days')} from {clock.get('start', ABSENT)}",
        f"seed {run.info['seed']}" if "seed" in run.info else None,
    ]
    lines = [
        f"<h1>{escape(str(scenario.get('name', run.path.name)))}</h1>",
        f'<p class="question">{escape(str(scenario.get("question", "")))}</p>',
        f'<p class="soft">{escape(" · ".join(str(fact) for fact in facts if fact))}</p>',
    ]
    if run.info.get("command"):
        lines.append(f"<p><code>{escape(str(run.info['command']))}</code></p>")
    return "\n".join(lines)


def _cards(run: Run) -> str:
    currency = run.summary.get("currency")
    cards = []
    for name in HEADLINES:
        value = run.summary.get(name)
        if value is not None:
            key = SUMMARY[name]
            number, _, unit = quantity(value, key.unit, currency).partition(" ")
            cards.append(
                f'<div class="card" title="{escape(key.formula)}">'
                f"<b>{escape(number)} <small>{escape(unit)}</small></b>"
                f"<span>{escape(key.label)}</span></div>"
            )
    return f'<div class="cards">{"".join(cards)}</div>'


def _scorecard(run: Run) -> str:
    groups = []
    for head, rows in scorecard(run.summary).items():
        lines = "".join(
            f'<tr><td title="{escape(SUMMARY[name].formula)} ({escape(SUMMARY[name].reference)})">'
            f"{escape(label)}</td><td>{escape(value)}</td></tr>"
            for name, label, value in rows
        )
        groups.append(f'<div class="group"><h3>{escape(head)}</h3><table>{lines}</table></div>')
    missing = not_modelled(run.summary)
    note = ""
    if missing:
        names = escape("; ".join(missing))
        note = '<p class="soft">Without a value in this run, not modelled or never the case: '
        note += f"{names}.</p>"
    hover = '<p class="soft no-print">Rest on a name to read its formula and source.</p>'
    return f'<h2>Scorecard</h2>{hover}<div class="groups">{"".join(groups)}</div>{note}'


def _boundary_and_nameplate(run: Run) -> str:
    plate = run.summary.get("nameplate_energy_gwh")
    it, facility = run.summary.get("it_energy_kwh"), run.summary.get("facility_energy_kwh")
    boundary = f'<p class="note">{escape(PUE_BOUNDARY)}</p>'
    if not plate or it is None or facility is None:
        return boundary
    rows = (
        ("IT at its plate rating", "plate", plate * 1e6),
        ("IT as simulated", "it", it),
        ("whole facility as simulated", "all", facility),
    )
    longest = max(energy for _, _, energy in rows)
    bars = "".join(
        f"<span>{label}: {quantity(energy, 'kWh')}</span>"
        f'<div class="bar {kind}" style="width:{100.0 * energy / longest:.1f}%"></div>'
        for label, kind, energy in rows
    )
    text = f"The IT drew {100.0 * it / (plate * 1e6):.0f} % of what its plates say."
    return (
        f'{boundary}<h2>Plate rating and simulation</h2><p>{text}</p><div class="bars">{bars}</div>'
    )


def _published(run: Run) -> str:
    rows = _published_rows(_scenario(run).get("published") or [])
    here, elsewhere = [], []
    for row in rows:
        got = None if row.metric is None or row.overrides else run.summary.get(row.metric)
        cells = [row.row, row.figure(), figure(row.value, 4), row.allowed()]
        if isinstance(got, (int, float)):
            error = f"{100.0 * (got - row.value) / row.value:+.1f} %" if row.value else ""
            cells += [figure(float(got), 4), error]
            verdict = _VERDICTS[row.passes(float(got))]
            here.append([*map(escape, cells), verdict, escape(row.source)])
        else:
            elsewhere.append([*map(escape, cells), escape(row.source)])
    parts = ["<h2>Against the published outcome</h2>"] if rows else []
    if here:
        parts += [
            '<p class="soft">Published figures hold for the scenario as it stands; where something '
            "was overridden they are only a reference.</p>",
            table((*_PUBLISHED, "this run", "error", "", "source"), here),
        ]
    if elsewhere:
        number = f"{len(elsewhere)} published figure{'s' if len(elsewhere) > 1 else ''}"
        parts.append(
            f"<details><summary>{number} that this run alone cannot tell: twin-validate "
            f"{escape(str(_scenario(run).get('name', '')))}</summary>"
            f"{table((*_PUBLISHED, 'source'), elsewhere)}</details>"
        )
    return "".join(parts)


_PUBLISHED = ("row", "figure", "published", "tolerance")
_VERDICTS = {True: '<span class="pass">within</span>', False: '<span class="fail">off</span>'}


def _published_rows(noted: Any) -> list[Published]:
    """Return the published figures of a configuration, but for those of another version."""
    rows = []
    for row in noted if isinstance(noted, list) else []:
        with suppress(TwinError, TypeError):
            rows.append(Published(**row))
    return rows


def _charts(packed: Packed) -> str:
    places = "".join(
        f'<div class="chart{" tall" if chart["stacked"] else ""}" id="{chart["id"]}"></div>'
        for chart in packed.meta["charts"]
    )
    return (
        '<h2>Over time</h2><p class="soft no-print" id="status">Unpacking the charts …</p>'
        "<noscript><p>The charts need JavaScript; the pictures in plots/ show the same.</p>"
        f'</noscript><div class="charts">{places}</div>'
    )


def _pictures(run: Run, head: str, names: Sequence[str]) -> str:
    shown = _drawn(run, *names)
    return f"<h2>{head}</h2>{shown}" if shown else ""


def _drawn(run: Run, *names: str) -> str:
    """Return those figures of the run that were drawn."""
    paths = [run.path / "plots" / f"{name}.png" for name in names]
    return pictures(*(path for path in paths if path.is_file()))


def _events(run: Run) -> str:
    events = run.events()
    number = len(events["at_s"])
    if number == 0:
        return "<h2>Events</h2><p>Nothing tripped, failed, throttled or was shed.</p>"
    words = ("kind", "where", "detail")
    rows = [
        [_instant(run, float(at)), *(escape(str(events[column][k])) for column in words)]
        for k, at in enumerate(events["at_s"][:MOST_EVENTS])
    ]
    more = ""
    if number > MOST_EVENTS:
        more = f'<p class="soft">The first {MOST_EVENTS}; all are in events.parquet.</p>'
    story = _drawn(run, "fault_story")
    return f"<h2>Events ({number:,})</h2>{story}{table(('time', *words), rows)}{more}"


def _instant(run: Run, at_s: float) -> str:
    from datetime import timedelta

    from twin.plot.style import start_of

    start = start_of(run)
    if start is None:
        return f"{figure(at_s)} s"
    return f"{start + timedelta(seconds=at_s):%Y-%m-%d %H:%M:%S}"


def _inputs(run: Run) -> str:
    """Say what was read from files, and which rows could not be used."""
    lines = []
    if run.info.get("weather"):
        lines.append(f"<p>Weather: {escape(str(run.info['weather']))}</p>")
    report = run.info.get("workload")
    if isinstance(report, dict):
        used, read = report.get("used", 0), report.get("read", 0)
        lines.append(
            f"<p>Jobs: <code>{escape(str(report.get('path', '')))}</code>, {read:,} rows read, "
            f"{used:,} used, {report.get('refused_count', 0):,} refused.</p>"
        )
        refused = report.get("refused") or []
        items = "".join(f"<li>{escape(str(why))}</li>" for why in refused[:MOST_REFUSED])
        lines.append(f"<ul>{items}</ul>" if items else "")
    return f"<h2>Inputs</h2>{''.join(lines)}" if lines else ""


def _provenance(run: Run) -> str:
    info = run.info
    packages = ", ".join(f"{name} {v}" for name, v in info.get("packages", {}).items())
    wall, cpu = quantity(info.get("wall_s"), "s"), quantity(info.get("cpu_s"), "s")
    rows = [
        ("twin", f"{info.get('twin', ABSENT)}, commit {info.get('git') or ABSENT}"),
        ("Python", f"{info.get('python', ABSENT)} on {info.get('machine', ABSENT)}"),
        ("packages", packages or ABSENT),
        ("simulated in", f"{wall} wall, {cpu} CPU"),
        ("events processed", f"{info.get('events', 0):,}"),
    ]
    rows += [(f"choice: {group}", name) for group, name in sorted(choices(run).items())]
    made = table(("", ""), [[escape(str(a)), escape(str(b))] for a, b in rows])
    changed = "".join(f"<li><code>{escape(word)}</code></li>" for word in overrides(run))
    config = run.path / "config.yaml"
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    return (
        "<h2>How it was made</h2>"
        + (f"<p>Said on the command line:</p><ul>{changed}</ul>" if changed else "")
        + made
        + "<p>The source of each number stands as a comment beside it in the file of its choice, "
        "conf/&lt;group&gt;/&lt;name&gt;.yaml.</p>"
        + f"<details><summary>The whole configuration</summary><pre>{escape(text)}</pre></details>"
    )


def choices(run: Run) -> dict[str, str]:
    """Return which file was chosen for each group of the configuration, where Hydra noted it."""
    path = run.path / ".hydra" / "hydra.yaml"
    if not path.is_file():
        return {}
    noted = read_yaml(path)
    found = ((noted or {}).get("hydra") or {}).get("runtime", {}).get("choices", {})
    return {
        str(group): str(name) for group, name in found.items() if not str(group).startswith("hydra")
    }


def overrides(run: Run) -> list[str]:
    """Return what the user changed, as typed."""
    path = run.path / ".hydra" / "overrides.yaml"
    words = read_yaml(path) if path.is_file() else []
    return [str(word).lstrip("+") for word in words or []]
