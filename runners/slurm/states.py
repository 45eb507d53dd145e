"""Slurm's words for what a job is doing, and ours. The sources: squeue(1), sacct(1), slurm.h of 22.05 to 25.05."""

from __future__ import annotations

import signal

import msgspec

from daasbench.model import JobState, JobStatus, Noun, Reason


class SlurmRow(Noun, frozen=True, kw_only=True):
    """What Slurm says of one job; times are UTC, ISO 8601."""

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
    """What a word of Slurm's means to us."""

    state: JobState
    reason: Reason | None = None
    message: str = ""


_P, _R, _F = JobState.PENDING, JobState.RUNNING, JobState.FAILED
AGAIN = "the same command measures what is left"

STATES: dict[str, Meaning] = {
    # it waits
    "PENDING": Meaning(_P),
    "CONFIGURING": Meaning(_P, None, "its nodes are being started"),
    "POWER_UP_NODE": Meaning(_P, None, "its nodes are being started"),
    "EXPEDITING": Meaning(_P, None, "it is put back into the queue, to the front"),
    "REQUEUED": Meaning(_P, None, "it was put back into the queue"),
    "REQUEUE_FED": Meaning(_P, None, "it was put back into the queue of its federation"),
    "REQUEUE_HOLD": Meaning(_P, None, "it was put back into the queue and is held; release it: scontrol release"),
    "RESV_DEL_HOLD": Meaning(_P, None, "it is held: its reservation was deleted; cancel it, or name another"),
    "SPECIAL_EXIT": Meaning(_P, None, "it was put back and is held by the site's rule; release it: scontrol release"),
    # it runs
    "RUNNING": Meaning(_R),
    "COMPLETING": Meaning(_R, None, "it has ended, its nodes are being cleaned up"),
    "RESIZING": Meaning(_R, None, "its allocation changes"),
    "SIGNALING": Meaning(_R, None, "it is being sent a signal"),
    "STAGE_OUT": Meaning(_R, None, "its files are being staged out"),
    "STOPPED": Meaning(_R, None, "it is stopped by a signal; go on: scancel --signal=CONT"),
    "SUSPENDED": Meaning(_R, None, "it is suspended; go on: scontrol resume"),
    # it has ended
    "COMPLETED": Meaning(JobState.DONE),
    "FAILED": Meaning(_F, Reason.HARNESS),  # see `_failure`
    "LAUNCH_FAILED": Meaning(_F, Reason.SCHEDULER, "Slurm could not start it on its node"),
    "RECONFIG_FAIL": Meaning(_F, Reason.BOOT, "its nodes could not be set up"),
    "BOOT_FAIL": Meaning(_F, Reason.BOOT, "its nodes did not boot"),
    "NODE_FAIL": Meaning(_F, Reason.INTERRUPTED, f"one of its nodes failed; {AGAIN}"),
    "OUT_OF_MEMORY": Meaning(_F, Reason.KERNEL, "it took more memory than it was given; raise memory_gb"),
    "TIMEOUT": Meaning(
        JobState.TIMEOUT, Reason.INTERRUPTED, f"it reached its time limit; {AGAIN}, with a higher time_limit_s"
    ),
    "DEADLINE": Meaning(JobState.TIMEOUT, Reason.SCHEDULER, "it could not end before its deadline; give a later one"),
    "PREEMPTED": Meaning(_F, Reason.INTERRUPTED, f"it had to give way to a job of higher priority; {AGAIN}"),
    "CANCELLED": Meaning(JobState.CANCELLED, Reason.INTERRUPTED, f"it was cancelled; {AGAIN}"),
    "REVOKED": Meaning(JobState.CANCELLED, Reason.INTERRUPTED, f"another cluster of the federation took it; {AGAIN}"),
}

