"""The contract of kernels: tests that every kernel must pass and that its own tests inherit."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import msgspec

from daasbench.compute.backends import arrays_in, is_installed, map_arrays, open_backend, require
from daasbench.contracts import Backend, Implementation, Kernel, Resources
from daasbench.errors import MissingRequirement
from daasbench.measure.differences import largest_difference
from daasbench.model import Verdict, Work
from daasbench.testing.ranks import dask_client, results_on_ranks, results_on_workers
from daasbench.testing.sources import NoCompiler, hopper_log


class KernelContract:
    """Subclass it, set `kernel`, and the tests below run on its size ``tiny``."""

    kernel: ClassVar[Kernel]
    seed: ClassVar[int] = 7

    def _problem(self, *, seed: int | None = None, blocks: int = 2) -> Any:
        parameters = self.kernel.sizes["tiny"]
        return self.kernel.make(parameters, self.kernel.options(), self.seed if seed is None else seed, blocks)

    def _implementations(self) -> list[Implementation]:
        return [one for one in self.kernel.implementations.values() if one.backend == "host" and is_installed(one)]

    def _spread(self, backend: str) -> list[Implementation]:
        return [one for one in self.kernel.implementations.values() if one.backend == backend and is_installed(one)]

    def _verdicts(self, implementation: Implementation, problem: Any, rounds: int = 2) -> list[Verdict]:
        expectation = self.kernel.expect(problem, self.kernel.options())
        compute = implementation.load()(problem, Resources(threads=2 if implementation.threads else 1))
        return [
            self.kernel.verify(problem, expectation, index, compute(block), implementation.judged_as)
            for _ in range(rounds)
            for index, block in enumerate(problem.blocks)
        ]

    def test_the_card_says_what_a_unit_is(self) -> None:
        """A number without a unit has no meaning."""
        assert self.kernel.card.title
        assert self.kernel.card.unit

    def test_there_are_sizes_for_tests_and_for_a_first_look(self) -> None:
        """``tiny`` is for tests; ``small`` takes seconds on two cores."""
        assert {"tiny", "small"} <= set(self.kernel.sizes)

    def test_the_reference_comes_first(self) -> None:
        """The first implementation is ``numpy``."""
        assert next(iter(self.kernel.implementations)) == "numpy"

    def test_options_have_defaults_and_refuse_unknown_keys(self) -> None:
        """A misspelt option must be an error."""
        assert self.kernel.options() == self.kernel.options()
        assert msgspec.structs.fields(self.kernel.options) is not None
        assert self.kernel.options.__struct_config__.forbid_unknown_fields

    def test_work_is_counted_from_the_problem(self) -> None:
        """Units, bytes and the size of a block are known before the inputs are made."""
        work = self.kernel.work(self.kernel.sizes["tiny"], self.kernel.options())
        made = sum(array.nbytes for array in arrays_in(self._problem(blocks=1).blocks[0]))
        assert work.units > 0
        assert work.unit in self.kernel.card.unit  # the unit of a family of problems lists all units
        assert work.flop > 0 or work.bytes > 0
        assert work.input_bytes == made
        assert msgspec.json.decode(msgspec.json.encode(work), type=Work) == work  # the record stores it

    def test_the_same_seed_makes_the_same_inputs(self) -> None:
        """Another seed, or another block, gives other inputs."""
        first, again, other = self._problem(), self._problem(), self._problem(seed=self.seed + 1)
        assert largest_difference(first.blocks, again.blocks) == 0
        assert largest_difference(first.blocks[0], other.blocks[0]) > 0
        assert largest_difference(first.blocks[0], first.blocks[1]) > 0

    def test_every_implementation_here_is_right_at_every_call(self) -> None:
        """Also at the second call, and for every block."""
        problem = self._problem()
        for implementation in self._implementations():
            for verdict in self._verdicts(implementation, problem):
                assert verdict.ok, f"{implementation.name}: {verdict}"

    def test_any_number_of_ranks_gives_the_right_answer(self) -> None:
        """On 1, 2, 3 and 4 ranks: shares are uneven, and some ranks may have no work."""
        for implementation in self._spread("mpi"):
            problem = self._problem()
            expectation = self.kernel.expect(problem, self.kernel.options())
            for ranks, results in results_on_ranks(self.kernel.name, implementation.name, problem).items():
                for index, result in enumerate(results):
                    block = index % len(problem.blocks)
                    verdict = self.kernel.verify(problem, expectation, block, result, implementation.judged_as)
                    assert verdict.ok, f"{implementation.name} on {ranks} ranks: {verdict}"

    def test_a_dask_cluster_gives_the_right_answer(self) -> None:
        """With three workers: shares are uneven."""
        implementations = self._spread("dask")
        if not implementations:
            return
        problem = self._problem()
        expectation = self.kernel.expect(problem, self.kernel.options())
        with dask_client(3) as client:
            for implementation in implementations:
                for index, result in enumerate(
                    results_on_workers(self.kernel.name, implementation.name, problem, client)
                ):
                    block = index % len(problem.blocks)
                    verdict = self.kernel.verify(problem, expectation, block, result, implementation.judged_as)
                    assert verdict.ok, f"{implementation.name}: {verdict}"

    def test_inputs_are_left_as_they_were(self) -> None:
        """If an implementation wrote into its inputs, its second repeat would measure another problem."""
        problem, untouched = self._problem(), self._problem()
        for implementation in self._implementations():
            self._verdicts(implementation, problem, rounds=1)
            assert largest_difference(problem.blocks, untouched.blocks) == 0, implementation.name

    def test_a_result_stays_as_it_is_unless_overwriting_is_declared(self) -> None:
        """A result does not depend on earlier results: it is the same again, even if the first was overwritten."""
        problem = self._problem()
        expectation = self.kernel.expect(problem, self.kernel.options())
        for implementation in self._implementations():
            compute = implementation.load()(problem, Resources(threads=2 if implementation.threads else 1))
            first = compute(problem.blocks[0])
            kept = map_arrays(_copied, first)
            compute(problem.blocks[1])
            if not implementation.overwrites_result:
                assert largest_difference(first, kept) == 0, (
                    f"{implementation.name}: the next call changed the last result"
                )
            map_arrays(_spoil_in_place, first)  # it is the caller's
            again = self.kernel.verify(problem, expectation, 0, compute(problem.blocks[0]), implementation.judged_as)
            assert again.ok, f"{implementation.name}, after its first result was written into: {again}"

    def test_a_result_of_another_shape_or_type_is_wrong(self) -> None:
        """Each array of a result is tried without its last row, and in another precision."""
        problem = self._problem(blocks=1)
        expectation = self.kernel.expect(problem, self.kernel.options())
        implementation = self.kernel.implementations["numpy"]
        result = implementation.load()(problem, Resources())(problem.blocks[0])
        for place in range(len(arrays_in(result))):
            for change in (_shortened, _converted):
                spoilt = _changed(result, place, change)
                verdict = self.kernel.verify(problem, expectation, 0, spoilt, implementation.judged_as)
                assert not verdict.ok, f"array {place}{change.__name__.replace('_', ' ')}: {verdict}"

    # --- the implementations for a GPU; `SOURCE` is the name of CUDA source in the module of `prepare`

    def _on_a_gpu(self) -> list[Implementation]:
        return [one for one in self.kernel.implementations.values() if one.backend == "cuda"]

    def test_the_source_compiles_for_a_hopper_gpu(self) -> None:
        """Without a GPU; the source is compiled with each of the module's `SOURCE_OPTIONS`, if there are any."""
        for implementation in self._on_a_gpu():
            module = _module_of(implementation)
            for options in getattr(module, "SOURCE_OPTIONS", ((),)) if hasattr(module, "SOURCE") else ():
                assert _hopper_log(module.SOURCE, *options) == "", f"{implementation.name} {options}"

    def test_the_source_run_as_cpp_is_right(self, request: Any) -> None:
        """Only if the tests have the fixture `cupy_on_the_host`, which replaces cupy by numpy and compiled C++."""
        if not self._on_a_gpu() or not _set_up(request, "cupy_on_the_host"):
            return
        problem = self._problem()
        expectation = self.kernel.expect(problem, self.kernel.options())
        for implementation in self._on_a_gpu():
            compute = implementation.load()(problem, Resources(gpus=1))
            for index, block in enumerate(problem.blocks):
                verdict = self.kernel.verify(problem, expectation, index, compute(block), implementation.judged_as)
                assert verdict.ok, f"{implementation.name}: {verdict}"

    def test_a_gpu_gives_the_right_answer_if_there_is_one(self) -> None:
        """The results are correct at every call, and the inputs on the device are unchanged."""
        implementations = self._on_a_gpu()
        if not implementations:
            return
        backend = _gpu_for(implementations)
        problem = self._problem()
        expectation = self.kernel.expect(problem, self.kernel.options())
        for implementation in implementations:
            blocks = [backend.put(block) for block in problem.blocks]
            compute = implementation.load()(problem, Resources(gpus=1))
            for index in (0, 1, 0, 1):
                result = compute(blocks[index])
                backend.wait()
                verdict = self.kernel.verify(problem, expectation, index, backend.get(result), implementation.judged_as)
                assert verdict.ok, f"{implementation.name}: {verdict}"
            assert largest_difference([backend.get(block) for block in blocks], list(problem.blocks)) == 0, (
                implementation.name
            )

    def test_not_a_number_never_passes(self) -> None:
        """A result of NaN is wrong."""
        problem = self._problem()
        expectation = self.kernel.expect(problem, self.kernel.options())
        implementation = self.kernel.implementations["numpy"]
        result = implementation.load()(problem, Resources())(problem.blocks[0])
        spoilt = map_arrays(_spoil, result)
        assert not self.kernel.verify(problem, expectation, 0, spoilt, implementation.judged_as).ok


