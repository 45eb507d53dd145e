"""The handle of a Slurm job, valid after its controller ended: ``slurm://me@login.site/1234_7?folder=...``."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from daasbench.model import Noun

_ID = re.compile(r"\d+(_\d+)?")

Site = tuple[str, tuple[str, ...], str]
"""Host, arguments of ssh and cluster: the jobs of one site are followed by one query."""


class SlurmHandle(Noun, frozen=True, kw_only=True):
    """A job of a Slurm site.

    Attributes
    ----------
    id
        ``1234``, or ``1234_7`` for a task of an array.
    name
        The job's name in the queue; it is needed because Slurm may use a number again for another job.
    folder
        The job's folder, as the nodes of the site see it.
    poll_s
        Least seconds between two queries.
    """

    id: str
    host: str = ""
    ssh: list[str] = []
    cluster: str = ""
    name: str = ""
    folder: str = ""
    poll_s: float = 1.0

    @property
    def site(self) -> Site:
        """Return the key of the jobs that are followed by one query."""
        return self.host, tuple(self.ssh), self.cluster

    @property
    def url(self) -> str:
        """Return the handle as text."""
        named = {"folder": self.folder, "name": self.name, "cluster": self.cluster}
        fields = [(key, value) for key, value in named.items() if value] + [("ssh", word) for word in self.ssh]
        if self.poll_s != 1.0:
            fields.append(("poll", f"{self.poll_s:g}"))
        query = f"?{urlencode(fields, safe='/')}" if fields else ""
        return f"slurm://{quote(self.host, safe='@:')}/{self.id}{query}"


def parse(url: str) -> SlurmHandle | None:
    """Return the handle that a text describes; None if it is not a handle of Slurm."""
    try:
        parts = urlsplit(url)
        fields = parse_qs(parts.query)
        number = parts.path.removeprefix("/")
        if parts.scheme != "slurm" or not _ID.fullmatch(number):
            return None
        first = {key: values[0] for key, values in fields.items()}
        return SlurmHandle(
            id=number,
            host=parts.netloc,
            ssh=fields.get("ssh", []),
            cluster=first.get("cluster", ""),
            name=first.get("name", ""),
            folder=first.get("folder", ""),
            poll_s=max(1.0, float(first.get("poll", 1.0))),
        )
    except ValueError:
        return None


__all__ = ["Site", "SlurmHandle", "parse"]
