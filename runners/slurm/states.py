"""Slurm's states of a job, and their meaning in daasbench. Sources: squeue(1), sacct(1), slurm.h of 22.05 to 25.05."""

from __future__ import annotations

import signal

import msgspec

from daasbench.model import JobState, JobStatus, Noun, Reason


class SlurmRow(Noun, frozen=True, kw_only=True):
    """One job in the output of squeue or sacct; times are UTC, ISO 8601."""

    id: str  # 1234, or 1234_7
    name: str
    state: str  # verbatim
    reason: str = ""
    code: int | None = None
    signal: int | None = None
    queued_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    nodes: int | None = None
    hosts: str = ""


class Meaning(msgspec.Struct, frozen=True):
    """The meaning of one of Slurm's states."""

    state: JobState
    reason: Reason | None = None
    message: str = ""


_P, _R, _F = JobState.PENDING, JobState.RUNNING, JobState.FAILED
AGAIN = "run the same command again to measure what is missing"

STATES: dict[str, Meaning] = {
    # waiting
    "PENDING": Meaning(_P),
    "CONFIGURING": Meaning(_P, None, "its nodes are being started"),
    "POWER_UP_NODE": Meaning(_P, None, "its nodes are being started"),
    "EXPEDITING": Meaning(_P, None, "it was requeued, at the front of the queue"),
    "REQUEUED": Meaning(_P, None, "it was requeued"),
    "REQUEUE_FED": Meaning(_P, None, "it was requeued in its federation"),
    "REQUEUE_HOLD": Meaning(_P, None, "it was requeued and is held; release it: scontrol release"),
    "RESV_DEL_HOLD": Meaning(
        _P, None, "it is held, because its reservation was deleted; cancel it, or name another reservation"
    ),
    "SPECIAL_EXIT": Meaning(
        _P, None, "it was requeued and is held by a rule of the site; release it: scontrol release"
    ),
    # running
    "RUNNING": Meaning(_R),
    "COMPLETING": Meaning(_R, None, "it has ended, and its nodes are being cleaned up"),
    "RESIZING": Meaning(_R, None, "its allocation is changing"),
    "SIGNALING": Meaning(_R, None, "it is receiving a signal"),
    "STAGE_OUT": Meaning(_R, None, "its files are being staged out"),
    "STOPPED": Meaning(_R, None, "it is stopped by a signal; continue it: scancel --signal=CONT"),
    "SUSPENDED": Meaning(_R, None, "it is suspended; continue it: scontrol resume"),
    # ended
    "COMPLETED": Meaning(JobState.DONE),
    "FAILED": Meaning(_F, Reason.HARNESS),  # see `_failure`
    "LAUNCH_FAILED": Meaning(_F, Reason.SCHEDULER, "Slurm could not start it on its node"),
    "RECONFIG_FAIL": Meaning(_F, Reason.BOOT, "its nodes could not be set up"),
    "BOOT_FAIL": Meaning(_F, Reason.BOOT, "its nodes did not boot"),
    "NODE_FAIL": Meaning(_F, Reason.INTERRUPTED, f"one of its nodes failed; {AGAIN}"),
    "OUT_OF_MEMORY": Meaning(_F, Reason.KERNEL, "it used more memory than it was allocated; raise memory_gb"),
    "TIMEOUT": Meaning(
        JobState.TIMEOUT, Reason.INTERRUPTED, f"it reached its time limit; {AGAIN}, with a higher time_limit_s"
    ),
    "DEADLINE": Meaning(
        JobState.TIMEOUT, Reason.SCHEDULER, "it could not end before its deadline; set a later deadline"
    ),
    "PREEMPTED": Meaning(_F, Reason.INTERRUPTED, f"it was preempted by a job of higher priority; {AGAIN}"),
    "CANCELLED": Meaning(JobState.CANCELLED, Reason.INTERRUPTED, f"it was cancelled; {AGAIN}"),
    "REVOKED": Meaning(
        JobState.CANCELLED, Reason.INTERRUPTED, f"another cluster of the federation started it; {AGAIN}"
    ),
}

