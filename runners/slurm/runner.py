"""The runner of Slurm sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.errors import Unreachable
from daasbench.inspection.platform import Finding
from daasbench.model import Job, JobState, JobStatus, Option, Platform, Reason, Request
from daasbench.records.layout import JOB_FILE, LOG_FILE, RECORDS_FILE
from daasbench.worker import CLAIM, ENDED, STARTED

from . import commands, render
from .batch_script import RenderTarget
from .handle import Site, SlurmHandle, parse
from .options import SlurmOptions, check_slurm_options, options_of
from .poller import GRACE_S
from .preflight import check_slurm
from .render import NOTE, Note
from .sites import Sites, remote_folder, render_target
from .ssh import SshTransport
from .submission import accepted, cluster_of
from .transport import LocalTransport, Transport

FILES = (RECORDS_FILE, LOG_FILE, STARTED, ENDED, CLAIM)  # files of a job that are fetched
SUBMIT_S = 120.0  # seconds to wait for the answer of sbatch
CANCEL_S = 100.0  # seconds for a cancelled job to end: Slurm kills it after 30 s, and its files are visible within 60 s
IDS_PER_COMMAND = 500
ENDED_ALREADY = ("invalid job id", "already completing or completed", "already finished")  # messages of scancel


class SlurmRunner:
    """Submits batch scripts to a Slurm, on this machine or over ssh, and follows its jobs.

    Parameters
    ----------
    clock
        Monotonic seconds.
    grace_s
        Seconds until a job without a trace, which Slurm no longer knows, counts as lost.
    local
        The transport to this machine.
    """

    name = "slurm"

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        grace_s: float = GRACE_S,
        local: Transport | None = None,
    ) -> None:
        self._clock = clock
        self._sites = Sites(local or LocalTransport(), clock, grace_s)
        self._handles: dict[str, SlurmHandle | None] = {}  # parsed
        self._sent: dict[str, int] = {}  # bytes, by handle
        self._fetched: dict[str, int] = {}

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError, naming `where`, if these are not options of this runner."""
        check_slurm_options(options, where, runner=self.name)

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return the findings about a platform; a host that does not answer is tried once."""
        own = options_of(platform.options)
        transport = SshTransport(own.host, own.ssh, sleep=lambda _: None) if own.host else self._sites.local
        return check_slurm(platform, folder, transport)

    # --- rendering

    def split(self, job: Job) -> list[Job]:
        """Return the jobs that a platform's cases become."""
        return render.split(job)

    def render(self, job: Job, folder: Path) -> Request:
        """Return what would be sent for one job; the names of its files are relative to its folder."""
        job, target = self._target(job, folder)
        (request,) = render.requests([job], {job.id: target})
        files = {name.removeprefix(f"{folder.name}/"): text for name, text in request.files.items()}
        return msgspec.structs.replace(request, files=files)

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return what would be sent for several jobs, those of one allocation as an array."""
        targets = [self._target(job, folder / job.id) for job in jobs]
        return render.requests([job for job, _ in targets], {job.id: target for job, target in targets})

    def _target(self, job: Job, folder: Path) -> tuple[Job, RenderTarget]:
        """Return the job with the paths of its site, and its folder and Python there."""
        own = options_of(job.platform.options)
        if not own.apart:
            return job, render.shared_target(folder, own)
        return render_target(job, folder.name, own, self._sites.staging(own))

    # --- submitting

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:  # noqa: ARG002  (no child)
        """Submit one job; return its handle."""
        (handle,) = self._submit(request, dict.fromkeys(request.jobs, folder), folder, folder.name + "/").values()
        return handle

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Submit a request; return the handle of each of its jobs."""
        return self._submit(request, {name: folder / name for name in request.jobs}, folder, "")

    def _submit(self, request: Request, folders: Mapping[str, Path], folder: Path, prefix: str) -> dict[str, str]:
        """Write the files and submit the script; `prefix` completes the names of the files."""
        LocalTransport().write(request.files, str(folder))
        files = {prefix + name: text for name, text in request.files.items()}
        notes = {name: _note(path) for name, path in folders.items()}
        first = msgspec.json.decode(files[f"{folders[request.jobs[0]].name}/{JOB_FILE}"], type=Job)
        own = options_of(first.platform.options)
        transport = self._transport(own)
        root = request.command[-1].rpartition("/")[0].rpartition("/")[0]
        sent = 0
        if own.apart:
            staging = self._sites.staging(own)
            sent += staging.python.prepare()
            sent += staging.copy({path: local for note in notes.values() for path, local in note.staged.items()})
        if root != str(folder.absolute() if not prefix else folder.absolute().parent):
            sent += transport.write(files, root)
        result = transport.run(request.command, timeout_s=SUBMIT_S)
        number, cluster = accepted(result, transport.where, request.jobs)
        handles = {}
        for name, note in notes.items():
            handle = _handle(own, note, number, cluster, f"{root}/{folders[name].name}")
            handles[name] = handle.url
            self._sent[handle.url] = sent
            sent = 0  # counted once, with the first job
            poller = self._sites.poller(handle)
            poller.follow(handle)
            poller.expect_change()
        return handles

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        """Return the handles of the jobs that arrived, by their name in the queue or the claim in their folder."""
        by_site: dict[tuple[str, tuple[str, ...]], list[tuple[Job, SlurmOptions, Note]]] = {}
        for job in jobs:
            if (folder / job.id / NOTE).exists():
                own = options_of(job.platform.options)
                key = (own.host or "", tuple(own.ssh))
                by_site.setdefault(key, []).append((job, own, _note(folder / job.id)))
        found: dict[str, str] = {}
        for submitted in by_site.values():
            found |= self._find(submitted, folder)
        return found

    def _find(self, submitted: Sequence[tuple[Job, SlurmOptions, Note]], folder: Path) -> dict[str, str]:
        first = submitted[0][1]
        probe = SlurmHandle(id="0", host=first.host or "", ssh=first.ssh, cluster=cluster_of(first))
        numbers: dict[tuple[str, str], set[int]] = {}
        for number, name, start_folder in self._sites.poller(probe).locations():
            numbers.setdefault((name, start_folder), set()).add(int(number))
        folders = {job.id: _job_folder(job, folder / job.id, own) for job, own, _ in submitted}
        claims = self._transport(first).read([f"{path}/{CLAIM}" for path in folders.values()])
        found = {}
        for job, own, note in submitted:
            path = folders[job.id]
            claimed = claims.get(f"{path}/{CLAIM}", "").split("_")[0]
            named = numbers.get((note.name, f"{path.rpartition('/')[0]}/{note.first}"))
            number = claimed if claimed.isdigit() else str(min(named)) if named else ""
            if number:
                found[job.id] = _handle(own, note, number, probe.cluster, path).url
        return found

    # --- following

    @property
    def every_s(self) -> float:
        """Return how long to wait until Slurm is queried again."""
        return min((poller.wait_s for poller in self._sites.pollers), default=1.0)

    @property
    def queries(self) -> int:
        """Return how often a queue was queried."""
        return sum(poller.queries for poller in self._sites.pollers)

    def poll(self, handle: str) -> JobStatus:
        """Return the status of the job; if the interval is over, Slurm is queried for all jobs at once."""
        if handle not in self._handles:
            self._handles[handle] = parse(handle)
        parsed = self._handles[handle]
        if parsed is None:
            message = f"{handle!r} is not a job of Slurm; expected a handle such as slurm:///1234"
            return JobStatus(state=JobState.LOST, reason=Reason.HARNESS, message=message)
        status = self._sites.poller(parsed).status(parsed)
        sent, fetched = self._sent.get(handle, 0), self._fetched.get(handle, 0)
        return msgspec.structs.replace(status, bytes_in=sent, bytes_out=fetched) if sent or fetched else status

    def fetch(self, handle: str, folder: Path) -> None:
        """Copy records and logs into `folder`, unless the worker writes them there itself."""
        parsed = parse(handle)
        if parsed is None or not parsed.folder:
            return
        copied = self._sites.transport(parsed.host, parsed.ssh).fetch(FILES, parsed.folder, folder)
        self._fetched[handle] = self._fetched.get(handle, 0) + copied

    # --- cancelling

    def cancel(self, handle: str) -> None:
        """Cancel the job; return when it has ended, or when Slurm does not end it."""
        self.cancel_all([handle])
        end = self._clock() + CANCEL_S
        while not self.poll(handle).ended and self._clock() < end:
            time.sleep(min(self.every_s, 1.0))

    def cancel_all(self, handles: Sequence[str]) -> None:
        """Ask Slurm to end jobs, many by one command.

        Raises
        ------
        Unreachable
            Slurm does not answer: some of the jobs may continue.
        """
        by_site: dict[Site, list[SlurmHandle]] = {}
        for parsed in filter(None, map(parse, handles)):
            by_site.setdefault(parsed.site, []).append(parsed)
        for (_, _, cluster), jobs in by_site.items():
            poller = self._sites.poller(jobs[0])
            for job in jobs:
                poller.follow(job)
            ids = [job.id for job in jobs]
            for first in range(0, len(ids), IDS_PER_COMMAND):
                command = commands.cancel_command(ids[first : first + IDS_PER_COMMAND], cluster)
                result = poller.transport.run(command, timeout_s=SUBMIT_S)
                lines = result.err.splitlines()
                errors = [line for line in lines if not any(text in line.lower() for text in ENDED_ALREADY)]
                if result.code != 0 and errors:
                    raise Unreachable(f"scancel: {errors[-1]}; some jobs may continue: daasbench cancel")
            poller.expect_change()

    def _transport(self, own: SlurmOptions) -> Transport:
        return self._sites.transport(own.host or "", own.ssh)


def _handle(own: SlurmOptions, note: Note, number: str, cluster: str, folder: str) -> SlurmHandle:
    return SlurmHandle(
        id=number if note.index is None else f"{number}_{note.index}",
        host=own.host or "",
        ssh=own.ssh,
        cluster=cluster,
        name=note.name,
        folder=folder,
        poll_s=own.poll_s,
    )


def _job_folder(job: Job, folder: Path, own: SlurmOptions) -> str:
    """Return the folder of a job as its nodes see it."""
    return remote_folder(job, folder.name, own) if own.apart else str(folder.absolute())


def _note(folder: Path) -> Note:
    return msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)


__all__ = ["SlurmRunner"]
