"""Partitions and nodes as sinfo lists them, compared with what a platform declares. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from daasbench.inspection.platform import Finding, ok, warning, write_one_of, wrong
from daasbench.model import Platform

from .options import SlurmOptions

NODE_FIELDS = "%N|%R|%P|%l|%c|%m|%G|%f|%T"
UNUSABLE = ("down", "drain", "fail", "maint", "unknown")  # beginnings of states
MEGABYTE = 2**20 / 1e9  # Slurm's megabyte, in GB
_GPUS = re.compile(r"gpu(?::[^:,()]+)?:(\d+)")
_LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?P<parts>\d+(?::\d+){0,2})")


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node in a partition."""

    name: str
    partition: str
    default: bool
    limit: str
    cores: int
    memory_gb: float
    gpus: int
    features: frozenset[str]
    state: str


def parse_nodes(text: str) -> list[Node]:
    """Return the nodes that sinfo lists; a line of another form is ignored."""
    nodes = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != len(NODE_FIELDS.split("|")) or not (fields[4].isdigit() and fields[5].isdigit()):
            continue
        name, partition, starred, limit, cores, memory, gres, features, state = fields
        nodes.append(
            Node(
                name=name,
                partition=partition,
                default=starred.endswith("*"),
                limit=limit,
                cores=int(cores),
                memory_gb=int(memory) * MEGABYTE,
                gpus=sum(map(int, _GPUS.findall(gres))),
                features=frozenset(features.replace("(null)", "").split(",")) - {""},
                state=state.lower(),
            )
        )
    return nodes


def seconds_of(limit: str) -> float | None:
    """Return the seconds of a time limit in Slurm's form; None if there is no limit."""
    match = _LIMIT.fullmatch(limit)
    if match is None:
        return None
    parts = [int(part) for part in match["parts"].split(":")]
    days = int(match["days"] or 0)
    # "2-3": days and hours; "5": minutes; "5:30": minutes and seconds
    hms = [*parts, 0, 0][:3] if match["days"] else [0, *parts, 0][:3] if len(parts) == 1 else [0, 0, *parts][-3:]
    return days * 86400.0 + hms[0] * 3600.0 + hms[1] * 60.0 + hms[2]


# --- partition and constraint -----------------------------------------------------------------------------------


def partition_findings(nodes: Sequence[Node], options: SlurmOptions) -> tuple[list[Node], list[Finding]]:
    """Return the nodes that a job may get, and whether the partition and the constraint exist."""
    known = sorted({node.partition for node in nodes})
    if options.partition is None:
        wanted = {node.partition for node in nodes if node.default}
        if not wanted:
            message = "no partition is named, and Slurm has no default partition"
            return [], [wrong("partition", message, write_one_of("partition", known))]
    else:
        wanted = set(options.partition.split(","))
    if missing := sorted(wanted - set(known)):
        message = f"Slurm has no partition {' and no partition '.join(missing)}"
        return [], [wrong("partition", message, write_one_of("partition", known))]
    mine = [node for node in nodes if node.partition in wanted]
    findings = []
    if options.constraint is not None:
        features = sorted({feature for node in mine for feature in node.features})
        if missing := sorted(name for name in _names(options.constraint) if name not in features):
            fix = (
                f"write constraint with {', '.join(features)}"
                if features
                else "remove constraint: no node has features"
            )
            return [], [wrong("constraint", f"no node of {', '.join(wanted)} has {', '.join(missing)}", fix)]
        mine = [node for node in mine if _fits(node, options.constraint)]
        findings.append(ok("constraint", f"{options.constraint}: {_nodes(len({node.name for node in mine}))}"))
    usable = [node for node in mine if not node.state.startswith(UNUSABLE)]
    names, all_names = {node.name for node in usable}, {node.name for node in mine}
    message = f"{', '.join(sorted(wanted))}{'' if options.partition else ' (the default)'}: {_nodes(len(names))}"
    message += f", {len(all_names - names)} more are down or drained" if len(all_names) > len(names) else ""
    if not names:
        return mine, [*findings, wrong("partition", message, "ask the site when its nodes are available again")]
    return usable, [ok("partition", message), *findings]