BLOCKED: dict[str, str] = {  # reasons why a job waits, if waiting does not help
    "AccountNotAllowed": "the partition does not accept this account; correct the options account and partition",
    "AssocGrpBillingMinutes": "the account's time is used up; ask for more, or name another account",
    "AssocGrpCPUMinutesLimit": "the account's time is used up; ask for more, or name another account",
    "AssocMaxJobsLimit": "",  # until other jobs end
    "AssocMaxCpuPerJobLimit": "it requests more processors than the account allows; lower threads, ranks or nodes",
    "AssocMaxNodePerJobLimit": "it requests more nodes than the account allows; lower nodes",
    "AssocMaxWallDurationPerJobLimit": (
        "it requests more time than the account allows; lower repeat.limit_s or time_limit_s"
    ),
    "BadConstraints": "no node has what it requests; correct constraint, gpus, memory_gb or cores_per_node",
    "Dependency": "it waits for another of your jobs",
    "DependencyNeverSatisfied": "the job that it waits for has failed; cancel it",
    "InvalidAccount": "Slurm does not know the account; correct the option account",
    "InvalidQOS": "Slurm does not know this quality of service; correct the option qos",
    "JobHeldAdmin": "an administrator holds it; ask the site",
    "JobHeldUser": "you hold it; release it: scontrol release",
    "PartitionConfig": "the partition has no nodes for it; lower nodes, threads or gpus, or name another partition",
    "PartitionDown": "the partition is down; wait for the site, or name another partition",
    "PartitionInactive": "the partition accepts jobs but starts none; wait for the site, or name another partition",
    "PartitionNodeLimit": "the partition allows fewer nodes per job; lower nodes, or name another partition",
    "PartitionTimeLimit": "the partition allows less time per job; set time_limit_s, or name another partition",
    "QOSMaxCpuPerJobLimit": "this qos allows fewer processors per job; lower threads, ranks or nodes",
    "QOSMaxNodePerJobLimit": "this qos allows fewer nodes per job; lower nodes",
    "QOSMaxWallDurationPerJobLimit": "this qos allows less time per job; set time_limit_s, or name another qos",
    "QOSNotAllowed": "the account or the partition may not use this qos; correct the option qos",
    "ReqNodeNotAvail": "nodes that it needs are drained, down or reserved; wait for the site, or request other nodes",
    "ReservationDeleted": "its reservation was deleted; cancel it, or name another reservation",
}

SENTENCES: dict[str, str] = {  # beginnings of sentences of slurmctld that squeue may show instead of a reason
    "Nodes required for job are DOWN, DRAINED or reserved": "ReqNodeNotAvail",
    "Job held by administrator": "JobHeldAdmin",
    "Job held by user": "JobHeldUser",
}

STOPPED = (130, 143)  # exit codes of a worker, and of a shell, after SIGTERM
CLAIMED = 4  # exit code of a worker whose job is claimed by another worker
NO_PROGRAM = (126, 127)  # exit codes of a shell


def status_of(row: SlurmRow) -> JobStatus:
    """Return the status of a job; a state that daasbench does not know is LOST."""
    state = row.state.split(" ")[0].rstrip("+")  # "CANCELLED by 1000"; sacct cuts long states
    meaning = STATES.get(state)
    if meaning is None:
        message = (
            f"Slurm reports the state {row.state!r}, which daasbench does not know; see: scontrol show job {row.id}"
        )
        meaning = Meaning(JobState.LOST, Reason.SCHEDULER, message)
    elif state == "FAILED":
        meaning = _failure(row)
    elif meaning.state is JobState.PENDING:
        meaning = msgspec.structs.replace(meaning, message=_waiting(row.reason) or meaning.message)
    begun = meaning.state is not JobState.PENDING
    ended = meaning.state not in (JobState.PENDING, JobState.RUNNING)
    return JobStatus(
        state=meaning.state,
        native=row.state,
        message=meaning.message,
        reason=meaning.reason,
        queued_at=row.queued_at,
        started_at=row.started_at if begun else None,  # of a waiting job: an estimate
        ended_at=row.ended_at if ended else None,  # of a running job: its time limit
        nodes=row.nodes,
        hosts=row.hosts,
        exit=row.code if state in ("COMPLETED", "FAILED") and not row.signal else None,
    )


def _waiting(reason: str) -> str:
    """Return why a job waits: Slurm's reason, and what to do if waiting does not help."""
    if reason in ("", "None", "(null)", "N/A"):
        return ""
    named = next((name for begin, name in SENTENCES.items() if reason.replace("_", " ").startswith(begin)), "")
    fix = BLOCKED.get(named or reason.split(",")[0].strip(), "")  # "ReqNodeNotAvail, UnavailableNodes:n3"
    return f"{reason}: {fix}" if fix else reason


def _failure(row: SlurmRow) -> Meaning:
    """Return why a job ended with an exit code that is not 0, or by a signal."""
    if row.signal == signal.SIGTERM or (not row.signal and row.code in STOPPED):
        return Meaning(
            _F, Reason.INTERRUPTED, f"it received SIGTERM, as a job does shortly before its time limit; {AGAIN}"
        )
    if row.signal:
        try:
            name = signal.Signals(row.signal).name
        except ValueError:
            name = f"signal {row.signal}"
        return Meaning(_F, Reason.INTERRUPTED, f"it was ended by {name}; {AGAIN}")
    if row.code == CLAIMED:
        return Meaning(_F, Reason.INTERRUPTED, "another worker has the job; this one did nothing")
    if row.code in NO_PROGRAM:
        message = "a program was not found on its node; correct the options python, modules and setup, and see its log"
        return Meaning(_F, Reason.HARNESS, message)
    why = f" ({row.reason})" if row.reason not in ("", "None", "NonZeroExitCode") else ""
    how = "it failed" if row.code is None else f"it ended with exit code {row.code}"
    return Meaning(_F, Reason.HARNESS, f"{how}{why}; see its log")


__all__ = ["AGAIN", "BLOCKED", "STATES", "SlurmRow", "status_of"]
