"""Limits that an earlier run measured: the page says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from daasbench.reports.blocks import provenance


def test_a_page_says_that_an_earlier_run_measured_the_limits(folder: Callable[..., Any]) -> None:
    evidence = folder().add("numba", [0.0117, 0.0118, 0.0116]).gather()
    (machine,) = provenance.machines(evidence)
    assert [threads for threads, _, _ in machine.limits] == ["2 threads"]
    known = msgspec.structs.replace(
        evidence.limits["l1"], measured_at="2026-11-20T10:00:00.000Z", reused_from="20261120-100000-ab12/001-here"
    )
    (machine,) = provenance.machines(replace(evidence, limits={"l1": known}))
    assert [threads for threads, _, _ in machine.limits] == ["2 threads, measured 2026-11-20 by an earlier run"]
