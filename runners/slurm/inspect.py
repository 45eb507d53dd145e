"""A Slurm looked at before it is used: what it says of itself, and what one of its nodes says.

Every question here only looks; a node itself is asked by :mod:`.visit`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from daasbench.errors import Unreachable
from daasbench.inspection.platform import Finding, FindingLevel, ok, warning, wrong
from daasbench.model import Platform

from .options import SlurmOptions, options_of
from .shell import NOT_FOUND, Shell
from .visit import clusters, folder_findings_there, last_line, request_words, visit

LOGIN = "look from a login node, or name one by the option host"
NODE_FIELDS = "%N|%R|%P|%l|%c|%m|%G|%f|%T"
USELESS = ("down", "drain", "fail", "maint", "unknown")  # states, as they begin
_GPUS = re.compile(r"gpu(?::[^:,()]+)?:(\d+)")
_LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?P<parts>\d+(?::\d+){0,2})")
MEGABYTE = 2**20 / 1e9  # Slurm's, in ours


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What Slurm says of a node in a partition."""

    name: str
    partition: str
    default: bool
    limit: str
    cores: int
    memory_gb: float
    gpus: int
    features: frozenset[str]
    state: str


def inspect_slurm(platform: Platform, folder: Path, shell: Shell) -> list[Finding]:
    """Return what Slurm and a node of it say of a platform."""
    options = options_of(platform.options)
    try:
        found, usable = queue_findings(platform, options, shell)
        if usable:
            found += folder_findings_there(shell, folder, options)
            found += visit(shell, platform, options, folder)
    except Unreachable as error:
        return [wrong("scheduler", str(error), "mend that, and look again")]
    return found


def queue_findings(platform: Platform, options: SlurmOptions, shell: Shell) -> tuple[list[Finding], bool]:
    """Return what Slurm says of a platform, and whether a job could get one of its nodes.

    Raises
    ------
    Unreachable
        The place of Slurm's commands does not answer.
    """
    found, nodes = _reached(shell, options)
    if not nodes:
        return found, False
    fitting, more = partition_findings(nodes, options)
    found += [*more, *_accounting(shell, options)]
    if not fitting:
        return found, False
    found += node_findings(fitting, platform)
    found += limit_findings(fitting, options)
    if all(one.level is not FindingLevel.WRONG for one in found):
        found.append(_rehearsal(shell, platform, options))
    return found, True


def _reached(shell: Shell, options: SlurmOptions) -> tuple[list[Finding], list[Node]]:
    """Return whether Slurm's commands are there and its controller answers, and all nodes of all partitions."""
    at = f" at {shell.where}" if shell.where else " here"
    found = []
    if shell.where:
        shell.run(["true"])
        found.append(ok("host", f"{shell.where} answers over ssh"))
    absent = [name for name in ("sbatch", "squeue", "scancel") if _absent(shell, name)]
    if absent:
        fix = "look from a login node, or name one by the option host" if not shell.where else "correct the option host"
        return [*found, wrong("scheduler", f"there is no {' and no '.join(absent)}{at}", fix)], []
    said = shell.run(["sinfo", "--noheader", "--Node", "--all", *clusters(options), f"--format={NODE_FIELDS}"])
    nodes = read_nodes(said.out)
    if said.code or not nodes:
        message = f"Slurm does not answer{at}: {last_line(said)}"
        return [*found, wrong("scheduler", message, LOGIN)], []
    version = shell.run(["sinfo", "--version"]).out.strip()
    parts = len({one.partition for one in nodes})
    message = f"{version or 'Slurm'}{at}: {len({one.name for one in nodes})} nodes in {parts} partitions"
    return [*found, ok("scheduler", message)], nodes


def _absent(shell: Shell, program: str) -> bool:
    return shell.run([program, "--version"]).code == NOT_FOUND


# --- what it has ------------------------------------------------------------------------------------------------


