"""The runner of Slurm sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from daasbench.errors import SubmitError, Unreachable
from daasbench.inspection.platform import Finding
from daasbench.model import Job, JobState, JobStatus, Option, Platform, Reason, Request
from daasbench.records import JOB_FILE, LOG_FILE, RECORDS_FILE
from daasbench.worker import CLAIM, ENDED, STARTED

from . import options as wording
from . import questions, render
from .handle import SlurmHandle, parse
from .inspect import inspect_slurm
from .options import SlurmOptions, options_of
from .questions import Garbage
from .render import NOTE, Note, RenderTarget
from .shell import NOT_FOUND, Answer, Here, Shell
from .ssh import Ssh
from .stage import Stage
from .watch import GRACE_S, Poller

FILES = (RECORDS_FILE, LOG_FILE, STARTED, ENDED, CLAIM)  # what comes back of a job
SUBMIT_S = 120.0  # after which sbatch is not waited for
CANCEL_S = 100.0  # for a job to end that was cancelled: Slurm kills it after 30 s, its files show within 60 s
IDS_AT_ONCE = 500  # jobs named in one command line
UNKNOWN = ("unable to contact", "timed out", "communication", "connection", "zero bytes")  # it may have been accepted
GONE = ("invalid job id", "already completing or completed", "already finished")


class SlurmRunner:
    """Submits batch scripts to a Slurm, here or over ssh, and follows its jobs.

    Parameters
    ----------
    clock
        Monotonic seconds.
    grace_s
        How long a job that Slurm has forgotten may take to show how it ended.
    here
        This machine.
    """

    name = "slurm"
    outlives = True

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        grace_s: float = GRACE_S,
        here: Shell | None = None,
    ) -> None:
        self._clock, self._grace_s = clock, grace_s
        self._here = here or Here()
        self._shells: dict[tuple[str, tuple[str, ...]], Shell] = {}
        self._stages: dict[tuple[str, str, str, tuple[str, ...]], Stage] = {}
        self._watches: dict[tuple[str, tuple[str, ...], str], Poller] = {}
        self._handles: dict[str, SlurmHandle | None] = {}  # as they were read
        self._sent: dict[str, int] = {}  # bytes, by handle
        self._fetched: dict[str, int] = {}

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError, naming `where`, if these are no options of a Slurm."""
        wording.check(options, where, runner=self.name)

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return what Slurm and one of its nodes say of a platform; a place that does not answer is not waited for."""
        options = options_of(platform.options)
        shell = Ssh(options.host, options.ssh, sleep=lambda _: None) if options.host else self._here
        return inspect_slurm(platform, folder, shell)

    # --- before anything is sent

    def split(self, job: Job) -> list[Job]:
        """Return the jobs that a platform's cases become here."""
        return render.split(job)

    def render(self, job: Job, folder: Path) -> Request:
        """Return what would be sent for one job; the names of its files are relative to its folder."""
        job, place = self._placed(job, folder)
        (request,) = render.requests([job], {job.id: place})
        leaf = folder.name + "/"
        files = {name.removeprefix(leaf): text for name, text in request.files.items()}
        return msgspec.structs.replace(request, files=files)

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return what would be sent for several, those of one shape as an array."""
        placed = [self._placed(job, folder / job.id) for job in jobs]
        return render.requests([job for job, _ in placed], {job.id: place for job, place in placed})

    def _placed(self, job: Job, folder: Path) -> tuple[Job, RenderTarget]:
        """Return the job as it is read where it runs, and where that is."""
        options = options_of(job.platform.options)
        if not options.apart:
            return job, render.local_place(folder, options)
        stage = self._stage(options)
        there = _there(job, folder, options)
        job, parcels = stage.rewritten(job)
        return job, RenderTarget(folder=there, python=stage.interpreter, parcels=parcels, apart=True)

    # --- sending

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:  # noqa: ARG002  (no child)
        """Send one job; return its handle."""
        (handle,) = self._submit(request, dict.fromkeys(request.jobs, folder), folder, folder.name + "/").values()
        return handle

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Send a request; return the handle of each of its jobs."""
        return self._submit(request, {name: folder / name for name in request.jobs}, folder, "")

    def _submit(self, request: Request, places: Mapping[str, Path], folder: Path, leaf: str) -> dict[str, str]:
        """Write the files and submit the script; `leaf` is what the names of the files lack."""
        Here().write(request.files, str(folder))
        files = {leaf + name: text for name, text in request.files.items()}
        notes = {name: _note(place) for name, place in places.items()}
        first = msgspec.json.decode(files[f"{places[request.jobs[0]].name}/{JOB_FILE}"], type=Job)
        options = options_of(first.platform.options)
        shell = self._shell(options)
        script = request.command[-1]
        root = script.rpartition("/")[0].rpartition("/")[0]
        sent = 0
        if options.apart:
            stage = self._stage(options)
            sent += stage.prepare()
            sent += stage.bring({there: here for note in notes.values() for there, here in note.parcels.items()})
        if root != str(folder.absolute() if not leaf else folder.absolute().parent):
            sent += shell.write(files, root)
        said = shell.run(request.command, timeout_s=SUBMIT_S)
        number, cluster = _accepted(said, shell, request.jobs)
        handles = {}
        for name, note in notes.items():
            handle = self._handle(options, note, number, cluster, f"{root}/{places[name].name}")
            handles[name] = handle.url
            self._sent[handle.url] = sent
            sent = 0  # counted once, with the first
            watch = self._watch(handle)
            watch.expect(handle)
            watch.hurry()
        return handles

    def _handle(self, options: SlurmOptions, note: Note, number: str, cluster: str, folder: str) -> SlurmHandle:
        return SlurmHandle(
            id=number if note.index is None else f"{number}_{note.index}",
            host=options.host or "",
            ssh=options.ssh,
            cluster=cluster,
            name=note.name,
            folder=folder,
            poll_s=options.poll_s,
        )

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        """Return the handles of those jobs that did arrive, by what they are called and by who took their folders."""
        found: dict[str, str] = {}
        places: dict[tuple[str, tuple[str, ...]], list[tuple[Job, SlurmOptions, Note]]] = {}
        for job in jobs:
            if (folder / job.id / NOTE).exists():
                options = options_of(job.platform.options)
                key = (options.host or "", tuple(options.ssh))
                places.setdefault(key, []).append((job, options, _note(folder / job.id)))
        for those in places.values():
            found |= self._find(those, folder)
        return found

    def _find(self, those: Sequence[tuple[Job, SlurmOptions, Note]], folder: Path) -> dict[str, str]:
        options = those[0][1]
        shell = self._shell(options)
        probe = SlurmHandle(id="0", host=options.host or "", ssh=options.ssh, cluster=_cluster_of(options))
        numbers: dict[tuple[str, str], set[int]] = {}
        for number, name, place in self._watch(probe).find():
            numbers.setdefault((name, place), set()).add(int(number))
        roots = {job.id: _there(job, folder / job.id, own) for job, own, _ in those}
        claims = shell.read([f"{root}/{CLAIM}" for root in roots.values()])
        found = {}
        for job, own, note in those:
            claimed = claims.get(f"{roots[job.id]}/{CLAIM}", "").split("_")[0]
            named = numbers.get((note.name, f"{roots[job.id].rpartition('/')[0]}/{note.first}"))
            number = claimed if claimed.isdigit() else str(min(named)) if named else ""
            if number:
                found[job.id] = self._handle(own, note, number, probe.cluster, roots[job.id]).url
        return found

    # --- following

    @property
    def every_s(self) -> float:
        """Return how long to wait until Slurm is asked again."""
        return min((watch.wait_s for watch in self._watches.values()), default=1.0)

    @property
    def asked(self) -> int:
        """Return how often a queue was asked."""
        return sum(watch.asked for watch in self._watches.values())

    def poll(self, handle: str) -> JobStatus:
        """Return what is known of the job; Slurm is asked if it is time to, for all jobs at once."""
        if handle not in self._handles:
            self._handles[handle] = parse(handle)
        named = self._handles[handle]
        if named is None:
            message = f"{handle!r} is no job of Slurm's; expected a handle such as slurm:///1234"
            return JobStatus(state=JobState.LOST, reason=Reason.HARNESS, message=message)
        status = self._watch(named).status(named)
        sent, fetched = self._sent.get(handle, 0), self._fetched.get(handle, 0)
        return msgspec.structs.replace(status, bytes_in=sent, bytes_out=fetched) if sent or fetched else status

    def fetch(self, handle: str, folder: Path) -> None:
        """Bring records and logs, unless they are written where they belong."""
        named = parse(handle)
        if named is None or not named.folder:
            return
        shell = self._shell_at(named.host, tuple(named.ssh))
        copied = shell.fetch(FILES, named.folder, folder)
        self._fetched[handle] = self._fetched.get(handle, 0) + copied

    # --- ending

    def cancel(self, handle: str) -> None:
        """End the job; return when it has ended, or when Slurm does not end it."""
        self.cancel_all([handle])
        end = self._clock() + CANCEL_S
        while not self.poll(handle).ended and self._clock() < end:
            time.sleep(min(self.every_s, 1.0))

    def cancel_all(self, handles: Sequence[str]) -> None:
        """Ask Slurm to end jobs, many in one command.

        Raises
        ------
        Unreachable
            Slurm does not answer: some of them may go on.
        """
        places: dict[tuple[str, tuple[str, ...], str], list[SlurmHandle]] = {}
        for one in filter(None, map(parse, handles)):
            places.setdefault(one.place, []).append(one)
        for (_, _, cluster), those in places.items():
            watch = self._watch(those[0])
            for one in those:
                watch.expect(one)
            for some in _pieces([one.id for one in those]):
                said = watch.shell.run(questions.cancel_words(some, cluster), timeout_s=SUBMIT_S)
                complaints = [line for line in said.err.splitlines() if not any(word in line.lower() for word in GONE)]
                if said.code != 0 and complaints:
                    raise Unreachable(f"scancel: {complaints[-1]}; some jobs may go on: daasbench cancel")
            watch.hurry()

    # --- places

    def _shell(self, options: SlurmOptions) -> Shell:
        return self._shell_at(options.host or "", tuple(options.ssh))

    def _shell_at(self, host: str, words: tuple[str, ...]) -> Shell:
        if not host:
            return self._here
        if (host, words) not in self._shells:
            self._shells[host, words] = Ssh(host, words)
        return self._shells[host, words]

    def _stage(self, options: SlurmOptions) -> Stage:
        key = (options.host or "", options.folder or "", options.python or "", tuple(options.extras))
        if key not in self._stages:
            shell = cast(Ssh, self._shell(options))  # of who has a host
            self._stages[key] = Stage(shell, options.folder or "", options.python or "python3", options.extras)
        return self._stages[key]

    def _watch(self, handle: SlurmHandle) -> Poller:
        if handle.place not in self._watches:
            shell = self._shell_at(handle.host, tuple(handle.ssh))
            self._watches[handle.place] = Poller(shell, handle.cluster, self._clock, self._grace_s)
        return self._watches[handle.place]


