"""Kernels that are folders, like all shipped kernels: a problem, an oracle and one module per implementation.

For a user's own kernel in one Python file see :mod:`daasbench.authoring.function`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from daasbench.authoring.growth import Growth
from daasbench.authoring.verdicts import check_judgements
from daasbench.contracts import Card, Implementation, Options, Parameters, Resources
from daasbench.errors import InputError, unknown_sentence
from daasbench.model import Verdict, Work

Compute = Callable[[Any], Any]
Prepare = Callable[[Any, Resources], Compute]

_OF_BACKEND: Mapping[str, Mapping[str, Any]] = {
    "host": {},
    "cuda": {"requires": ("cupy",), "packages": ("cupy-cuda13x",), "gpus": 1, "threads": False, "extra": "gpu"},
    "mpi": {"requires": ("mpi4py", "numba"), "packages": ("mpi4py",), "extra": "mpi"},
    "dask": {"requires": ("distributed", "numba"), "packages": ("distributed",), "extra": "dask"},
}

_NO_JUDGEMENTS: Mapping[str, str] = {}


def implementation(name: str, target: str = "", **facts: Any) -> Implementation:
    """Return the implementation `name`, whose code is imported when it is first used.

    Parameters
    ----------
    target
        The ``prepare`` function, ``"module:function"``; a module that starts with a dot is in the kernel's folder.
        Default: ``".with_<name>:prepare"``, for a peer ``".peers.with_<name>:prepare"``, with ``_`` for ``-``.
    facts
        More fields of :class:`~daasbench.contracts.Implementation`. What every implementation of a `backend` requires
        is filled in. ``extra="name"`` sets the fix to the command that installs this extra of daasbench.
    """
    facts = {**_OF_BACKEND[facts.get("backend", "host")], **facts}
    if extra := facts.pop("extra", ""):
        facts.setdefault("fix", f"pip install 'daasbench[{extra}]'")
    peers = ".peers" if facts.get("peer") else ""
    module, _, function = (target or f"{peers}.with_{name.replace('-', '_')}:prepare").partition(":")
    return Implementation(name=name, load=_Target(module=module, function=function), **facts)


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The location of a ``prepare``; a module with a leading dot is relative to the package `folder`."""

    module: str
    function: str
    folder: str | None = None

    def __call__(self) -> Prepare:
        prepare: Prepare = getattr(importlib.import_module(self.module, self.folder), self.function)
        return prepare


class FolderKernel:
    """A kernel that is a folder: its card is in ``__init__.py``; the other modules are imported when needed.

    ===================  ====================================================================================
    ``problem.py``       ``work, make`` of :class:`~daasbench.contracts.Kernel`; ``survey, read`` if it reads files
    ``oracle.py``        ``expect, verify`` of :class:`~daasbench.contracts.Kernel`
    ``with_<name>.py``   ``prepare`` of the implementation `name`; for a peer, in the folder ``peers``
    ===================  ====================================================================================

    Parameters
    ----------
    name
        The name of the kernel's entry point.
    folder
        The package: write ``folder=__name__``.
    implementations
        The implementations, each made by :func:`implementation`; the first is the reference.
    judgements
        The values of `judged_as` that the oracle knows, each with its meaning.
    grows
        How the parameters of a size become those of a problem several times as large; None: not defined.
    """

    def __init__(  # noqa: PLR0913  (what a kernel is made of, each by its name)
        self,
        *,
        name: str,
        folder: str,
        card: Card,
        sizes: Mapping[str, Parameters],
        options: type[Options],
        implementations: Sequence[Implementation],
        judgements: Mapping[str, str] = _NO_JUDGEMENTS,
        reads_files: bool = True,
        grows: Growth | None = None,
        repeat_tolerance: float | None = 1e-5,
    ) -> None:
        check_judgements(name, implementations, judgements)
        self.name, self.folder, self.card = name, folder, card
        self.sizes, self.options = sizes, options
        self.implementations: Mapping[str, Implementation] = {
            declared.name: _within(folder, declared) for declared in implementations
        }
        self.judgements = judgements
        self.reads_files, self.grows, self.repeat_tolerance = reads_files, grows, repeat_tolerance

    @functools.cached_property
    def _problem(self) -> Any:
        return importlib.import_module(".problem", self.folder)

    @functools.cached_property
    def _oracle(self) -> Any:
        return importlib.import_module(".oracle", self.folder)

    def survey(self, path: Path, options: Options) -> Parameters:
        """See :class:`~daasbench.contracts.Kernel`."""
        if not self.reads_files:
            raise InputError(f"{path}: kernel {self.name} reads no files; remove --input")
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
        return self._oracle.expect(problem, options)

    def verify(self, problem: Any, expectation: Any, block: int, result: Any, judged_as: str) -> Verdict:
        """See :class:`~daasbench.contracts.Kernel`; raise ValueError if the kernel does not know `judged_as`."""
        if judged_as and judged_as not in self.judgements:
            raise ValueError(unknown_sentence("judgement", judged_as, self.judgements, f"kernel {self.name}"))
        verdict: Verdict = self._oracle.verify(problem, expectation, block, result, judged_as)
        return verdict


def _within(folder: str, declared: Implementation) -> Implementation:
    """Return the implementation with its target in `folder`, if it was made by :func:`implementation`."""
    if not isinstance(declared.load, _Target):
        return declared
    target = _Target(module=declared.load.module, function=declared.load.function, folder=folder)
    return msgspec.structs.replace(declared, load=target)
