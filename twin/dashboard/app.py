"""The page itself: a table of designs, two figures against each other, series, a new run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import dash_ag_grid
import numpy as np
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, callback_context, dcc, html, no_update
from flask import Response, abort, request, send_file

from twin.dashboard.launch import Launcher, Started
from twin.dashboard.library import Library
from twin.errors import TwinError
from twin.plot.style import start_of
from twin.results.explain import Sense, non_dominated
from twin.results.run_folder import Run
from twin.schema import SERIES, SUMMARY
from twin.settings import catalogue

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C6BB1", "#9AA0A6")
FIRST = ("cost_per_gpu_hour", "carbon_t")
MOST_LINES = len(COLOURS)
EVERY_MS = 1500
"""How often the page looks for news."""
PAGE = {"maxWidth": "1280px", "margin": "0 auto", "padding": "1rem", "fontFamily": "system-ui"}
ROW = {"display": "flex", "gap": "1rem", "alignItems": "center", "margin": ".5rem 0"}
WRAPPED = {"whiteSpace": "pre-wrap"}
SOFT = {"color": "#646b76"}
SHORT_NUMBER = "params.value == null ? '–' : d3.format('.4~g')(params.value)"
LOCAL = ("127.0.0.1", "localhost", "[::1]")


def build(library: Library, launcher: Launcher, hosts: Sequence[str] = LOCAL) -> Dash:
    """Return the page over *library*; it answers only to the names in *hosts*.

    Whoever asks under another name is turned away, so that a page elsewhere cannot
    reach this one through a name of its own that it points here.
    """
    app = Dash("twin", title="datacenter twin", update_title="")  # its own files, no network
    library.refresh()
    app.layout = lambda: _layout(library)
    _routes(app, library, hosts)
    _table(app, library)
    _trade_off(app, library)
    _over_time(app, library)
    _new_run(app, launcher)
    return app


# ---- layout ----------------------------------------------------------------------


def _layout(library: Library) -> html.Div:
    """Return the page as it opens."""
    columns = [{"label": f"{n} [{key.unit}]", "value": n} for n, key in SERIES.items()][1:]
    return html.Div(
        style=PAGE,
        children=[
            html.H2("Datacenter twin"),
            html.P(f"Finished runs below {library.folder.resolve()}", style=SOFT),
            dash_ag_grid.AgGrid(
                id="runs",
                rowData=_rows(library),
                columnDefs=_columns(library),
                defaultColDef={"filter": True, "sortable": True, "resizable": True},
                dashGridOptions={"rowSelection": {"mode": "multiRow"}, "animateRows": False},
                style={"height": "340px"},
            ),
            html.P(
                "Tick runs to see them over time; filters apply to the chart below.", style=SOFT
            ),
            html.Div(id="reports", style=ROW),
            html.H3("Two figures against each other"),
            html.Div(style=ROW, children=_axes(library)),
            dcc.Graph(id="trade-off", config={"displayModeBar": False}),
            html.H3("Over time"),
            html.Div(style=ROW, children=[_pick("column", columns, "facility_power_w")]),
            dcc.Graph(id="over-time", config={"displayModeBar": False}),
            html.H3("A new run"),
            html.Div(style=ROW, children=_form()),
            html.P(id="question", style=SOFT),
            html.Pre(id="answer", style=WRAPPED),
            html.Div(id="going"),
            dcc.Interval(id="clock", interval=EVERY_MS),
        ],
    )


def _axes(library: Library) -> list[html.Label]:
    """Return the choices of what the trade-off shows."""
    figures = [{"label": library.label(name), "value": name} for name in library.figures()]
    first = [name for name in FIRST if name in library.figures()] or library.figures()[:1]
    return [
        _pick("across", figures, first[0] if first else None),
        _pick("up", figures, first[-1] if first else None),
        _pick("by", [{"label": k, "value": k} for k in library.settings()], None),
    ]


def _form() -> list[Any]:
    """Return what a new run is started with."""
    scenarios = [{"label": name, "value": name} for name in catalogue.scenario_files()]
    changes = dcc.Textarea(
        id="changes",
        placeholder="one change a line, such as\ncooling=rear_door\nclock.duration_days=2",
        style={"width": "360px", "height": "90px"},
    )
    return [_pick("scenario", scenarios, "mana_oasis"), changes, html.Button("Start", id="start")]


def _pick(name: str, options: list[dict[str, str]], value: str | None) -> html.Label:
    """Return a labelled choice."""
    return html.Label(
        [name, dcc.Dropdown(id=name, options=options, value=value, style={"width": "320px"})]
    )


def _columns(library: Library) -> list[dict[str, Any]]:
    head: list[dict[str, Any]] = [{"field": "run", "headerName": "run", "pinned": "left"}]
    head += [{"field": key, "headerName": key} for key in map(_field, library.settings())]
    return head + [
        {
            "field": name,
            "headerName": library.label(name),
            "headerTooltip": SUMMARY[name].formula,
            "filter": "agNumberColumnFilter",
            "valueFormatter": {"function": SHORT_NUMBER},
        }
        for name in library.figures()
    ]


def _field(key: str) -> str:
    """Return the name of a setting's column; a dot would mean a nested record to the grid."""
    return key.replace(".", "\u2024")


