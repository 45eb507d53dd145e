"""The tariff of a site: what its nodes cost, from a TOML file that the site fills in, with a default for each term.

A number in the file is the site's own and has no range unless one is written; a term that the file does not have
keeps its default, with the range, the source and the mark of the default.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from daasbench.costs.money import checked_currency
from daasbench.costs.on_site import OnSiteCosts
from daasbench.costs.uncertainty import Draws, Mark, Prior, Shape, draw_all
from daasbench.errors import ScenarioError, UsageError, unknown, unknown_sentence
from daasbench.host import toml_file
from daasbench.model import parsing

UTILISATION = "utilisation"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A term of the cost of a node, with its default; without one the site has to write it."""

    name: str
    unit: str
    about: str
    default: Prior | None


def _range(value: float, low: float, high: float, source: str, mark: Mark = Mark.ASSUMED) -> Prior:
    return Prior(value=value, low=low, high=high, source=source, mark=mark)


def _number(value: float, source: str = "assumption", mark: Mark = Mark.ASSUMED) -> Prior:
    return Prior(value=value, shape=Shape.FIXED, source=source, mark=mark)


TERMS = (
    Term(name="nodes", unit="nodes", about="how many nodes of this kind", default=_number(1)),
    Term(name="node_price", unit="per node", about="purchase price of one node", default=None),
    Term(name="busy_kw", unit="kW", about="power that one busy node draws, without cooling", default=None),
    Term(
        name="idle_share",
        unit="share",
        about="power of an idle node as a share of busy_kw",
        default=_number(0.35),
    ),
    Term(
        name="network_and_storage",
        unit="share of node_price",
        about="capital for network and storage",
        default=_number(0.15),
    ),
    Term(
        name="installation_per_kw",
        unit="per kW",
        about="data-centre extension; 5400 EUR per kW at the ESRF in 2011 (2 MEUR for 370 kW with UPS)",
        default=_number(0),
    ),
    Term(name="residual_value", unit="per node", about="what a node is worth at its end", default=_number(0)),
    Term(
        name="life_years",
        unit="years",
        about="how long a node is used",
        default=_range(5, 4, 7, "Internet2 and Clemson: 5 years; Magellan: 4 years", Mark.READ),
    ),
    Term(
        name="interest", unit="per year", about="interest on the capital", default=_range(0.03, 0, 0.05, "assumption")
    ),
    Term(
        name="maintenance",
        unit="share of node_price per year",
        about="maintenance contract and repairs",
        default=_range(0.06, 0.04, 0.10, "assumption; Magellan: 0.10"),
    ),
    Term(
        name="staff_fte",
        unit="full-time positions per node",
        about="0.02 per CPU node, 0.15 per node of 8 GPUs",
        default=_number(0.02),
    ),
    Term(name="fte_price", unit="per year", about="cost of a full-time position", default=_number(90_000)),
    Term(name="space", unit="per node and year", about="rent of floor and racks", default=_number(0)),
    Term(name="licences", unit="per node and year", about="software licences", default=_number(0)),
    Term(
        name="pue",
        unit="ratio",
        about="power of the data centre per power of its computers",
        default=_range(1.35, 1.14, 1.63, "assumption; AWS 1.14, average of enterprises 1.63 (IDC, 2025)"),
    ),
    Term(
        name="electricity",
        unit="per kWh",
        about="price of electricity",
        default=_range(0.16, 0.09, 0.26, "Eurostat, non-household, first half of 2024: 0.094 to 0.256 EUR", Mark.READ),
    ),
    Term(name="availability", unit="share of the year", about="time in which a node works", default=_number(0.97)),
    Term(name="drained", unit="share of that time", about="time reserved for maintenance", default=_number(0.02)),
    Term(
        name=UTILISATION,
        unit="share of the available hours",
        about="time in which a node computes",
        default=_range(0.65, 0.4, 0.9, "assumption; Magellan: 0.85, NASA iPSC trace: 0.47"),
    ),
)
_BY_NAME = {term.name: term for term in TERMS}


class WrittenRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number of the file with its range and its source."""

    value: float
    low: float | None = None
    high: float | None = None
    source: str = ""


class WrittenTariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written."""

    site: Annotated[str, msgspec.Meta(pattern=r"\S", description='the name of the site: "our institute"')]
    currency: str
    date: Annotated[datetime.date, msgspec.Meta(description="a date such as 2026-11-30")]
    source: str = ""
    all_nodes: dict[str, float | WrittenRange] = {}
    nodes: dict[str, dict[str, float | WrittenRange]]