def _there(job: Job, folder: Path, options: SlurmOptions) -> str:
    """Return where the folder of a job lies, as its nodes see it."""
    if not options.apart:
        return str(folder.absolute())
    return f"{(options.folder or '').rstrip('/')}/runs/{job.run}/{folder.name}"


def _note(folder: Path) -> Note:
    return msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)


def _accepted(said: Answer, shell: Shell, jobs: Sequence[str]) -> tuple[str, str]:
    """Return number and cluster of what sbatch submitted; raise what an error means."""
    at = f"{shell.where}: " if shell.where else ""
    named = jobs[0] if len(jobs) == 1 else f"{jobs[0]} ... {jobs[-1]}"
    if said.code == NOT_FOUND:
        message = f"{at}there is no sbatch: {said.err.strip()}"
        raise SubmitError(f"{message}; run daasbench where it is, or name a host that has it by the option host")
    why = " ".join(line.strip().removeprefix("sbatch: error: ") for line in said.err.splitlines() if line.strip())
    if said.code != 0:
        if any(word in why.lower() for word in UNKNOWN):
            raise Unreachable(f"{at}sbatch: {why}")
        raise SubmitError(
            f"{at}Slurm refused {named}: {why or f'exit code {said.code}'}; correct the platform's options"
        )
    try:
        return questions.submitted(said.out)
    except Garbage as error:
        raise Unreachable(f"{at}{error}") from error


def _cluster_of(options: SlurmOptions) -> str:
    """Return the cluster that the options name by a word for sbatch."""
    for word in options.sbatch:
        key, _, value = word.partition("=")
        if key == "--clusters":
            return value
    return ""


def _pieces(ids: Iterable[str]) -> Iterable[list[str]]:
    all_of_them = list(ids)
    for first in range(0, len(all_of_them), IDS_AT_ONCE):
        yield all_of_them[first : first + IDS_AT_ONCE]


__all__ = ["SlurmRunner"]
