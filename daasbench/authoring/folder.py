"""The door of the shipped kernels: a folder with a `problem` module and one module a way.

A user's own kernel, in one Python file, comes through :mod:`daasbench.authoring.function`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daasbench.authoring.growth import Growth
from daasbench.contracts import Card, Implementation, Options, Parameters, Resources
from daasbench.errors import InputError
from daasbench.model import Verdict, Work

Compute = Callable[[Any], Any]
Prepare = Callable[[Any, Resources], Compute]

_OF_BACKEND: Mapping[str, Mapping[str, Any]] = {
    "host": {},
    "cuda": {"requires": ("cupy",), "packages": ("cupy-cuda13x",), "gpus": 1, "threads": False, "extra": "gpu"},
    "mpi": {"requires": ("mpi4py", "numba"), "packages": ("mpi4py",), "extra": "mpi"},
    "dask": {"requires": ("distributed", "numba"), "packages": ("distributed",), "extra": "dask"},
}


def way(name: str, target: str, **facts: Any) -> Implementation:
    """Return the implementation `name` whose ``prepare`` stands at `target`, imported when first used.

    Parameters
    ----------
    target
        ``"package.module:function"``.
    facts
        Further fields of :class:`~daasbench.contracts.Implementation`. What every way of its `backend` needs is
        known here; ``extra="name"`` stands for the cure that installs this extra of daasbench.
    """
    facts = {**_OF_BACKEND[facts.get("backend", "host")], **facts}
    if extra := facts.pop("extra", ""):
        facts.setdefault("cure", f"pip install 'daasbench[{extra}]'")

    def load() -> Prepare:
        module, _, function = target.partition(":")
        prepare: Prepare = getattr(importlib.import_module(module), function)
        return prepare

    return Implementation(name=name, load=load, **facts)


@dataclass(frozen=True, kw_only=True)
class FolderKernel:
    """A kernel that is a folder: its card here, its problem and its ways in modules imported when needed.

    The module `problem` holds the functions ``survey, work, make, read, expect, verify`` of
    :class:`~daasbench.contracts.Kernel`.
    """

    name: str
    card: Card
    sizes: Mapping[str, Parameters]
    options: type[Options]
    problem: str
    ways: Sequence[Implementation]
    reads_files: bool = True
    grows: Growth | None = None  # how a size becomes several times as large; None: it does not
    repeat_tolerance: float | None = 1e-5

    @functools.cached_property
    def implementations(self) -> Mapping[str, Implementation]:
        """Return the implementations by name, the reference first."""
        return {one.name: one for one in self.ways}

    @functools.cached_property
    def _problem(self) -> Any:
        return importlib.import_module(self.problem)

    def survey(self, path: Path, options: Options) -> Parameters:
        """See :class:`~daasbench.contracts.Kernel`."""
        if not self.reads_files:
            raise InputError(f"{path}: kernel {self.name} reads no files; leave --input out")
        parameters: Parameters = self._problem.survey(path, options)
        return parameters

    def work(self, parameters: Parameters, options: Options) -> Work:
        """See :class:`~daasbench.contracts.Kernel`."""
        work: Work = self._problem.work(parameters, options)
        return work

    def make(self, parameters: Parameters, options: Options, seed: int, blocks: int) -> Any:
        """See :class:`~daasbench.contracts.Kernel`."""
        return self._problem.make(parameters, options, seed, blocks)

    def read(self, path: Path, parameters: Parameters, options: Options, blocks: int) -> Any:
        """See :class:`~daasbench.contracts.Kernel`."""
        return self._problem.read(path, parameters, options, blocks)

    def expect(self, problem: Any, options: Options) -> Any:
        """See :class:`~daasbench.contracts.Kernel`."""
        return self._problem.expect(problem, options)

    def verify(self, problem: Any, expectation: Any, block: int, result: Any, implementation: str) -> Verdict:
        """See :class:`~daasbench.contracts.Kernel`."""
        verdict: Verdict = self._problem.verify(problem, expectation, block, result, implementation)
        return verdict
