"""Preflight checks of a Slurm: its commands, partitions, accounting and limits, and one of its nodes.

Every check here only reads; a node is checked by a test job (:mod:`.node_check`).
"""

from __future__ import annotations

import re
from pathlib import Path

from daasbench.errors import Unreachable
from daasbench.inspection.platform import Finding, FindingLevel, ok, warning, write_one_of, wrong
from daasbench.model import Platform

from ..local_preflight import folder_findings
from .node_check import check_node, clusters, request_flags
from .options import SlurmOptions, options_of
from .partitions import NODE_FIELDS, Node, declaration_findings, limit_findings, parse_nodes, partition_findings
from .submission import LOGIN
from .transport import NOT_FOUND, Transport

# $1: a folder that need not exist; fails if it cannot be written, prints the free space otherwise
_WRITABLE = 'd=$1; while [ ! -d "$d" ]; do d=$(dirname -- "$d"); done; [ -w "$d" ] && df -Pk "$d" | tail -n 1'


def check_slurm(platform: Platform, folder: Path, transport: Transport) -> list[Finding]:
    """Return the findings about a platform, from Slurm and from one of its nodes."""
    options = options_of(platform.options)
    try:
        findings, usable = queue_findings(platform, options, transport)
        if usable:
            findings += results_findings(transport, folder, options)
            findings += check_node(transport, platform, options, folder)
    except Unreachable as error:
        return [wrong("scheduler", str(error), "fix that, and run doctor again")]
    return findings


def queue_findings(platform: Platform, options: SlurmOptions, transport: Transport) -> tuple[list[Finding], bool]:
    """Return the findings from Slurm's commands, and whether a job could get one of its nodes.

    Raises
    ------
    Unreachable
        The machine that has Slurm's commands does not answer.
    """
    findings, nodes = _scheduler(transport, options)
    if not nodes:
        return findings, False
    fitting, found = partition_findings(nodes, options)
    findings += [*found, *_accounting(transport, options)]
    if not fitting:
        return findings, False
    findings += declaration_findings(fitting, platform)
    findings += limit_findings(fitting, options)
    if all(finding.level is not FindingLevel.WRONG for finding in findings):
        findings.append(_test_request(transport, platform, options))
    return findings, True


def _scheduler(transport: Transport, options: SlurmOptions) -> tuple[list[Finding], list[Node]]:
    """Return whether Slurm's commands exist and its controller answers, and all nodes of all partitions."""
    at = f" at {transport.where}" if transport.where else " on this machine"
    findings = []
    if transport.where:
        transport.run(["true"])
        findings.append(ok("host", f"{transport.where} answers over ssh"))
    missing = [name for name in ("sbatch", "squeue", "scancel") if _is_missing(transport, name)]
    if missing:
        fix = "correct the option host" if transport.where else LOGIN
        count, verb = ("commands", "are") if len(missing) > 1 else ("command", "is")
        message = f"the {count} {', '.join(missing)} {verb} missing{at}"
        return [*findings, wrong("scheduler", message, fix)], []
    result = transport.run(["sinfo", "--noheader", "--Node", "--all", *clusters(options), f"--format={NODE_FIELDS}"])
    nodes = parse_nodes(result.out)
    if result.code or not nodes:
        return [*findings, wrong("scheduler", f"Slurm does not answer{at}: {result.last_line}", LOGIN)], []
    version = transport.run(["sinfo", "--version"]).out.strip()
    partitions = len({node.partition for node in nodes})
    message = f"{version or 'Slurm'}{at}: {len({node.name for node in nodes})} nodes in {partitions} partitions"
    return [*findings, ok("scheduler", message)], nodes


def _is_missing(transport: Transport, program: str) -> bool:
    return transport.run([program, "--version"]).code == NOT_FOUND


def results_findings(transport: Transport, folder: Path, options: SlurmOptions) -> list[Finding]:
    """Return whether results can be written, on this machine or into the folder of a machine that shares no files."""
    if not options.apart:
        return folder_findings(folder)
    result = transport.run(["sh", "-c", _WRITABLE, "sh", str(options.folder)])
    at = f"{transport.where}:{options.folder}"
    if result.code:
        fix = "name another by the option folder, which the nodes see too"
        return [wrong("folder", f"{at} cannot be written", fix)]
    fields = result.out.split()
    free = f", {int(fields[3]) * 1024 / 1e9:.3g} GB free" if len(fields) > 3 and fields[3].isdigit() else ""
    return [ok("folder", f"{at} can be written{free}")]


# --- accounting and request -------------------------------------------------------------------------------------


def _accounting(transport: Transport, options: SlurmOptions) -> list[Finding]:
    """Return whether there is accounting, and whether account and qos may be used."""
    result = transport.run(["scontrol", *clusters(options), "show", "config"])
    settings = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", result.out, re.MULTILINE))
    storage = settings.get("AccountingStorageType", "")
    if storage in ("", "(null)", "accounting_storage/none"):
        findings = [ok("accounting", "off: daasbench reads from the queue and from the job's folder how a job ended")]
        named = [key for key in ("account", "qos") if getattr(options, key)]
        if named:
            message = f"this Slurm has no accounting and ignores {' and '.join(named)}"
            findings.append(warning("account", message, f"remove {' and '.join(named)}"))
        return findings
    enforced = settings.get("AccountingStorageEnforce")
    findings = [ok("accounting", f"on ({storage.rpartition('/')[2]}), enforced: {enforced}")]
    user = transport.run(["id", "-un"]).out.strip()
    query = ["sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}", "format=account,qos"]
    result = transport.run(query)
    if result.code:
        return [*findings, warning("account", f"sacctmgr does not list your accounts: {result.last_line}")]
    return [*findings, *account_findings(result.out, options, user)]


def account_findings(text: str, options: SlurmOptions, user: str) -> list[Finding]:
    """Return whether the platform's account and qos are among those that sacctmgr lists for a user."""
    rows = [line.split("|") for line in text.splitlines() if "|" in line]
    accounts = {row[0] for row in rows}
    qos = {name for row in rows for name in row[1].split(",")} - {""}
    findings = []
    for key, named, known in (("account", options.account, accounts), ("qos", options.qos, qos)):
        if named is not None and named not in known:
            fix = write_one_of(key, sorted(known)) if known else f"ask the site for the right {key}"
            findings.append(wrong(key, f"{user} may not use {named}", fix))
        elif named is not None:
            findings.append(ok(key, f"{user} may use {named}"))
    return findings


def _test_request(transport: Transport, platform: Platform, options: SlurmOptions) -> Finding:
    """Return whether sbatch would accept a job of the whole platform; nothing is submitted."""
    result = transport.run(["sbatch", "--test-only", *request_flags(platform, options), "--wrap", "true"])
    message = result.last_line.removeprefix("sbatch: ").removeprefix("error: ")
    if result.code:
        message = f"sbatch refuses a job on all nodes of the platform: {message}"
        return wrong("request", message, "correct the platform's options")
    return ok("request", f"sbatch would accept a job on all nodes of the platform: {message}")