def _names(constraint: str) -> set[str]:
    """Return the features that a constraint names, without its counts."""
    return {name for name in re.findall(r"[^&|()\[\],*\s]+", constraint) if not name.isdigit()}


def _fits(node: Node, constraint: str) -> bool:
    """Return whether a node has the features of a constraint, or any of them if it has brackets or counts."""
    if re.search(r"[()\[\]*]", constraint):
        return bool(node.features & _names(constraint))
    return any(all(name in node.features for name in re.split(r"[&,]", part)) for part in constraint.split("|"))


# --- what is declared -------------------------------------------------------------------------------------------


def declaration_findings(nodes: Sequence[Node], platform: Platform) -> list[Finding]:
    """Return whether the nodes that a job may get have what the platform declares."""
    by_name = list({node.name: node for node in nodes}.values())
    if platform.nodes > len(by_name):
        message = f"{platform.nodes} nodes are declared, but a job can get only {len(by_name)}"
        count = wrong("nodes", message, f"write nodes = {len(by_name)}")
    else:
        count = ok("nodes", f"{platform.nodes} declared of {len(by_name)}")
    rows: list[tuple[str, str, float | None, list[float]]] = [
        ("cores", "cores_per_node", platform.cores_per_node, [node.cores for node in by_name]),
        ("memory", "memory_gb", platform.memory_gb, [node.memory_gb for node in by_name]),
        ("GPUs", "gpus_per_node", platform.gpus_per_node, [node.gpus for node in by_name]),
    ]
    return [count, *(_declared(check, key, declared, has, platform.nodes) for check, key, declared, has in rows)]


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _declared(check: str, key: str, declared: float | None, has: Sequence[float], nodes: int) -> Finding:
    least, most = min(has), max(has)
    unit = " GB" if check == "memory" else ""
    actual = f"{least:.4g}{unit}" if least == most else f"{least:.4g} to {most:.4g}{unit}"
    enough = sorted(has, reverse=True)[min(nodes, len(has)) - 1]  # the most that the declared number of nodes has
    if declared is None:
        if check != "cores" and not (check == "GPUs" and most):
            return ok(check, f"none declared, a node has {actual}")
        what = "threads or ranks" if check == "cores" else "gpus"
        message = f'{key} is missing, a node has {actual}: cases with {what} = "max" are refused'
        return warning(check, message, f"write {key} = {int(least)}")
    if check == "GPUs" and not most:
        message = f"{declared:g} declared, but Slurm lists none: the nodes have no GPUs, or Slurm does not manage them"
        return warning(check, message, "look at a node: srun nvidia-smi -L") if declared else ok(check, "none")
    fit = sum(value >= declared for value in has)
    if declared > enough:
        message = f"{declared:g}{unit} declared, but a node has {actual}: {fit} of {len(has)} nodes have enough"
        return wrong(check, message, f"write {key} = {int(enough)}")
    if declared > least:
        message = f"{declared:g}{unit} declared, a node has {actual}: only {fit} of {len(has)} nodes can run the jobs"
        fix = "name these nodes by the option constraint, so that all measurements are on the same kind of node"
        return warning(check, message, fix)
    return ok(check, f"{declared:g}{unit} declared, a node has {actual}")


def limit_findings(nodes: Sequence[Node], options: SlurmOptions) -> list[Finding]:
    """Return whether the partition allows the time that a job requests."""
    limits = {node.partition: node.limit for node in nodes}
    known = {seconds: limit for limit in limits.values() if (seconds := seconds_of(limit)) is not None}
    if not known:
        return [ok("time limit", "none")]
    least = min(known)
    if options.time_limit_s is None:
        fix = f"write time_limit_s = {least:.0f}"
        return [ok("time limit", f"{known[least]}; Slurm refuses a job that requests more time: {fix}")]
    if options.time_limit_s > least:
        message = f"time_limit_s is {options.time_limit_s:g}, but the partition allows only {known[least]}"
        return [wrong("time limit", message, f"write time_limit_s = {least:.0f}")]
    return [ok("time limit", f"{options.time_limit_s:g} s of {known[least]}")]
