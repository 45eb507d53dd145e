"""The name of a job that outlives the process which submitted it: ``slurm://me@login.site/1234_7?folder=...``."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from daasbench.model import Noun

_ID = re.compile(r"\d+(_\d+)?")


class SlurmHandle(Noun, frozen=True, kw_only=True):
    """A job of a Slurm.

    Attributes
    ----------
    id
        ``1234``, or ``1234_7`` of an array.
    name
        What it is called in the queue: a number alone may be given anew.
    folder
        The job's folder, as the place sees it.
    poll_s
        Seconds between two questions, at least.
    """

    id: str
    host: str = ""
    ssh: list[str] = []
    cluster: str = ""
    name: str = ""
    folder: str = ""
    poll_s: float = 1.0

    @property
    def place(self) -> tuple[str, tuple[str, ...], str]:
        """Return what jobs have in common that one question is asked for."""
        return self.host, tuple(self.ssh), self.cluster

    @property
    def url(self) -> str:
        """Return the handle as text."""
        message = {"folder": self.folder, "name": self.name, "cluster": self.cluster}
        words = [(key, value) for key, value in message.items() if value] + [("ssh", word) for word in self.ssh]
        if self.poll_s != 1.0:
            words.append(("poll", f"{self.poll_s:g}"))
        return f"slurm://{quote(self.host, safe='@:')}/{self.id}" + (f"?{urlencode(words, safe='/')}" if words else "")


def parse(url: str) -> SlurmHandle | None:
    """Return the handle that a text names; None if it names none of ours."""
    try:
        parts = urlsplit(url)
        said = parse_qs(parts.query)
        number = parts.path.removeprefix("/")
        if parts.scheme != "slurm" or not _ID.fullmatch(number):
            return None
        first = {key: values[0] for key, values in said.items()}
        return SlurmHandle(
            id=number,
            host=parts.netloc,
            ssh=said.get("ssh", []),
            cluster=first.get("cluster", ""),
            name=first.get("name", ""),
            folder=first.get("folder", ""),
            poll_s=max(1.0, float(first.get("poll", 1.0))),
        )
    except ValueError:
        return None


__all__ = ["SlurmHandle", "parse"]
