"""Sphinx' settings of the site, which docs/make_site.py renders. It fetches nothing, neither built nor read.

Sphinx with MyST and the PyData theme, because all three are kept up and bring their fonts and scripts along. Material
for MkDocs declares itself inactive, with an end of life in May 2027; its successor Zensical is in beta (2026-11).
"""

from daasbench import __version__

project = "daasbench"
author = "The daasbench developers"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4  # [text](page.md#a-heading), as the forges have it
default_role = "code"  # `name` in a docstring

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "daasbench"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "use_edit_page_button": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
