"""The sites of a runner's jobs: one transport for each host, one staging for each folder, one poller for each Slurm."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from daasbench.model import Job

from .batch_script import RenderTarget
from .handle import Site, SlurmHandle
from .options import SlurmOptions
from .poller import Poller
from .ssh import SshTransport
from .staging import Staging
from .transport import Transport


class Sites:
    """Makes each object when it is first needed and keeps it, so that jobs share connections and queries."""

    def __init__(self, local: Transport, clock: Callable[[], float], grace_s: float) -> None:
        self.local, self.clock, self.grace_s = local, clock, grace_s
        self._ssh: dict[tuple[str, tuple[str, ...]], SshTransport] = {}
        self._stagings: dict[tuple[str, str, str, tuple[str, ...]], Staging] = {}
        self._pollers: dict[Site, Poller] = {}

    @property
    def pollers(self) -> Iterable[Poller]:
        """Return the pollers of all sites."""
        return self._pollers.values()

    def transport(self, host: str, arguments: Iterable[str]) -> Transport:
        """Return the transport to a host; "" is this machine."""
        return self._ssh_transport(host, tuple(arguments)) if host else self.local

    def _ssh_transport(self, host: str, arguments: tuple[str, ...]) -> SshTransport:
        key = (host, arguments)
        if key not in self._ssh:
            self._ssh[key] = SshTransport(host, arguments)
        return self._ssh[key]

    def staging(self, options: SlurmOptions) -> Staging:
        """Return the staging of a site that shares no files with this machine."""
        key = (options.host or "", options.folder or "", options.python or "", tuple(options.extras))
        if key not in self._stagings:
            transport = self._ssh_transport(options.host or "", tuple(options.ssh))
            folder, python = options.folder or "", options.python or "python3"
            self._stagings[key] = Staging(transport, folder, python, options.extras)
        return self._stagings[key]

    def poller(self, handle: SlurmHandle) -> Poller:
        """Return the poller of a job."""
        if handle.site not in self._pollers:
            transport = self.transport(handle.host, handle.ssh)
            self._pollers[handle.site] = Poller(transport, handle.cluster, self.clock, self.grace_s)
        return self._pollers[handle.site]


def render_target(job: Job, folder_name: str, options: SlurmOptions, staging: Staging) -> tuple[Job, RenderTarget]:
    """Return the job with the paths of its site, and its folder and Python there."""
    job, staged = staging.rewritten(job)
    folder = remote_folder(job, folder_name, options)
    return job, RenderTarget(folder=folder, python=staging.interpreter, staged=staged, apart=True)


def remote_folder(job: Job, folder_name: str, options: SlurmOptions) -> str:
    """Return the folder of a job on a site that shares no files with this machine."""
    return f"{(options.folder or '').rstrip('/')}/runs/{job.run}/{folder_name}"
