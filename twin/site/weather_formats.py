"""Which format a weather file has; each has a file of its own, from text to WeatherFile."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from twin.errors import InputFileError
from twin.site import china_hourly, epw, open_meteo
from twin.site.weather_file import WeatherFile


def read_weather_file(path: str) -> WeatherFile:
    """Read a weather file of any known format, plain or gzipped.

    Raises
    ------
    InputFileError
        If it is missing, of no known format, or holds rows that cannot be used.
    """
    text = text_of(path)
    start = text[:200].lstrip()
    if is_epw(text, path):
        return epw.read_epw(text, path)
    if start.startswith("{"):
        return open_meteo.read_open_meteo(text, path)
    if china_hourly.knows(text.partition("\n")[0]):
        return china_hourly.read_china_hourly(text, path)
    raise InputFileError(
        f"site.weather_path={path}: begins with {start[:40]!r}; must be EPW, Open-Meteo JSON, "
        "or CSV with year, month, day, hour, TEMP and DEWP columns"
    )


def is_epw(text: str, path: str) -> bool:
    """Return whether a file is an EPW, by its first word or its name."""
    return text[:200].lstrip().startswith("LOCATION,") or ".epw" in Path(path).name.lower()


def text_of(path: str) -> str:
    """Return the text of a weather file, plain or gzipped.

    Raises
    ------
    InputFileError
        If it is missing or cannot be read.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise InputFileError(f"site.weather_path={path}: is a folder, not a file")
    if not file.is_file():
        raise InputFileError(f"site.weather_path={path}: no such file")
    try:
        data = file.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputFileError(f"site.weather_path={path}: cannot be read: {error}") from error
    # Place names come in any encoding; numbers do not care.
    return data.decode("utf-8-sig", errors="replace")
