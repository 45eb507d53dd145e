"""A user's kernel, made from plain functions in one file; the shortest has about a dozen lines.

::

    from daasbench import kernel

    @kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - int(inputs["frames"].sum())), tolerance=0.5)
    def frame_sums(inputs):
        return {"total": int(inputs["frames"].sum())}

    @frame_sums.inputs(tiny={"n": 4}, small={"n": 64})
    def frames(n, rng):
        return {"frames": rng.poisson(3, (n, 512, 512)).astype("u4")}

The decorated function is the reference, the implementation ``numpy``. ``@frame_sums.implementation("numba")`` adds
another implementation; ``@frame_sums.reader`` adds a reader for real files. A wrong declaration is refused at once;
:mod:`daasbench.authoring.user_file` adds the line to the message.
"""

from __future__ import annotations

import inspect
import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daasbench.authoring.verdicts import check_judgements
from daasbench.contracts import Card, Implementation, Options, Parameters, Resources
from daasbench.errors import InputError, PluginError
from daasbench.model import Verdict, Work

Compute = Callable[[Any], Any]


@dataclass(frozen=True)
class FunctionProblem:
    """The inputs of a user's kernel: one mapping of arrays per block."""

    blocks: Sequence[Any]
    work: Work


class FunctionOptions(Options, frozen=True, kw_only=True):
    """A user's kernel has no options; its sizes carry its parameters."""


