"""Compare our implementations with the production packages (the peers) in one interleaved run.

    python ci/bench/peers.py [--results DIR] [--keep] [--write]

It runs the scenario ``peers``; an interrupted run is continued. With ``--keep`` nothing is measured, and the existing
records are used. For each peer it prints how many times as long the peer takes as our fastest implementation: wall time
with its 95 % interval over processes, paired by set, and time per core that was really used. ``--write`` writes the
table to docs/benchmarks/peers.md.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from pathlib import Path

from daasbench import registry
from daasbench.evidence import Evidence, gather
from daasbench.model import Outcome, Record
from daasbench.statistics.intervals import across_processes, median_interval, ratio

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks/peers.md"
SCENARIO = "peers"
MODES = {  # the option that selects what is computed, and its default
    "azimuthal_integration": ("mode", "split"),
    "detector_io": ("direction", "read"),
    "distributed_fft": ("dtype", "c128"),
    "nanostrain": ("stage", "all"),
    "xrf_mapping": ("method", "linear"),
}
FLOORS = {
    ("azimuthal_integration", "nosplit", "pyfai"): 40.0,
    ("azimuthal_integration", "split", "pyfai"): 12.0,
    ("detector_io", "read", "h5py"): 2.5,
    ("distributed_fft", "c128", "mpi4py-fft"): 1.4,
    ("integration_pipeline", "", "pyfai_threads"): 12.0,
    ("motion_correction", "", "relion"): 2.0,
    ("nanostrain", "fits", "xsocs"): 32.0,
    ("nanostrain", "gridding", "silx"): 6.0,
    ("nanostrain", "gridding", "xsocs"): 6.0,
    ("ptychography", "", "scipy"): 4.0,
    ("spot_finding", "", "dials"): 6.0,
    ("tomography", "", "algotom"): 10.0,
    ("tomography", "", "astra"): 30.0,
    ("tomography_iterative", "", "astra"): 40.0,
    ("xpcs", "", "dynamix"): 8.0,
    ("xpcs", "", "skbeam"): 50.0,
    ("xrf_mapping", "linear", "pymca"): 5.0,
    ("xrf_mapping", "nnls", "scipy"): 90.0,
    ("xrf_mapping", "snip", "pymca"): 15.0,
}
MEAN_FLOOR = 10.0  # geometric mean over the kernels; each kernel has the mode and the peer with the smallest ratio


def main() -> int:
    """Measure and print; return 0 if every ratio is at or above its minimum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/bench-peers"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    if not asked.keep:
        command = [sys.executable, "-m", "daasbench", "run", SCENARIO, "--results", str(asked.results)]
        code = subprocess.run(command, check=False).returncode
        if code not in (0, 1):
            return code
    evidence = gather(asked.results)
    rows, below, least = table(evidence)
    mean = math.exp(sum(map(math.log, least.values())) / len(least))
    text = page(evidence, rows, least, mean)
    print(text)
    if below:
        print(f"below the minimum: {', '.join(below)}")
    if asked.write:
        PAGE.write_text(text)
    return 1 if below or mean < MEAN_FLOOR or min(least.values()) < 1 else 0


def table(evidence: Evidence) -> tuple[list[list[str]], list[str], dict[str, float]]:
    """Return the rows of the table, the ratios below their minimum, and each kernel's smallest ratio to a peer."""
    rows, below = [], []
    least: dict[str, float] = {}
    fractions = evidence.table.groupby("case")[["limit_fraction"]].median()["limit_fraction"]
    names = evidence.table.groupby("case")["limit_name"].first()
    for (kernel, _), records in problems(evidence).items():
        implementations = registry.kernel(kernel).implementations
        peers = {name for name in records if implementations[name.split(" ")[0]].peer}
        medians = {name: by_process(found) for name, found in records.items()}
        ours = [name for name in medians if name not in peers and medians[name] and not name.startswith("numpy")]
        if not ours:
            continue
        best = min(ours, key=lambda name: across_processes(list(medians[name].values())).value)
        case = next(iter(records[best])).case
        option, default = MODES.get(kernel, ("", ""))
        mode = str(case.options.get(option, default))
        for name in sorted(medians, key=lambda one: (one in peers, one)):
            if not medians[name]:
                rows.append(
                    [
                        kernel,
                        mode,
                        name,
                        "",
                        "",
                        "",
                        "",
                        "",
                        "",
                        f"{records[name][0].outcome}: {records[name][0].message}",
                    ]
                )
                continue
            middle = across_processes(list(medians[name].values()))
            wall = ratio(medians[best], medians[name])
            cores = mean_cores(records[name]) / mean_cores(records[best])
            floor = FLOORS.get((kernel, mode, name.split(" ")[0]))
            message = "" if name == best else f"{wall.value:.3g}" + bounds(wall.low, wall.high)
            if floor and wall.value < floor:
                below.append(f"{kernel} {mode} {name}".replace("  ", " "))
            if name in peers:
                least[kernel] = min(least.get(kernel, math.inf), wall.value)
            one = records[name][0]
            fraction, limit = fractions.get(one.case.id), names.get(one.case.id)
            rows.append(
                [
                    kernel,
                    mode,
                    f"**{name}**" if name == best else name,
                    f"{middle.value * 1e3:.4g}{bounds(middle.low, middle.high, 1e3)}",
                    f"{(one.work.units if one.work else 0) / middle.value:.4g} {one.work.unit if one.work else ''}/s",
                    message,
                    "" if name == best else f"{wall.value * cores:.3g}",
                    f">= {floor:g}" if floor else "",
                    f"{fraction:.0%} of {limit}" if fraction and not math.isnan(fraction) else "",
                    f"{one.error:.2g} ({one.verified_by})" if one.error is not None else "",
                ]
            )
    return rows, below, least


