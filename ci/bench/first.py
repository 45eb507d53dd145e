"""Measure the time until a fresh process has its first result at size `small`; the target is at most 10 s.

    python ci/bench/first.py [--results DIR] [--keep] [--write]

Each kernel runs with its `numba` implementation, in every mode that needs other compiled code. The processes find no
compiled code (`start = "uncompiled"`, which is checked), so the time includes the compilation. Their files are in
memory, and the inputs are made beforehand. ``--write`` writes the table to docs/benchmarks/first.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from daasbench.evidence import Evidence, gather
from daasbench.model import Outcome, Record
from daasbench.statistics.intervals import across_processes

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks/first.md"
LIMIT_S = 10.0
NOT_ITS = ("make",)  # phases of a record that another process did: it made the inputs beforehand
MODES = {  # the options that need other compiled code; the last value is the default, which a case does not name
    "azimuthal_integration": [{"mode": "nosplit"}, {"mode": "split"}],
    "detector_io": [{"direction": "write"}, {"direction": "read"}],
    "nanostrain": [{"stage": "gridding"}, {"stage": "fits"}, {"stage": "all"}],
    "xrf_mapping": [{"method": "snip"}, {"method": "nnls"}, {"method": "linear"}],
}
KERNELS = (
    "azimuthal_integration", "detector_io", "halo_stencil", "integration_pipeline", "motion_correction", "nanostrain",
    "ptychography", "sparse_eigen", "spot_finding", "tomography", "tomography_iterative", "xpcs", "xrf_mapping",
)  # fmt: skip


def scenario() -> str:
    """Return the scenario: each kernel and mode, started without compiled code."""
    lines = ['question = "How long until the first result of a fresh process, compilation included?"']
    lines += ['platforms = ["here"]', "[repeat]", "processes = 3", "min_repeats = 1", "max_repeats = 1", "limit_s = 30"]
    for kernel in KERNELS:
        for options in MODES.get(kernel, [{}]):
            message = ", ".join(f'{name} = "{value}"' for name, value in options.items())
            lines += ["[[cases]]", f'kernel = "{kernel}"', 'implementations = "numba"', 'sizes = "small"']
            lines += ['start = "uncompiled"', f"options = {{ {message} }}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and print; return 0 if every kernel is fast enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/bench-first"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    if not asked.keep:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "first.toml"
            file.write_text(scenario())
            command = [sys.executable, "-m", "daasbench", "run", str(file), "--results", str(asked.results)]
            code = subprocess.run(command, check=False).returncode
        if code not in (0, 1):
            return code
    evidence = gather(asked.results)
    rows, slow = table(evidence)
    text = page(evidence, rows)
    print(text)
    if slow:
        print(f"slower than {LIMIT_S:g} s, or not measured: {', '.join(slow)}")
    if asked.write:
        PAGE.write_text(text)
    return 1 if slow else 0


def table(evidence: Evidence) -> tuple[list[list[str]], list[str]]:
    """Return the rows of the table, and the kernels that are too slow or could not be measured."""
    cases: dict[tuple[str, str], list[Record]] = {}
    for record in evidence.records:
        default = next(iter(MODES[record.case.kernel][-1].values())) if record.case.kernel in MODES else ""
        mode = " ".join(str(value) for value in record.case.options.values()) or default
        cases.setdefault((record.case.kernel, mode), []).append(record)
    rows, slow = [], []
    for (kernel, mode), records in sorted(cases.items()):
        good = [one for one in records if one.outcome is Outcome.OK and one.start_evidence]
        if not good:
            rows.append([kernel, mode, "", "", "", "", f"{records[0].outcome}: {records[0].message}"])
            slow.append(f"{kernel} {mode}".strip())
            continue
        whole = across_processes([sum(v for name, v in one.phases.items() if name not in NOT_ITS) for one in good])
        parts = {
            name: across_processes([one.phases.get(name, 0.0) for one in good]).value
            for name in ("interpreter", "import", "first_call")
        }
        compiled = max(one.start_evidence.compiled_after for one in good if one.start_evidence)
        foreign = max(one.start_evidence.foreign for one in good if one.start_evidence)
        ends = "" if whole.low is None or whole.high is None else f" [{whole.low:.3g}, {whole.high:.3g}]"
        begun = parts["interpreter"] + parts["import"]
        message = f"{len(good)} processes, {compiled} files compiled, others took at most {foreign:.0%}"
        rows.append(
            [kernel, mode, f"{whole.value:.3g}{ends}", f"{begun:.3g}", f"{parts['first_call']:.3g}",
             "yes" if whole.value <= LIMIT_S else "**no**", message]
        )  # fmt: skip
        if whole.value > LIMIT_S:
            slow.append(f"{kernel} {mode}".strip())
    return rows, slow


def page(evidence: Evidence, rows: list[list[str]]) -> str:
    """Return the page: the machine and the table."""
    machine = next(iter(evidence.machines.values()))
    commits = ", ".join(evidence.table.sort_values("started_at")["commit"].unique())
    head = ["kernel", "mode", "to the first result, s", "start and imports, s", "first call, s", "<= 10 s", "seen"]
    return "\n".join(
        [
            "# The first result of a fresh process",
            "",
            "This page gives the time from the start of a fresh process to its first result on the host, compilation",
            "included. `python ci/bench/first.py --write` wrote it.",
            "",
            "Size `small`, implementation `numba` with all threads. The folder for compiled code is empty, the files",
            "are in memory, and the inputs are made before. Times are geometric means over processes, with the 95 %",
            "interval. The first call includes the compilation and the first computation; the rest is reading the",
            "inputs and the set-up.",
            "",
            f"Machine: {machine.cpu}, {machine.usable_cores} usable cores, {machine.os}; commit {commits};"
            f" {str(evidence.table['started_at'].min())[:10]}.",
            "",
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