@dataclass(kw_only=True)
class FunctionKernel:
    """A kernel made by :func:`kernel`; it can still be called like the decorated function."""

    name: str
    reference: Compute
    unit: str
    oracle: Callable[[Any, Any], float]
    tolerance: float
    units: Callable[[Any], float] | None = None
    flop: float = 0.0  # per unit
    repeat_tolerance: float | None = None
    reads_files: bool = False
    options: type[Options] = FunctionOptions
    sizes: dict[str, Parameters] = field(default_factory=dict)
    implementations: dict[str, Implementation] = field(default_factory=dict)
    _make: Callable[..., Any] | None = None
    _read: Callable[[Path], Any] | None = None

    def __call__(self, inputs: Any) -> Any:
        """Return what the reference computes."""
        return self.reference(inputs)

    @property
    def card(self) -> Card:
        """Return a card from the function's docstring."""
        title = (inspect.getdoc(self.reference) or self.name).splitlines()[0]
        return Card(title=title, unit=self.unit)

    @property
    def judgements(self) -> Mapping[str, str]:
        """Return an empty mapping: the oracle judges all implementations alike."""
        return {}

    @property
    def has_inputs(self) -> bool:
        """Return whether inputs can be generated."""
        return self._make is not None

    # --- declaring

    def inputs(self, **sizes: Parameters) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare the generator of inputs and the sizes: keyword arguments for it, by size name.

        The generator returns the inputs of one block (a mapping of arrays). If it has an argument ``rng``, it
        gets a ``numpy.random.Generator`` with a seed from the case's seed and the block's index.
        """
        for size, parameters in sizes.items():
            if not _is_mapping(parameters):
                message = (
                    f"size {size!r} is {parameters!r}; write the generator's arguments as a dict: {size}={{'n': 4}}"
                )
                raise PluginError(f"@{self.name}.inputs: {message}")

        def declare(make: Callable[..., Any]) -> Callable[..., Any]:
            for size, parameters in sizes.items():
                given = dict(parameters) | ({"rng": None} if _takes(make, "rng") else {})
                _check_call(make, f"@{self.name}.inputs: size {size!r}", **given)
            self._make = make
            self.sizes.update(sizes)
            return make

        return declare

    def reader(self, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        """Declare the function that reads the inputs of one block from a file (``--input FILE``)."""
        _check_call(read, f"@{self.name}.reader", Path())
        self._read = read
        self.reads_files = True
        return read

    def implementation(
        self,
        name: str,
        *,
        threads: bool = False,
        backend: str = "host",
        requires: Sequence[str] = (),
        **facts: Any,
    ) -> Callable[[Compute], Compute]:
        """Declare another implementation of the kernel.

        Parameters
        ----------
        threads
            Whether it uses as many threads as the case has. By default it is serial, and measured with one thread.
        requires
            The modules that it imports.
        """
        if not _is_name(name):
            raise PluginError(f'@{self.name}.implementation: needs a name: @{self.name}.implementation("numba")')
        if name in self.implementations:
            raise PluginError(f"@{self.name}.implementation: the name {name!r} is already used; choose another name")
        modules = (requires,) if isinstance(requires, str) else tuple(requires)

        def declare(compute: Compute) -> Compute:
            self._add(name, compute, threads=threads, backend=backend, requires=modules, **facts)
            return compute

        return declare

    def _add(self, name: str, compute: Compute, **facts: Any) -> None:
        _check_call(compute, f"implementation {name!r} of {self.name}", None)

        def prepare(problem: Any, resources: Resources) -> Compute:  # noqa: ARG001  (no set-up to make)
            return compute

        try:
            self.implementations[name] = Implementation(name=name, load=lambda: prepare, **facts)
        except TypeError as error:
            raise PluginError(f"@{self.name}.implementation({name!r}): {str(error).lower()}") from error
        check_judgements(self.name, [self.implementations[name]], self.judgements)

    # --- the contract

    def survey(self, path: Path, options: Options) -> Parameters:  # noqa: ARG002  (has none)
        """See :class:`~daasbench.contracts.Kernel`."""
        if self._read is None:
            raise InputError(f"{path}: kernel {self.name} reads no files; add a function with @{self.name}.reader")
        return {}

    def work(self, parameters: Parameters, options: Options) -> Work:  # noqa: ARG002  (unknown before make)
        """Return only the unit: the bytes are known when the inputs have been made."""
        return Work(unit=self.unit, units=1.0)

    def make(self, parameters: Parameters, options: Options, seed: int, blocks: int) -> FunctionProblem:  # noqa: ARG002
        """See :class:`~daasbench.contracts.Kernel`."""
        import numpy as np

        if self._make is None:
            raise PluginError(f"kernel {self.name} has no inputs; declare them with @{self.name}.inputs(...)")
        takes_rng = _takes(self._make, "rng")
        made = [
            self._make(**parameters, **({"rng": np.random.default_rng([seed, block])} if takes_rng else {}))
            for block in range(blocks)
        ]
        return FunctionProblem(blocks=made, work=self._count(made[0]))

    def read(self, path: Path, parameters: Parameters, options: Options, blocks: int) -> FunctionProblem:  # noqa: ARG002
        """Return the one block of a file."""
        if self._read is None:
            raise InputError(f"{path}: kernel {self.name} reads no files")
        first = self._read(path)
        return FunctionProblem(blocks=[first], work=self._count(first))

    def _count(self, inputs: Any) -> Work:
        from daasbench.compute.backends import arrays_in

        arrays = arrays_in(inputs)
        if not arrays:
            raise PluginError(f"the inputs of {self.name} hold no arrays; return a mapping of numpy arrays")
        size = float(sum(array.nbytes for array in arrays))
        if self.units is not None:
            units = float(self.units(inputs))
        else:
            leading = [array.shape[0] for array in arrays if array.ndim]
            units = float(leading[0]) if leading else 1.0
        return Work(unit=self.unit, units=units, flop=self.flop * units, bytes=size, input_bytes=size)

    def expect(self, problem: Any, options: Options) -> None:
        """Return nothing: a user's oracle needs only inputs and result."""

    def verify(
        self,
        problem: Any,
        expectation: Any,  # noqa: ARG002  (has none)
        block: int,
        result: Any,
        judged_as: str,  # noqa: ARG002  (all are judged alike)
    ) -> Verdict:
        """Return the verdict: the number of the user's oracle compared with the tolerance."""
        try:
            said = self.oracle(problem.blocks[block], result)
        except Exception as error:
            message = f"the oracle of {self.name} fails: {type(error).__name__}: {error}"
            raise PluginError(f"{message}; the result is {_described(result)}") from error
        return Verdict(error=self._distance(said), tolerance=self.tolerance, verified_by="oracle")

    def _distance(self, said: Any) -> float:
        """Return the oracle's answer as a number; refuse any other type."""
        value = said.item() if getattr(said, "shape", None) == () else said
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            what = str(value) if isinstance(value, bool | None) else f"something of type {type(said).__name__}"
            message = f"the oracle of {self.name} returned {what}; it must return one number: how wrong the result is"
            raise PluginError(f"{message} (0: correct)")
        if value < 0:
            message = f"the oracle of {self.name} returned {float(value):g}; how wrong a result is cannot be negative"
            raise PluginError(f"{message}: return the absolute value")
        return float(value)


