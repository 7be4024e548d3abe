"""What every page we write has in common: one file that carries all it needs.

Its style and scripts are the other files of this folder.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from twin.errors import InputFileError

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


def document(title: str, sections: Iterable[str]) -> str:
    """Return a whole page; *sections* are HTML, empty ones are left out."""
    return _DOCUMENT.format(
        title=escape(title),
        css=_file("report.css"),
        body=_with_contents([section for section in sections if section]),
    )


def _with_contents(sections: Sequence[str]) -> str:
    """Return *sections* joined, with a line of links to those that have a head above the first."""
    heads: list[str] = []

    def marked(found: re.Match[str]) -> str:
        heads.append(found[1])
        return f'<h2 id="s{len(heads)}">{found[1]}</h2>'

    body = "\n".join(re.sub(r"<h2>(.*?)</h2>", marked, section) for section in sections)
    links = "".join(f'<a href="#s{k}">{head}</a>' for k, head in enumerate(heads, start=1))
    return body.replace('<h2 id="s1">', f'<nav class="no-print">{links}</nav><h2 id="s1">', 1)


def script(name: str, meta: Any, data: str = "") -> str:
    """Return the script *name* with all it draws from: *meta*, squeezed *data*, and plotly."""
    carried = [f'<script type="application/json" id="meta">{_in_script(meta)}</script>']
    if data:
        carried.append(f'<script type="text/plain" id="data">{data}</script>')
    carried.append(f'<script type="text/plain" id="library">{_script_of_plotly()}</script>')
    return "\n".join([*carried, f"<script>\n{_file(name)}</script>"])


def pictures(*paths: Path, alt: str = "") -> str:
    """Return pictures as elements that carry them; *alt* is their file's name by default."""
    images = []
    for path in paths:
        data = _base64(path.read_bytes())
        said = escape(alt or path.stem.replace("_", " "))
        images.append(f'<img alt="{said}" src="data:image/png;base64,{data}">')
    return f'<div class="pictures">{"".join(images)}</div>' if images else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are HTML already."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def to_know(sentences: Iterable[str]) -> str:
    """Return the section of what a reader must know; nothing where there is nothing."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<h2>To know</h2><ul class="note warn">{items}</ul>' if items else ""


def squeeze(data: bytes) -> str:
    """Return *data* as gzip in base64; the same data give the same text."""
    return _base64(gzip.compress(data, 6, mtime=0))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _file(name: str) -> str:
    """Return a file of this folder."""
    return (files(__name__) / name).read_text(encoding="utf-8")


def _script_of_plotly() -> str:
    """Return plotly's own script, packed; the package is read, not imported."""
    path = _package_folder("plotly") / "package_data" / "plotly.min.js"
    if not path.is_file():
        raise InputFileError(f"{path}: is missing; install plotly again")
    return squeeze(path.read_bytes())


def _package_folder(name: str) -> Path:
    """Return where a package is installed, without running it."""
    from importlib.util import find_spec

    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise InputFileError(f"{name}: is not installed; the report needs its script")
    return Path(spec.origin).parent


def _in_script(data: Any) -> str:
    """Return *data* as JSON that cannot end the script element it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
