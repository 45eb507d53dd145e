"""Which report answers a scenario's question."""

from __future__ import annotations

from daasbench.host.containers import OPTION
from daasbench.scenario.plan import Plan


def report_of(plan: Plan) -> str:
    """Return the name of the report that answers a scenario: by what its cases differ in."""
    scenario = plan.scenario
    blocks = scenario.cases
    if scenario.intent is not None:
        return "scaling"
    if scenario.beamline is not None or any(block.start != "any" for block in blocks):
        return "time_to_science"
    if len(plan.platforms) > 1 and any(OPTION in platform.options for platform in plan.platforms.values()):
        return "container_overhead"
    return "summary"
