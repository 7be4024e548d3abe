"""How the documentation is built: ``sphinx-build -W docs docs/_build``."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

project = "twin"
author = "the authors of twin"
copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # pages also link to files of the repository
# a page named search would be overwritten by the page on which the site is searched
exclude_patterns = ["_build", "search.md"]
html_theme = "furo"
html_title = "twin"
html_static_path = ["_static"]
html_css_files = ["twin.css"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "undoc-members": False}
numpydoc_show_class_members = False


def keep_initials(app, what, name, obj, options, lines):
    """Let an author's initial at the start of a reference be no item of a list."""
    for k, line in enumerate(lines):
        lines[k] = re.sub(r"^(\.\. \[\S+\] )([A-Z]\. )", r"\1\\\2", line)


def setup(app):
    """Mend docstrings after numpydoc has read them."""
    app.connect("autodoc-process-docstring", keep_initials, priority=900)