def read_nodes(text: str) -> list[Node]:
    """Return the nodes that sinfo names; a line of another form is left aside."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != len(NODE_FIELDS.split("|")) or not (fields[4].isdigit() and fields[5].isdigit()):
            continue
        name, partition, starred, limit, cores, memory, gres, features, state = fields
        found.append(
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
    return found


def partition_findings(nodes: Sequence[Node], options: SlurmOptions) -> tuple[list[Node], list[Finding]]:
    """Return the nodes that a job may get, and whether the partition and the constraint are there."""
    known = sorted({one.partition for one in nodes})
    if options.partition is None:
        asked = {one.partition for one in nodes if one.default}
        if not asked:
            message = "none is named, and Slurm has no default"
            return [], [wrong("partition", message, f"write partition = one of {', '.join(known)}")]
    else:
        asked = set(options.partition.split(","))
    if missing := sorted(asked - set(known)):
        message = f"there is no {' and no '.join(missing)}"
        return [], [wrong("partition", message, f"write partition = one of {', '.join(known)}")]
    mine = [one for one in nodes if one.partition in asked]
    found = []
    if options.constraint is not None:
        words = set(re.findall(r"[^&|()\[\],*\s]+", options.constraint))
        features = sorted({feature for one in mine for feature in one.features})
        if lost := sorted(word for word in words if not word.isdigit() and word not in features):
            fix = f"write constraint with {', '.join(features) or 'nothing: these nodes have no features'}"
            return [], [wrong("constraint", f"no node of {', '.join(asked)} has {', '.join(lost)}", fix)]
        mine = [one for one in mine if _fits(one, options.constraint)]
        found.append(ok("constraint", f"{options.constraint}: {len({one.name for one in mine})} nodes"))
    useful = [one for one in mine if not one.state.startswith(USELESS)]
    names, all_names = {one.name for one in useful}, {one.name for one in mine}
    message = f"{', '.join(sorted(asked))}{'' if options.partition else ' (the default)'}: {len(names)} nodes"
    message += f", {len(all_names - names)} more are down or drained" if len(all_names) > len(names) else ""
    if not names:
        return mine, [*found, wrong("partition", message, "ask the site when its nodes are back")]
    return useful, [ok("partition", message), *found]


def _fits(node: Node, constraint: str) -> bool:
    """Return whether a node has the features of a constraint; of one with brackets or counts, whether it has any."""
    if re.search(r"[()\[\]*]", constraint):
        return bool(node.features & set(re.findall(r"[^&|()\[\],*\s]+", constraint)))
    return any(all(word in node.features for word in re.split(r"[&,]", part)) for part in constraint.split("|"))


def node_findings(nodes: Sequence[Node], platform: Platform) -> list[Finding]:
    """Return how what is declared agrees with the nodes that a job may get."""
    by_name = list({one.name: one for one in nodes}.values())
    found = []
    if platform.nodes > len(by_name):
        message = f"{platform.nodes} are declared, a job may get {len(by_name)}"
        found.append(wrong("nodes", message, f"write nodes = {len(by_name)}"))
    else:
        found.append(ok("nodes", f"{platform.nodes} declared of {len(by_name)}"))
    rows: list[tuple[str, str, float | None, list[float]]] = [
        ("cores", "cores_per_node", platform.cores_per_node, [one.cores for one in by_name]),
        ("memory", "memory_gb", platform.memory_gb, [one.memory_gb for one in by_name]),
        ("GPUs", "gpus_per_node", platform.gpus_per_node, [one.gpus for one in by_name]),
    ]
    return [*found, *(_declared(check, key, said, has, platform.nodes) for check, key, said, has in rows)]


def _declared(check: str, key: str, declared: float | None, has: Sequence[float], nodes: int) -> Finding:
    least, most = min(has), max(has)
    unit = " GB" if check == "memory" else ""
    theirs = f"{least:.4g}{unit}" if least == most else f"{least:.4g} to {most:.4g}{unit}"
    enough = sorted(has, reverse=True)[min(nodes, len(has)) - 1]  # that as many nodes have as are declared
    if declared is None:
        if check != "cores" and not (check == "GPUs" and most):
            return ok(check, f"none declared, a node has {theirs}")
        message = f"none declared, a node has {theirs}: what this machine has is taken for its number"
        return warning(check, message, f"write {key} = {int(least)}")
    if check == "GPUs" and not most:
        message = f"{declared:g} declared, Slurm tells of none: they come with the node, or there are none"
        return warning(check, message, "see one: srun nvidia-smi -L") if declared else ok(check, "none")
    if declared > enough:
        fit = sum(one >= declared for one in has)
        message = f"{declared:g}{unit} declared, a node has {theirs}: {fit} of {len(has)} have as much"
        return wrong(check, message, f"write {key} = {int(enough)}")
    if declared > least:
        fit = sum(one >= declared for one in has)
        message = f"{declared:g}{unit} declared, a node has {theirs}: jobs wait for {fit} of {len(has)} nodes"
        return warning(
            check, message, "name those by the option constraint, so that all figures are of one kind of node"
        )
    return ok(check, f"{declared:g}{unit} declared, a node has {theirs}")


def seconds_of(limit: str) -> float | None:
    """Return the seconds of one of Slurm's time limits; None for none."""
    match = _LIMIT.fullmatch(limit)
    if match is None:
        return None
    parts = [int(part) for part in match["parts"].split(":")]
    days = int(match["days"] or 0)
    # "2-3": days and hours; "5": minutes; "5:30": minutes and seconds
    hms = [*parts, 0, 0][:3] if match["days"] else [0, *parts, 0][:3] if len(parts) == 1 else [0, 0, *parts][-3:]
    return days * 86400.0 + hms[0] * 3600.0 + hms[1] * 60.0 + hms[2]


