"""Scenarios: a TOML file becomes a plan of cases and platforms, and a plan becomes jobs. All functions are pure."""

from __future__ import annotations

from daasbench.scenario.grid import Cell
from daasbench.scenario.grouping import group, resume_key
from daasbench.scenario.plan import Plan, Scenario, load
from daasbench.scenario.platforms import load_platform, shipped_files

__all__ = ["Cell", "Plan", "Scenario", "group", "load", "load_platform", "resume_key", "shipped_files"]
