"""The kinds of things that commands take as an argument: ``daasbench list kernels``."""

from __future__ import annotations

from typing import Any

import click

from daasbench.errors import unknown


class Kind(click.Choice[str]):
    """The kind of a thing, in the singular or the plural."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002  (click's form)
        """Return the kind as it is spelled in the choices."""
        for kind in self.choices:
            if str(value).removesuffix("s") == kind.removesuffix("s"):
                return kind
        raise unknown("kind", str(value), self.choices)
