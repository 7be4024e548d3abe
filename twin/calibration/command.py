"""``twin-calibrate``: telemetry in, a choice of ``conf/gpu`` out that says where it is from."""

from __future__ import annotations

import argparse
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twin import __version__
from twin.__main__ import guarded
from twin.calibration.fit import Errors, Fit, fit
from twin.calibration.telemetry import Readings, Telemetry, read_telemetry
from twin.config import parse
from twin.errors import ConfigError, suggest
from twin.gpu.air_server import AirServer
from twin.settings import catalogue
from twin.settings.arguments import Arguments

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
EPILOG = """\
What is fitted depends on what the telemetry holds:
  gpu      power of a GPU against its activity    -> gpu_idle_w, gpu_max_w, activity_exponent
  server   power of a server against its GPUs'    -> host_idle_w, host_busy_w, and
           (or idle and busy phases)                 psu_efficiency where its output was read
  caps     speed and power at power limits        -> speed_at_power
A part of the readings is kept from the fit; the errors on it say what the fit is worth.

Examples:
  twin-calibrate --list
  twin-calibrate cornell_h100 cbsugpu08_usage_stats.txt.gz --name my_h100
  twin-calibrate smc_h100 power_dev.csv.gz --events events_dev.csv
  twin gpu=my_h100            finds ./conf/gpu/my_h100.yaml from the folder it was written in

A format of your own is a YAML file like those in conf/telemetry; give its path as FORMAT.
Exit status: 0 done, 1 failed, 2 wrong use, format or file.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit a server to telemetry and write it down."""
    parser = Arguments(
        prog="twin-calibrate",
        description="Fit the power of a GPU server to telemetry; write a choice of conf/gpu.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("format", metavar="FORMAT", nargs="?", help="name of a format, or its YAML")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="*", help="telemetry, or .gz")
    parser.add_argument("--list", action="store_true", help="list the formats there are")
    parser.add_argument("--events", metavar="FILE", type=Path, help="when runs begin and end")
    parser.add_argument("--base", metavar="GPU", help="start from this choice of conf/gpu")
    parser.add_argument("--name", metavar="NAME", help="what to call it (default: FORMAT_fitted)")
    parser.add_argument(
        "--to", metavar="DIR", type=Path, default=Path("conf", "gpu"), help="default: ./conf/gpu"
    )
    parser.add_argument(
        "--hold-out", metavar="SHARE", type=float, default=0.3, help="kept to test on; default 0.3"
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="of the server, repeatable"
    )
    return guarded(lambda: _calibrate(parser.parse_args(arguments)))


def _calibrate(options: argparse.Namespace) -> int:
    from twin.show import place, say

    if options.list:
        say(_listing())
        return 0
    if options.format is None or not options.files:
        raise ConfigError("FORMAT and FILE: are required; --help explains, --list lists formats")
    if not 0.0 < options.hold_out < 1.0:
        raise ConfigError(f"--hold-out {options.hold_out:g}: must be > 0 and < 1")
    name = options.name or f"{Path(options.format).stem}_fitted"
    _check_name(name)
    telemetry = find_format(options.format)
    base = options.base or telemetry.base
    values = {**base_values(base), **telemetry.set, **_settings(options.set)}
    server = parse(AirServer, values, "gpu")
    readings = read_telemetry(telemetry, options.files, options.events, server)
    found = fit(server, readings, telemetry, options.hold_out)
    because = dict.fromkeys(values, f"as gpu={base}")
    because |= dict.fromkeys(telemetry.set, f"of the server measured, format {options.format}")
    because |= dict.fromkeys(_settings(options.set), "given with --set")
    path = options.to / f"{name}.yaml"
    write(found, values, because, path, _story(options, telemetry, readings, found))
    _tell(found, readings)
    say(f"Written to {place(path)}")
    if options.to.resolve() == Path("conf", "gpu").resolve():
        say(f"From this folder: twin gpu={name}")
    return 0


# ---- what goes in ----


def formats() -> dict[str, Path]:
    """Return the formats that come with the twin, by name."""
    folder = catalogue.data_dir("conf") / "telemetry"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_format(name: str) -> Telemetry:
    """Return the format of this *name*, or in the YAML file at this path."""
    import yaml  # type: ignore[import-untyped]

    known, path = formats(), Path(name).expanduser()
    if name in known:
        path = known[name]
    elif path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{name}: no such format; {suggest(name, known)}, or the path of a YAML")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}:1: must be a mapping of keys")
    return parse(Telemetry, content, str(path))


def base_values(name: str) -> dict[str, Any]:
    """Return the values of a choice of ``conf/gpu``, without its kind."""
    from twin.settings import compose

    values = dict(compose.load([f"gpu={name}"])["gpu"])
    kind = values.pop("kind")
    if kind != "air_server.AirServer":
        raise ConfigError(f"gpu={name}: kind={kind}: must be air_server.AirServer to be fitted")
    return values


