"""Our implementations against the production packages: ratios of one interleaved run, printed and written down.

    python ci/bench/peers.py [--results DIR] [--keep] [--write]

Runs the scenarios ``peers`` and ``peers_tomography`` (they go on where they were interrupted; ``--keep`` takes the
records as they are) and prints, for each peer, how many times
longer it takes than the fastest of ours: wall time with its 95 % interval over processes, paired by set, and
per core really used. ``--write`` puts the table into docs/benchmarks/peers.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from daasbench import registry
from daasbench.evidence import Evidence, gather
from daasbench.model import Outcome, Record
from daasbench.statistics import across_processes, median_interval, ratio

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks/peers.md"
SCENARIOS = ("peers", "peers_tomography")
FLOORS = {
    ("azimuthal_integration", "nosplit", "pyfai"): 40.0,
    ("azimuthal_integration", "split", "pyfai"): 12.0,
    ("tomography", "", "algotom"): 10.0,
    ("tomography", "", "astra"): 30.0,
}


def main() -> int:
    """Measure, print, and return 0 if every floor is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/bench-peers"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    for scenario in () if asked.keep else SCENARIOS:
        command = [sys.executable, "-m", "daasbench", "run", scenario, "--results", str(asked.results)]
        code = subprocess.run(command, check=False).returncode
        if code not in (0, 1):
            return code
    evidence = gather(asked.results)
    rows, below = table(evidence)
    text = page(evidence, rows)
    print(text)
    if asked.write:
        PAGE.write_text(text)
    return 1 if below else 0


def table(evidence: Evidence) -> tuple[list[list[str]], list[str]]:
    """Return the rows of the table, and what stays below its floor."""
    rows, below = [], []
    for (kernel, _), records in problems(evidence).items():
        ways = registry.kernel(kernel).implementations
        peers = {name for name in records if ways[name.split(" ")[0]].peer}
        medians = {name: by_process(found) for name, found in records.items()}
        ours = [name for name in medians if name not in peers and medians[name] and not name.startswith("numpy")]
        if not ours:
            continue
        best = min(ours, key=lambda name: across_processes(list(medians[name].values())).value)
        case = next(iter(records[best])).case
        mode = str(case.options.get("mode", "split" if kernel == "azimuthal_integration" else ""))
        for name in sorted(medians, key=lambda one: (one in peers, one)):
            if not medians[name]:
                rows.append(
                    [kernel, mode, name, "", "", "", "", "", f"{records[name][0].outcome}: {records[name][0].message}"]
                )
                continue
            middle = across_processes(list(medians[name].values()))
            wall = ratio(medians[best], medians[name])
            cores = mean_cores(records[name]) / mean_cores(records[best])
            floor = FLOORS.get((kernel, mode, name.split(" ")[0]))
            told = "" if name == best else f"{wall.value:.3g}" + bounds(wall.low, wall.high)
            if floor and wall.value < floor:
                below.append(name)
            one = records[name][0]
            rows.append(
                [
                    kernel,
                    mode,
                    f"**{name}**" if name == best else name,
                    f"{middle.value * 1e3:.4g}{bounds(middle.low, middle.high, 1e3)}",
                    f"{(one.work.units if one.work else 0) / middle.value:.4g} {one.work.unit if one.work else ''}/s",
                    told,
                    "" if name == best else f"{wall.value * cores:.3g}",
                    f">= {floor:g}" if floor else "",
                    f"{one.error:.2g} ({one.verified_by})" if one.error is not None else "",
                ]
            )
    return rows, below


def problems(evidence: Evidence) -> dict[tuple[str, str], dict[str, list[Record]]]:
    """Return the records by kernel and problem, then by implementation and threads."""
    found: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for record in evidence.records:
        key = (record.case.kernel, record.case.problem_id)
        threads = record.case.threads
        name = f"{record.case.implementation} ({threads} thread{'s' if threads > 1 else ''})"
        found.setdefault(key, {}).setdefault(name, []).append(record)
    return dict(sorted(found.items()))


def by_process(records: list[Record]) -> dict[int, float]:
    """Return the median of each process that was right."""
    good = [one for one in records if one.outcome == Outcome.OK and one.samples]
    return {one.process: median_interval(one.samples.counted()).value for one in good if one.samples}


def mean_cores(records: list[Record]) -> float:
    """Return the cores really used, on average over the processes."""
    used = [one.cores_used for one in records if one.cores_used]
    return sum(used) / len(used) if used else 1.0


def bounds(low: float | None, high: float | None, scale: float = 1.0) -> str:
    """Return an interval as text."""
    return "" if low is None or high is None else f" [{low * scale:.3g}, {high * scale:.3g}]"


def page(evidence: Evidence, rows: list[list[str]]) -> str:
    """Return the page: where it was measured, and the table."""
    machine = next(iter(evidence.machines.values()))
    versions = {name: machine.packages[name] for name in sorted(machine.packages)}
    foreign = evidence.table["foreign_cpu"].median()
    head = ["kernel", "mode", "implementation", "ms a repeat", "rate", "wall ratio", "per-core ratio", "floor", "error"]
    lines = [
        "# Against the production packages",
        "",
        "Written by `python ci/bench/peers.py --write`: `scenarios/peers.toml` and `scenarios/peers_tomography.toml`,",
        "contenders interleaved by turns, in fresh sets of processes (azimuthal integration 3, tomography 2 or 3).",
        "A repeat is 16 frames of an Eiger 4M, or 16 slices of 512 x 512 pixels from 720 angles. Ratios are wall",
        "time over that of the fastest of ours (bold), with the 95 % interval over processes, paired by set; the",
        "per-core ratio also counts the cores that each really used. Set-up is apart for all.",
        "",
        f"Machine: {machine.cpu}, {machine.usable_cores} usable cores, {machine.os}; commit {machine.commit};"
        f" {str(evidence.table['started_at'].min())[:10]}. Median foreign processor time: {foreign:.1%}.",
        f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "What each peer computes in addition or otherwise: `daasbench show kernel NAME`.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
