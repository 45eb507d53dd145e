"""Platforms as people declare them, prices, goals and beamlines."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec

from daasbench.model.states import Count, Option, Seconds, Written


class Price(Written, frozen=True, kw_only=True):
    """What a resource costs; `amount` is a decimal written as text, so that no cent is rounded."""

    amount: Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,9})?$", description='a number in quotes: "1.85"')]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$", description='three capital letters: "EUR"')]
    per: Literal["node-hour", "core-hour", "gpu-hour"]
    date: Annotated[datetime.date, msgspec.Meta(description="a date such as 2026-11-01")]
    source: Annotated[str, msgspec.Meta(pattern=r"\S", description="where the price comes from, in words")]
    basis: Literal["list", "ratio", "estimate", "quote"] = "quote"


class Platform(Written, frozen=True, kw_only=True):
    """A platform as declared: runner, resources, price, options."""

    runner: str
    nodes: Count = 1
    cores_per_node: Count | None = None  # None: as observed
    gpus_per_node: Annotated[int, msgspec.Meta(ge=0)] | None = None
    memory_gb: Annotated[float, msgspec.Meta(gt=0)] | None = None
    price: Price | None = None
    options: dict[str, Option] = {}
    description: str = ""


class Goal(Written, frozen=True, kw_only=True):
    """The criteria by which an answer is judged."""

    deadline_s: Seconds | None = None
    datasets_per_year: Annotated[float, msgspec.Meta(gt=0)] | None = None
    dataset_gb: Annotated[float, msgspec.Meta(ge=0)] | None = None
    results_gb: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Beamline(Written, frozen=True, kw_only=True):
    """The source of the data: the rate that an analysis has to keep up with."""

    name: Annotated[str, msgspec.Meta(pattern=r"\S", description='the name of a beamline: "ID11"')]
    unit: Annotated[str, msgspec.Meta(pattern=r"\S", description='the unit of work of the kernel: "frame"')]
    units_per_s: Annotated[float, msgspec.Meta(gt=0, description="the number of units per second, more than 0")]
    source: Annotated[str, msgspec.Meta(pattern=r"\S", description="where the rate comes from, in words")]
    date: Annotated[datetime.date, msgspec.Meta(description="a date such as 2026-11-01: as of when the rate holds")]
    detector: str = ""
    unit_bytes: Annotated[float, msgspec.Meta(gt=0)] | None = (
        None  # of one unit in memory, for the comparison of data rates
    )
    dataset_units: Annotated[float, msgspec.Meta(gt=0)] | None = None  # in one data set