def _settings(words: Sequence[str]) -> dict[str, Any]:
    import yaml

    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"--set {word}: must be KEY=VALUE")
        found[key] = yaml.safe_load(value)
    return found


def _check_name(name: str) -> None:
    if not NAME.match(name):
        raise ConfigError(f"--name {name}: must be letters, digits, '_', '-' and '.'")
    if (catalogue.data_dir("conf") / "gpu" / f"{name}.yaml").is_file():
        raise ConfigError(f"--name {name}: is a choice that comes with the twin; take another")


def _listing() -> str:
    lines = []
    for name, path in formats().items():
        about = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"{name:18} {about}")
    return "\n".join(lines)


# ---- what comes out ----


def write(
    found: Fit,
    values: Mapping[str, Any],
    because: Mapping[str, str],
    path: Path,
    story: Sequence[str],
) -> None:
    """Write the fitted server to *path*: *values*, each *because* of something, and what fits.

    Raises
    ------
    ConfigError
        If the fitted server would draw more than its nameplate, or cannot be written.
    """
    why = dict(because)
    out = dict(values)
    out["name"] = f"{values['name']} ({path.stem})"
    for key in ("psu_efficiency", "throttle_power_fraction"):
        new = _plain(getattr(found.server, key))
        if new != _plain(values[key]):
            out[key], why[key] = new, "as measured"
    for one in found.parameters:
        key, point, _ = one.key.partition("[")
        out[key] = _plain(getattr(found.server, key))
        bound = "; stopped by its bound" if one.at_bound else ""
        why[key] = f"fitted, 95 % confidence {one.low:.4g} to {one.high:.4g}{bound}"
        if point:
            why[key] = "fitted"
    parse(AirServer, out, f"{path}: gpu")
    lines = [f"# {line}" for line in story] + ["kind: air_server.AirServer"]
    lines += [f"{key}: {_yaml(value)}  # {why[key]}" for key, value in out.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value


def _yaml(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("...").strip()


def _story(
    options: argparse.Namespace, telemetry: Telemetry, readings: Readings, found: Fit
) -> list[str]:
    """Return the lines that say what was fitted on what, where it holds, and how well."""
    paths = [*options.files, *([options.events] if options.events else [])]
    x, y = found.x_range, found.y_range
    x_of, y_of = {
        "gpu": ("activity", "GPU power in W"),
        "server": ("GPU power in W", "server power in W"),
        "caps": ("power over uncapped", "speed over uncapped"),
    }[telemetry.measures]
    lines = [f"Fitted to telemetry by twin-calibrate {__version__}, format {options.format}."]
    lines += [f"from {path.name}, sha256 {_sha256(path)}" for path in paths]
    for report in readings.reports:
        lines.append(f"{Path(report.path).name}: {report.read} rows read, {report.used} used")
        lines += [f"  {note}" for note in report.notes]
    lines += [
        f"fitted to {found.fitted.points} readings: {_words(found.fitted)}",
        f"held out by {telemetry.hold_out}, {found.held_out.points} readings: "
        f"{_words(found.held_out)}",
        f"valid for {x_of} {x[0]:.4g} to {x[1]:.4g}, {y_of} {y[0]:.4g} to {y[1]:.4g}",
    ]
    if span := readings.span():
        lines.append(f"taken {span}")
    if telemetry.phases is not None:
        share = telemetry.phases.gpu_fraction
        lines.append(f"assumed: at work, GPUs draw {share:g} of their largest power")
    return lines + found.notes


def _words(one: Errors) -> str:
    return f"bias {100 * one.bias:+.2f} %, CV(RMSE) {100 * one.cv_rmse:.2f} %"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tell(found: Fit, readings: Readings) -> None:
    from rich.table import Table

    from twin import show

    table = Table(box=None, pad_edge=False)
    for head in ("parameter", "before", "fitted", "95 % confidence", ""):
        table.add_column(head, justify="left" if head in ("parameter", "") else "right")
    for one in found.parameters:
        width = "-" if math.isclose(one.low, one.high) else f"{one.low:.4g} to {one.high:.4g}"
        stop = "stopped by its bound" if one.at_bound else ""
        table.add_row(one.key, f"{one.before:.4g}", f"{one.value:.4g}", width, stop)
    show.say(table)
    table = Table(box=None, pad_edge=False)
    for head in ("", "readings", "bias", "CV(RMSE)"):
        table.add_column(head, justify="left" if not head else "right")
    for name, error in (("fitted to", found.fitted), ("held out", found.held_out)):
        table.add_row(
            name, f"{error.points:,}", f"{100 * error.bias:+.2f} %", f"{100 * error.cv_rmse:.2f} %"
        )
    show.say(table)
    for report in readings.reports:
        show.say(
            f"{show.place(Path(report.path))}: {report.read:,} rows read, {report.used:,} used"
        )
        for note in report.notes:
            show.say(f"  {note}")
    for note in found.notes:
        show.say(note)
    if any(one.at_bound for one in found.parameters):
        show.complain("a parameter stands at its bound: the telemetry does not fit this server")
