"""Sphinx configuration: MyST pages, the furo theme, nothing fetched from anywhere."""

project = "trafficcore"
author = "the trafficcore authors"
copyright = "2026, the trafficcore authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "trafficcore"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": False}
nitpicky = True
nitpick_ignore = [
    ("py:class", "collections.abc.Sequence"),
    ("py:class", "enum.Enum"),
    ("py:class", "requests.adapters.HTTPAdapter"),
    ("py:class", "requests.exceptions.RequestException"),
    ("py:class", "trafficcore.live.verbs.Verbs"),
    ("py:class", "trafficcore.live.breaker_steps.Steps"),
]
# Docstrings are plain prose with `names`, which reST would take for references of its own.
default_role = "code"
suppress_warnings = ["myst.header"]
