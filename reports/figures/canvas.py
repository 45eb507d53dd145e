"""The canvas: one look for all figures, and SVG that is deterministic, inline and follows the page's colours.

A colour is drawn as a hexadecimal value and written as ``var(--name, #value)``, so that the page's style sheet
may recolour a figure (dark mode, print) while a figure on its own keeps its light colours.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b2430"
MUTED = "#5a6675"
GRID = "#dfe4ea"
PAPER = "#fefefe"
BAND = "#eef2f6"
ALARM = "#b3261e"
# Okabe and Ito: blue, vermilion, green, purple, orange, sky blue, then a dark red and a brown for more names.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#7a5c2e")
# Parts of a whole, such as phases: pale (Tol), so that no part is taken for an implementation.
PARTS = ("#77aadd", "#ee8866", "#eedd88", "#ffaabb", "#99ddff", "#44bb99", "#bbcc33", "#aaaa00", "#c4c4c4")
REFERENCE = "#6b6f76"
OURS, PEER = SERIES[0], SERIES[1]

COLOURS: Mapping[str, str] = {
    INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", BAND: "band", ALARM: "alarm", REFERENCE: "reference",
    **{colour: f"series-{index}" for index, colour in enumerate(SERIES)},
    **{colour: f"part-{index}" for index, colour in enumerate(PARTS)},
}  # fmt: skip

STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "daasbench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.4,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "path.simplify": False,
}

WIDTH_IN = 8.6  # of every figure: 620 points, the text column of a page


def canvas(height_in: float) -> Figure:
    """Return an empty figure of the house's width; draw on it inside :func:`style`."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in))
    FigureCanvasSVG(figure)
    return figure


def style() -> Any:
    """Return the context in which figures are drawn and written."""
    import matplotlib

    return matplotlib.rc_context(dict(STYLE))  # type: ignore[arg-type]  # the stub wants literal keys


def axes(figure: Figure, left_in: float, bottom_in: float, right_in: float, top_in: float) -> Axes:
    """Return axes with these margins in inches: no layout engine, so that drawing is quick and stable."""
    width, height = figure.get_size_inches()
    box = (
        left_in / width,
        bottom_in / height,
        (width - left_in - right_in) / width,
        (height - bottom_in - top_in) / height,
    )
    return figure.add_axes(box)


def label_margin(labels: list[str], size: float = 9) -> float:
    """Return the inches that the longest of `labels` needs beside an axis, at most 3.1."""
    return min(3.1, 0.22 + max((len(label) for label in labels), default=0) * size * 0.58 / 72)


def svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Return the figure as an ``<svg>`` element for a page.

    Parameters
    ----------
    name
        Unique on the page: it starts every id of the element.
    title, description
        The text for a person who does not see the figure.
    """
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = written.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<g id=\"[^\"]*\">", "<g>", body)
    body = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1sans-serif", body)
    body = re.sub(r"#[0-9a-f]{6}", lambda hit: css_colour(hit[0]), body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    width, height = (72 * inches for inches in figure.get_size_inches())
    return (
        f'<svg class="figure" role="img" aria-labelledby="{name}-title {name}-desc"'
        f' viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg"'
        ' xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-desc">{html.escape(description)}</desc>{body.strip()}'
    )


def css_colour(colour: str) -> str:
    """Return a colour as the page's style sheet may change it: ``"var(--series-0, #0072b2)"``."""
    return f"var(--{COLOURS[colour]}, {colour})" if colour in COLOURS else colour