# ---- what the page is asked ----------------------------------------------------------


def _routes(app: Dash, library: Library, hosts: Sequence[str]) -> None:
    """Serve reports and pictures of listed runs, to our own page only."""

    @app.server.before_request
    def only_here() -> None:
        if request.host.rsplit(":", 1)[0] not in hosts:
            abort(403, "this page answers only under its own name")

    @app.server.route("/run/<path:name>/file/<path:inside>")
    def file(name: str, inside: str) -> Response:
        try:
            return send_file(library.file(name, inside).resolve())
        except TwinError as error:
            abort(404, str(error))


def _table(app: Dash, library: Library) -> None:
    @app.callback(
        Output("runs", "rowData"),
        Output("runs", "columnDefs"),
        Output("across", "options"),
        Output("up", "options"),
        Output("by", "options"),
        Input("clock", "n_intervals"),
        prevent_initial_call=True,
    )
    def look_again(_: int) -> Any:
        if not library.refresh():
            return [no_update] * 5
        figures = [{"label": library.label(name), "value": name} for name in library.figures()]
        settings = [{"label": key, "value": key} for key in library.settings()]
        return _rows(library), _columns(library), figures, figures, settings

    @app.callback(Output("reports", "children"), Input("runs", "selectedRows"))
    def reports(chosen: list[dict[str, Any]] | None) -> list[html.A]:
        names = [row["run"] for row in chosen or []]
        return [
            html.A(
                f"report of {name}", href=f"/run/{quote(name)}/file/report.html", target="_blank"
            )
            for name in names[:MOST_LINES]
            if (library.path(name) / "report.html").is_file()
        ]


def _rows(library: Library) -> list[dict[str, Any]]:
    return [{_field(key): value for key, value in row.items()} for row in library.rows()]


def _trade_off(app: Dash, library: Library) -> None:
    @app.callback(
        Output("trade-off", "figure"),
        Input("runs", "virtualRowData"),
        Input("across", "value"),
        Input("up", "value"),
        Input("by", "value"),
    )
    def draw(
        rows: list[dict[str, Any]] | None, across: str | None, up: str | None, by: str | None
    ) -> go.Figure:
        shown = _rows(library) if rows is None else rows
        figure = _blank()
        if not shown or across is None or up is None:
            return figure
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in shown:
            groups.setdefault("" if by is None else str(row.get(_field(by))), []).append(row)
        for (name, mine), colour in zip(groups.items(), COLOURS * len(groups), strict=False):
            figure.add_scatter(
                x=[row.get(across) for row in mine],
                y=[row.get(up) for row in mine],
                text=[row["run"] for row in mine],
                name=name or "designs",
                mode="markers",
                marker={"size": 9, "color": colour},
                hovertemplate="%{text}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>",
            )
        if across != up:
            best = _front(shown, across, up)
            figure.add_scatter(
                x=[row[across] for row in best],
                y=[row[up] for row in best],
                name="beaten by none",
                mode="lines",
                hoverinfo="skip",
                line={"color": "#D55E00", "dash": "dot"},
            )
        figure.update_layout(
            xaxis_title=library.label(across),
            yaxis_title=library.label(up),
            showlegend=len(figure.data) > 1,
        )
        return figure