class SiteTariff(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of each kind of node of a site, by name; all money is in `currency`."""

    site: str
    currency: str
    date: datetime.date
    source: str
    kinds: Mapping[str, Mapping[str, Prior]]

    def kind(self, name: str) -> Mapping[str, Prior]:
        """Return the terms of a kind of node; raise UnknownName if the tariff does not have it."""
        if name not in self.kinds:
            raise unknown("kind of node", name, self.kinds, f"tariff of {self.site}")
        return self.kinds[name]

    def costs(self, name: str) -> tuple[OnSiteCosts, float]:
        """Return the costs of a kind of node at the values of its terms, and its utilisation."""
        values = {term: prior.value for term, prior in self.kind(name).items()}
        return OnSiteCosts(**{term: value for term, value in values.items() if term != UTILISATION}), values[
            UTILISATION
        ]

    def draws(self, name: str, seed: int, count: int) -> tuple[OnSiteCosts, Draws]:
        """Return draws of the costs of a kind of node and of its utilisation, each of shape (count,)."""
        drawn = draw_all(self.kind(name), seed, count)
        utilisation = drawn.pop(UTILISATION)
        return OnSiteCosts(**drawn), utilisation

    def assumptions(self, name: str) -> list[tuple[Term, Prior]]:
        """Return the terms that the site has not replaced by a value of its own."""
        return [(_BY_NAME[term], prior) for term, prior in self.kind(name).items() if prior is _BY_NAME[term].default]


def read_tariff(path: Path) -> SiteTariff:
    """Return the tariff of a site from its TOML file.

    Raises
    ------
    ScenarioError, UsageError
        If the file cannot be read, a term is unknown, missing or impossible; the message names file and key.
    """
    written = parsing.convert(toml_file.read(path), WrittenTariff, str(path))
    checked_currency(written.currency, f"{path}: currency")
    if not written.nodes:
        raise ScenarioError(f"{path}: nodes: no kind of node; write a table such as [nodes.gpu]")
    common = _terms(written.all_nodes, f"{path}: all_nodes", written)
    kinds = {}
    for name, terms in written.nodes.items():
        where = f"{path}: nodes.{name}"
        kinds[name] = _complete(common | _terms(terms, where, written), where)
    tariff = SiteTariff(
        site=written.site, currency=written.currency, date=written.date, source=written.source, kinds=kinds
    )
    for name in kinds:
        try:
            tariff.costs(name)
            _ends(kinds[name])
        except UsageError as error:
            raise ScenarioError(f"{path}: nodes.{name}: {error}") from error
    return tariff


def _ends(terms: Mapping[str, Prior]) -> None:
    """Raise UsageError if the costs are impossible at an end of a range."""
    for low in (True, False):
        values = {name: prior.low if low else prior.high for name, prior in terms.items()}
        ends = {name: terms[name].value if end is None else end for name, end in values.items()}
        share = ends.pop(UTILISATION)
        if not 0 < share <= 1:
            raise UsageError(f"{UTILISATION}: {share} is not a share of the available hours; write 0.65 for 65 %")
        OnSiteCosts(**ends)


def _terms(written: Mapping[str, float | WrittenRange], where: str, tariff: WrittenTariff) -> dict[str, Prior]:
    found = {}
    for name, value in written.items():
        if name not in _BY_NAME:
            raise ScenarioError(unknown_sentence("term", name, _BY_NAME, where))
        own = value if isinstance(value, WrittenRange) else WrittenRange(value=value)
        try:
            found[name] = Prior(
                value=own.value,
                low=own.low,
                high=own.high,
                source=own.source or tariff.source or f"tariff of {tariff.site}, {tariff.date}",
                mark=Mark.READ,
            )
        except UsageError as error:
            raise ScenarioError(f"{where}.{name}: {error}") from error
    return found


def _complete(terms: Mapping[str, Prior], where: str) -> dict[str, Prior]:
    """Return all terms: those of the site, and the default of each other one."""
    complete: dict[str, Prior] = {}
    for term in TERMS:
        prior = terms.get(term.name, term.default)
        if prior is None:
            raise ScenarioError(f"{where}.{term.name}: is required and missing: {term.about} ({term.unit})")
        complete[term.name] = prior
    return complete


def template(currency: str = "EUR") -> str:
    """Return a tariff to fill in: each term with its unit, its default, the range and the source, as comments."""
    lines = [
        "# What the nodes of a site cost. Replace the values that are marked, and each default that you know better.",
        "# A number is exact. For an uncertain one write a range: { value = 0.16, low = 0.09, high = 0.26 }",
        'site = "our institute"  # edit',
        f'currency = "{checked_currency(currency, "currency")}"',
        "date = 2026-01-01  # edit: the day for which the prices hold",
        'source = "own books"  # edit',
        "",
        "[all_nodes]  # terms that all kinds of nodes share",
    ]
    for term in TERMS:
        if term.default is not None and term.name not in ("nodes", "staff_fte"):
            lines += _template_lines(term, "# ")
    lines += ["", "[nodes.gpu]  # edit: one table per kind of node"]
    for name, value in (("nodes", "4"), ("node_price", "280000"), ("busy_kw", "10.2"), ("staff_fte", "0.15")):
        lines.append(f"{name} = {value}  # edit: {_BY_NAME[name].about}, {_BY_NAME[name].unit}")
    return "\n".join(lines) + "\n"


def _template_lines(term: Term, off: str) -> list[str]:
    prior = term.default
    if prior is None:
        return []
    known = "" if prior.low is None else f"; range {prior.low:g} to {prior.high:g}"
    return [
        f"# {term.about} ({term.unit}{known}; {prior.mark}: {prior.source})",
        f"{off}{term.name} = {prior.value:g}",
    ]


def as_written(tariff: SiteTariff) -> dict[str, Any]:
    """Return the tariff as plain data for a report: each term with value, range, unit, source and mark."""
    return {
        kind: [
            {
                "term": name,
                "value": prior.value,
                "low": prior.low,
                "high": prior.high,
                "unit": _BY_NAME[name].unit,
                "source": prior.source,
                "mark": str(prior.mark),
            }
            for name, prior in terms.items()
        ]
        for kind, terms in tariff.kinds.items()
    }