def limit_findings(nodes: Sequence[Node], options: SlurmOptions) -> list[Finding]:
    """Return whether the partition gives the time that a job asks for."""
    limits = {one.partition: seconds_of(one.limit) for one in nodes}
    known = [limit for limit in limits.values() if limit is not None]
    if not known:
        return [ok("time limit", "none")]
    least, word = min(known), next(one.limit for one in nodes if seconds_of(one.limit) == min(known))
    if options.time_limit_s is None:
        return [ok("time limit", f"{word}; a job that may take longer is refused: write time_limit_s = {least:.0f}")]
    if options.time_limit_s > least:
        message = f"time_limit_s is {options.time_limit_s:g}, the partition gives {word}"
        return [wrong("time limit", message, f"write time_limit_s = {least:.0f}")]
    return [ok("time limit", f"{options.time_limit_s:g} s of {word}")]


# --- who may use it ---------------------------------------------------------------------------------------------


def _accounting(shell: Shell, options: SlurmOptions) -> list[Finding]:
    """Return whether there is accounting, and whether account and qos may be used."""
    said = shell.run(["scontrol", *clusters(options), "show", "config"])
    settings = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", said.out, re.MULTILINE))
    kept = settings.get("AccountingStorageType", "")
    if kept in ("", "(null)", "accounting_storage/none"):
        found = [ok("accounting", "off: how a job ended is read from the queue and from the job's own folder")]
        named = [key for key in ("account", "qos") if getattr(options, key)]
        if named:
            message = f"a Slurm without accounting does not look at {' and '.join(named)}"
            found.append(warning("account", message, f"leave out {' and '.join(named)}"))
        return found
    found = [ok("accounting", f"on ({kept.rpartition('/')[2]}), enforced: {settings.get('AccountingStorageEnforce')}")]
    user = shell.run(["id", "-un"]).out.strip()
    asked = ["sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}", "format=account,qos"]
    answer = shell.run(asked)
    if answer.code:
        return [*found, warning("account", f"sacctmgr does not tell: {last_line(answer)}")]
    return [*found, *account_findings(answer.out, options, user)]


def account_findings(text: str, options: SlurmOptions, user: str) -> list[Finding]:
    """Return whether a user's accounts and qualities of service, as sacctmgr names them, are those of the platform."""
    rows = [line.split("|") for line in text.splitlines() if "|" in line]
    accounts = {row[0] for row in rows}
    qos = {one for row in rows for one in row[1].split(",")} - {""}
    found = []
    for key, named, known in (("account", options.account, accounts), ("qos", options.qos, qos)):
        if named is not None and named not in known:
            fix = f"write {key} = one of {', '.join(sorted(known))}" if known else "ask the site for one"
            found.append(wrong(key, f"{user} may not use {named}", fix))
        elif named is not None:
            found.append(ok(key, f"{user} may use {named}"))
    return found


def _rehearsal(shell: Shell, platform: Platform, options: SlurmOptions) -> Finding:
    """Return whether sbatch would take a job of the whole platform; nothing is submitted."""
    words = ["sbatch", "--test-only", *request_words(platform, options), "--wrap", "true"]
    said = shell.run(words)
    message = last_line(said).removeprefix("sbatch: ").removeprefix("error: ")
    if said.code:
        return wrong(
            "request", f"sbatch refuses a job of the whole platform: {message}", "correct the platform's options"
        )
    return ok("request", f"sbatch would take a job of the whole platform: {message}")