def _spoil(array: Any) -> Any:
    return _spoil_in_place(array.copy())


def _spoil_in_place(array: Any) -> Any:
    import numpy as np

    if array.flags.writeable:
        array[...] = np.nan if np.issubdtype(array.dtype, np.inexact) else np.iinfo(array.dtype).max
    return array


def _copied(array: Any) -> Any:
    return array.copy()


def _changed(nest: Any, place: int, change: Callable[[Any], Any]) -> Any:
    """Return `nest` with a change of the array with the index `place`."""
    count = itertools.count()
    return map_arrays(lambda array: change(array) if next(count) == place else array, nest)


def _shortened(array: Any) -> Any:
    return array[:-1]


def _converted(array: Any) -> Any:
    other = {"float32": "float64", "float64": "float32", "complex64": "complex128", "complex128": "complex64"}
    return array.astype(other.get(array.dtype.name, "float64"))


def _module_of(implementation: Implementation) -> Any:
    """Return the module of an implementation's ``prepare``; None if it needs a library that is not installed."""
    try:
        return sys.modules[implementation.load().__module__]
    except ImportError:
        return None


def _hopper_log(source: str, *options: str) -> str:
    try:
        return hopper_log(source, *options)
    except NoCompiler as missing:
        _skip(f"absent: {missing}")


def _set_up(request: Any, fixture: str) -> bool:
    """Return whether there is a fixture of this name; if so, set it up."""
    import pytest

    try:
        request.getfixturevalue(fixture)
    except pytest.FixtureLookupError as error:
        if error.argname != fixture:
            raise
        return False
    return True


def _gpu_for(implementations: Sequence[Implementation]) -> Backend:
    """Return the backend of the GPU; skip the test if there is no GPU, or if a requirement is missing."""
    try:
        for implementation in implementations:
            require(implementation)
    except MissingRequirement as missing:
        _skip(f"absent: {missing.what}")
    return open_backend("cuda")


def _skip(reason: str) -> NoReturn:
    import pytest

    pytest.skip(reason)
