"""The answer of sbatch: the number of the job, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.errors import SubmitError, Unreachable

from .commands import UnexpectedOutput, submitted_job
from .options import SlurmOptions
from .transport import NOT_FOUND, CommandResult

LOGIN = "start daasbench on a login node, or name a login node by the option host"
# a client of Slurm outside of its cluster ends with one of these
NO_CONFIGURATION = ("Could not establish a configuration source", "Unable to process configuration file")
# in sbatch's message if slurmctld may have accepted the job
UNCERTAIN = ("unable to contact", "timed out", "communication", "connection", "zero bytes")


def accepted(result: CommandResult, where: str, jobs: Sequence[str]) -> tuple[str, str]:
    """Return number and cluster of the job that sbatch submitted.

    Raises
    ------
    SubmitError
        Slurm refused the job, or there is no sbatch.
    Unreachable
        It is not known whether Slurm accepted the job.
    """
    at = f"{where}: " if where else ""
    if result.code == NOT_FOUND:
        message = f"{at}the command sbatch is missing: {result.err.strip()}"
        raise SubmitError(
            f"{message}; run daasbench on a machine that has sbatch, or name such a machine by the option host"
        )
    lines = [line.strip().removeprefix("sbatch: error: ") for line in result.err.splitlines()]
    reason = ", ".join(line.removeprefix("sbatch: fatal: ") for line in lines if line)
    if result.code != 0:
        if reason.endswith(NO_CONFIGURATION):
            fix = "correct the option host" if where else LOGIN
            raise SubmitError(f"{at or 'on this machine: '}Slurm does not answer: {reason.rpartition(', ')[2]}; {fix}")
        if any(text in reason.lower() for text in UNCERTAIN):
            raise Unreachable(f"{at}sbatch: {reason}")
        named = jobs[0] if len(jobs) == 1 else f"{jobs[0]} ... {jobs[-1]}"
        message = f"{at}Slurm refused {named}: {reason or f'exit code {result.code}'}"
        raise SubmitError(f"{message}; correct the platform file")
    try:
        return submitted_job(result.out)
    except UnexpectedOutput as error:
        raise Unreachable(f"{at}{error}") from error


def cluster_of(options: SlurmOptions) -> str:
    """Return the cluster that the options name by a flag of sbatch; "": the default one."""
    return next((flag.removeprefix("--clusters=") for flag in options.sbatch if flag.startswith("--clusters=")), "")