def _described(result: Any) -> str:
    """Return what an implementation returned, so that a person sees which of it is missing."""
    if result is None:
        return "None"
    if isinstance(result, Mapping):
        return f"a mapping with {', '.join(map(repr, result))}" if result else "an empty mapping"
    kind = type(result).__name__
    return f"an array of shape {result.shape}" if hasattr(result, "shape") else f"of type {kind}"


def kernel(  # noqa: PLR0913  (what a user may say of a kernel, each by its name)
    function: Any = None,
    /,
    *,
    unit: str = "",
    oracle: Callable[[Any, Any], float] | None = None,
    tolerance: float | None = None,
    units: Callable[[Any], float] | None = None,
    flop: float = 0.0,
    name: str | None = None,
    repeat_tolerance: float | None = None,
) -> Callable[[Compute], FunctionKernel]:
    """Return a kernel whose reference implementation ``numpy`` is the decorated function.

    Parameters
    ----------
    function
        The function, if the decorator is used without arguments; else write
        ``@kernel(unit=..., oracle=..., tolerance=...)``.
    unit
        The unit of scientific work, singular: ``"frame"``. Required.
    oracle
        ``oracle(inputs, result)`` returns how wrong the result is (0: correct); called for every repeat. Required.
    tolerance
        The largest error of a correct result. Required.
    units
        ``units(inputs)`` returns how many units one repeat computes; default: the length of the first axis of
        the first array of the inputs.
    flop
        Minimum floating-point operations per unit, to compare the kernel with the processor's peak. The memory
        traffic is the bytes of the inputs, read once.
    name
        Default: the function's name.
    repeat_tolerance
        Largest relative difference between two results of the same inputs; None: they are not compared.

    Raises
    ------
    PluginError
        If an argument is missing or not valid.
    """
    if function is not None or not _is_text(unit) or oracle is None:
        message = "@kernel: needs a unit, an oracle and a tolerance"
        raise PluginError(f'{message}: @kernel(unit="frame", oracle=lambda inputs, got: ..., tolerance=1e-6)')
    if tolerance is None or not _is_size(tolerance):
        raise PluginError(f"@kernel: tolerance = {tolerance!r}; write the largest error of a correct result: 0 or more")
    _check_call(oracle, "@kernel: oracle", None, None)

    def declare(reference: Compute) -> FunctionKernel:
        called = name or str(getattr(reference, "__name__", "kernel"))
        if not _is_name(called):
            raise PluginError(f"@kernel: name = {called!r}; write letters, digits, '_' and '-', a letter first")
        made = FunctionKernel(
            name=called,
            reference=reference,
            unit=unit,
            oracle=oracle,
            tolerance=float(tolerance),
            units=units,
            flop=flop,
            repeat_tolerance=repeat_tolerance,
        )
        made._add("numpy", reference, threads=False)
        return made

    return declare


_NAME = re.compile(r"[A-Za-z]\w*(?:[.-]\w+)*", re.ASCII)  # of a kernel or an implementation: it is part of folder names


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _is_mapping(parameters: object) -> bool:
    return isinstance(parameters, Mapping)


def _is_size(number: object) -> bool:
    real = not isinstance(number, bool) and isinstance(number, numbers.Real)
    return real and 0 <= float(number) < math.inf  # type: ignore[arg-type]  # a Real has a float


def _takes(function: Callable[..., Any], argument: str) -> bool:
    return argument in inspect.signature(function).parameters


def _check_call(function: Any, what: str, /, *given: Any, **named: Any) -> None:
    """Raise PluginError unless `function` can be called with these arguments."""
    if not callable(function):
        raise PluginError(f"{what}: {function!r} is not a function")
    try:
        signature = inspect.signature(function)
    except ValueError:  # a built-in without one
        return
    try:
        signature.bind(*given, **named)
    except TypeError as error:
        called = f"{getattr(function, '__name__', 'the function')}{signature}"
        wanted = ", ".join([*("inputs", "result")[: len(given)], *named])
        raise PluginError(f"{what}: {called} cannot be called with ({wanted}): {error}") from error