def _front(rows: list[dict[str, Any]], across: str, up: str) -> list[dict[str, Any]]:
    """Return the rows that no other beats in both figures, from left to right."""
    values = np.array([[row.get(across), row.get(up)] for row in rows], dtype=float)
    senses: list[Sense] = [
        "higher" if SUMMARY[name].better == "higher" else "lower" for name in (across, up)
    ]
    best = [row for row, on in zip(rows, non_dominated(values, senses), strict=True) if on]
    return sorted(best, key=lambda row: float(row[across]))


def _over_time(app: Dash, library: Library) -> None:
    @app.callback(
        Output("over-time", "figure"),
        Input("runs", "selectedRows"),
        Input("column", "value"),
        Input("over-time", "relayoutData"),
    )
    def draw(
        chosen: list[dict[str, Any]] | None, column: str | None, view: dict[str, Any] | None
    ) -> Any:
        zoomed = callback_context.triggered_id == "over-time"
        if zoomed and not any(key.startswith("xaxis") for key in view or {}):
            return no_update
        figure = _blank()
        names = [row["run"] for row in chosen or []][:MOST_LINES]
        if not names or column is None:
            figure.update_layout(title="Tick runs in the table above.", height=90)
            figure.update_xaxes(visible=False)
            figure.update_yaxes(visible=False)
            return figure
        origin = start_of(Run.open(library.path(names[0]))) or datetime(1970, 1, 1)
        between_s = _view(view, origin) if zoomed else None
        for name, colour in zip(names, COLOURS, strict=False):
            line = library.line(name, column, between_s)
            at = [origin + timedelta(seconds=at_s) for at_s in line.at_s]
            edge = {"x": at, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
            figure.add_scatter(**edge, y=line.low, showlegend=False)
            figure.add_scatter(
                **edge, y=line.high, fill="tonexty", fillcolor=_pale(colour), showlegend=False
            )
            figure.add_scatter(
                x=at, y=line.mean, name=name, mode="lines", line={"color": colour, "width": 1.4}
            )
        figure.update_layout(yaxis_title=f"{column} [{SERIES[column].unit}]", showlegend=True)
        return figure


def _view(view: dict[str, Any] | None, origin: datetime) -> tuple[float, float] | None:
    """Return what part of the run a zoomed chart shows [s]; None for the whole."""
    ends = [(view or {}).get(f"xaxis.range[{k}]") for k in (0, 1)]
    if None in ends:
        return None
    at = [datetime.fromisoformat(str(end)[:26]) for end in ends]
    return (at[0] - origin).total_seconds(), (at[1] - origin).total_seconds()


def _new_run(app: Dash, launcher: Launcher) -> None:
    @app.callback(Output("question", "children"), Input("scenario", "value"))
    def question(scenario: str | None) -> str:
        path = catalogue.scenario_files().get(scenario or "")
        return "" if path is None else catalogue.question(path)

    @app.callback(
        Output("answer", "children"),
        Input("start", "n_clicks"),
        State("scenario", "value"),
        State("changes", "value"),
        prevent_initial_call=True,
    )
    def start(_: int, scenario: str | None, changes: str | None) -> str:
        try:
            return f"Started {launcher.start(scenario or '', changes or '').name}"
        except TwinError as error:
            return str(error)

    @app.callback(Output("going", "children"), Input("clock", "n_intervals"))
    def going(_: int | None) -> list[html.Div]:
        launcher.tidy()
        return [
            html.Div([html.Span(f"{one.name}: "), _state(one)], style={"margin": ".3rem 0"})
            for one in reversed(launcher.started)
        ]


def _state(one: Started) -> Any:
    """Return how far a run is, or how it ended."""
    state = one.state()
    if state == "running":
        return html.Progress(value=str(one.progress()), max="1")
    return html.Pre(state, style=WRAPPED)


def _blank() -> go.Figure:
    """Return an empty chart in our look."""
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white", height=420, margin={"l": 70, "r": 20, "t": 40, "b": 50}
    )
    return figure


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"