NEVER: dict[str, str] = {  # why a job waits, where waiting does not help
    "AccountNotAllowed": "the partition does not take this account; correct the options account and partition",
    "AssocGrpBillingMinutes": "the account's time is used up; ask for more, or name another account",
    "AssocGrpCPUMinutesLimit": "the account's time is used up; ask for more, or name another account",
    "AssocMaxJobsLimit": "",  # it ends with other jobs
    "AssocMaxCpuPerJobLimit": "the account may not have so many processors in a job; lower threads, ranks or nodes",
    "AssocMaxNodePerJobLimit": "the account may not have so many nodes in a job; lower nodes",
    "AssocMaxWallDurationPerJobLimit": "the account may not run so long; lower repeat.limit_s, or set time_limit_s",
    "BadConstraints": "no node is as it asks; correct constraint, gpus, memory_gb or cores_per_node",
    "Dependency": "it waits for a job of yours",
    "DependencyNeverSatisfied": "the job that it waits for has failed; cancel it",
    "InvalidAccount": "Slurm does not know the account; correct the option account",
    "InvalidQOS": "Slurm does not know this quality of service; correct the option qos",
    "JobHeldAdmin": "the site holds it; ask there",
    "JobHeldUser": "you hold it; release it: scontrol release",
    "PartitionConfig": "the partition has no nodes for it; lower nodes, threads or gpus, or name another",
    "PartitionDown": "the partition is down; wait for the site, or name another",
    "PartitionInactive": "the partition takes jobs and starts none; wait for the site, or name another",
    "PartitionNodeLimit": "the partition gives fewer nodes to a job; lower nodes, or name another",
    "PartitionTimeLimit": "the partition gives less time to a job; set time_limit_s, or name another",
    "QOSMaxCpuPerJobLimit": "this qos gives fewer processors to a job; lower threads, ranks or nodes",
    "QOSMaxNodePerJobLimit": "this qos gives fewer nodes to a job; lower nodes",
    "QOSMaxWallDurationPerJobLimit": "this qos gives less time to a job; set time_limit_s, or name another",
    "QOSNotAllowed": "account or partition may not use this qos; correct the option qos",
    "ReqNodeNotAvail": "nodes that it needs are drained, down or reserved; wait for the site, or ask for others",
    "ReservationDeleted": "its reservation was deleted; cancel it, or name another",
}

SENTENCES: dict[str, str] = {  # slurmctld's own, which squeue shows in place of a word, as they begin
    "Nodes required for job are DOWN, DRAINED or reserved": "ReqNodeNotAvail",
    "Job held by administrator": "JobHeldAdmin",
    "Job held by user": "JobHeldUser",
}

STOPPED = (130, 143)  # exit codes of a worker, and of a shell, that were asked to end
CLAIMED = 4  # of a worker whose job another has
NO_PROGRAM = (126, 127)  # of a shell


def status_of(row: SlurmRow) -> JobStatus:
    """Return our state of what Slurm says; a word that nobody knows is LOST."""
    word = row.state.split(" ")[0].rstrip("+")  # "CANCELLED by 1000"; sacct cuts long words
    meaning = STATES.get(word)
    if meaning is None:
        message = f"Slurm calls it {row.state!r}, which daasbench does not know; look: scontrol show job {row.id}"
        meaning = Meaning(JobState.LOST, Reason.SCHEDULER, message)
    elif word == "FAILED":
        meaning = _failure(row)
    elif meaning.state is JobState.PENDING:
        meaning = msgspec.structs.replace(meaning, message=_waits(row.reason) or meaning.message)
    begun = meaning.state is not JobState.PENDING
    ended = meaning.state not in (JobState.PENDING, JobState.RUNNING)
    return JobStatus(
        state=meaning.state,
        native=row.state,
        message=meaning.message,
        reason=meaning.reason,
        queued_at=row.queued_at,
        started_at=row.started_at if begun else None,  # of one that waits: a guess
        ended_at=row.ended_at if ended else None,  # of one that runs: its time limit
        nodes=row.nodes,
        hosts=row.hosts,
        exit=row.code if word in ("COMPLETED", "FAILED") and not row.signal else None,
    )


def _waits(reason: str) -> str:
    """Return why a job waits: Slurm's word, and the cure where waiting does not help."""
    if reason in ("", "None", "(null)", "N/A"):
        return ""
    said = next((word for begin, word in SENTENCES.items() if reason.replace("_", " ").startswith(begin)), "")
    fix = NEVER.get(said or reason.split(",")[0].strip(), "")  # "ReqNodeNotAvail, UnavailableNodes:n3"
    return f"{reason}: {fix}" if fix else reason


def _failure(row: SlurmRow) -> Meaning:
    """Return why a job ended with an exit code that is not 0, or by a signal."""
    if row.signal == signal.SIGTERM or (not row.signal and row.code in STOPPED):
        return Meaning(_F, Reason.INTERRUPTED, f"it was asked to end, as it is shortly before its time limit; {AGAIN}")
    if row.signal:
        try:
            name = signal.Signals(row.signal).name
        except ValueError:
            name = f"signal {row.signal}"
        return Meaning(_F, Reason.INTERRUPTED, f"it was ended by {name}; {AGAIN}")
    if row.code == CLAIMED:
        return Meaning(_F, Reason.INTERRUPTED, "another worker had taken it; this one did nothing")
    if row.code in NO_PROGRAM:
        message = "a program was not found on its node; correct the options python, modules and setup, and see its log"
        return Meaning(_F, Reason.HARNESS, message)
    why = f" ({row.reason})" if row.reason not in ("", "None", "NonZeroExitCode") else ""
    how = "it failed" if row.code is None else f"it ended with exit code {row.code}"
    return Meaning(_F, Reason.HARNESS, f"{how}{why}; see its log")


__all__ = ["AGAIN", "NEVER", "STATES", "SlurmRow", "status_of"]