def problems(evidence: Evidence) -> dict[tuple[str, str], dict[str, list[Record]]]:
    """Return the records by kernel and problem, then by implementation and threads."""
    found: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for record in evidence.records:
        key = (record.case.kernel, record.case.problem_id)
        case = record.case
        count, what = (case.ranks, "rank") if case.ranks > 1 else (case.threads, "thread")
        name = f"{case.implementation} ({count} {what}{'s' if count > 1 else ''})"
        found.setdefault(key, {}).setdefault(name, []).append(record)
    return dict(sorted(found.items()))


def by_process(records: list[Record]) -> dict[int, float]:
    """Return the median time of each process whose results were correct."""
    good = [one for one in records if one.outcome == Outcome.OK and one.samples]
    return {one.process: median_interval(one.samples.counted()).value for one in good if one.samples}


def mean_cores(records: list[Record]) -> float:
    """Return the number of cores that were really used, averaged over the processes."""
    used = [one.cores_used for one in records if one.cores_used]
    return sum(used) / len(used) if used else 1.0


def bounds(low: float | None, high: float | None, scale: float = 1.0) -> str:
    """Return an interval as text."""
    return "" if low is None or high is None else f" [{low * scale:.3g}, {high * scale:.3g}]"


def page(evidence: Evidence, rows: list[list[str]], least: dict[str, float], mean: float) -> str:
    """Return the page: the machine and the table."""
    machine = next(iter(evidence.machines.values()))
    versions = {name: machine.packages[name] for name in sorted(machine.packages)}
    foreign = evidence.table["foreign_cpu"].median()
    found = evidence.table.sort_values("started_at")["commit"].unique()
    commits = f"commit{'s' if len(found) > 1 else ''} {', '.join(found)}"
    head = [
        "kernel",
        "mode",
        "implementation",
        "ms per repeat",
        "rate",
        "wall ratio",
        "per-core ratio",
        "required ratio",
        "share of the limit",
        "error",
    ]
    lines = [
        "# Against the production packages",
        "",
        "This page compares our implementations with the production packages of the field, the *peers*.",
        "`python ci/bench/peers.py --write` wrote it from `scenarios/peers.toml`.",
        "",
        "- Measuring processes are interleaved in rounds, in three fresh sets; those with several ranks run as whole",
        "  blocks.",
        "- The wall ratio is the time divided by that of the fastest of ours (bold), with the 95 % interval over",
        "  processes, paired by set. The per-core ratio also accounts for the cores that each implementation really",
        "  used.",
        "- Set-up is excluded for all. A repeat computes one block of the size in the scenario.",
        "",
        f"**Geometric mean over {len(least)} kernels, each with the mode and peer of the smallest ratio: {mean:.3g}**"
        f" (required: {MEAN_FLOOR:g}); "
        + ", ".join(f"{kernel} {value:.3g}" for kernel, value in sorted(least.items()))
        + ".",
        "",
        f"Machine: {machine.cpu}, {machine.usable_cores} usable cores, {machine.os}; {commits};"
        f" {str(evidence.table['started_at'].min())[:10]}. Median foreign processor time: {foreign:.1%}.",
        f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "`daasbench show kernel NAME` shows what each peer computes in addition to ours, or differently.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
