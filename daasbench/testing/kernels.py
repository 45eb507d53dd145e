"""What every kernel must keep: a contract that its tests inherit."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from daasbench.compute.backends import arrays_in, is_installed, map_arrays
from daasbench.contracts import Implementation, Kernel, Resources
from daasbench.measure.differences import largest_difference
from daasbench.model import Verdict, Work
from daasbench.testing.ranks import dask_client, results_on_ranks, results_on_workers


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
        """A figure without its unit is none."""
        assert self.kernel.card.title
        assert self.kernel.card.unit

    def test_there_are_sizes_for_tests_and_for_a_first_look(self) -> None:
        """``tiny`` is for tests, ``small`` for seconds on two cores."""
        assert {"tiny", "small"} <= set(self.kernel.sizes)

    def test_the_reference_comes_first(self) -> None:
        """It is the implementation ``numpy``."""
        assert next(iter(self.kernel.implementations)) == "numpy"

    def test_options_have_defaults_and_refuse_unknown_keys(self) -> None:
        """A misspelt option shall be told."""
        assert self.kernel.options() == self.kernel.options()
        assert msgspec.structs.fields(self.kernel.options) is not None
        assert self.kernel.options.__struct_config__.forbid_unknown_fields

    def test_work_is_counted_from_the_problem(self) -> None:
        """Units, bytes and the size of a block are known before anything is made."""
        work = self.kernel.work(self.kernel.sizes["tiny"], self.kernel.options())
        made = sum(array.nbytes for array in arrays_in(self._problem(blocks=1).blocks[0]))
        assert work.units > 0
        assert work.unit in self.kernel.card.unit  # a family of problems names them all
        assert work.flop > 0 or work.bytes > 0
        assert work.input_bytes == made
        assert msgspec.json.decode(msgspec.json.encode(work), type=Work) == work  # plain numbers: it is recorded

    def test_the_same_seed_makes_the_same_inputs(self) -> None:
        """And another seed, or another block, others."""
        first, again, other = self._problem(), self._problem(), self._problem(seed=self.seed + 1)
        assert largest_difference(first.blocks, again.blocks) == 0
        assert largest_difference(first.blocks[0], other.blocks[0]) > 0
        assert largest_difference(first.blocks[0], first.blocks[1]) > 0

    def test_every_implementation_here_is_right_at_every_call(self) -> None:
        """Also at the second, and for every block."""
        problem = self._problem()
        for implementation in self._implementations():
            for verdict in self._verdicts(implementation, problem):
                assert verdict.ok, f"{implementation.name}: {verdict}"

    def test_any_number_of_ranks_gives_the_right_answer(self) -> None:
        """1, 2, 3 and 4 of them: shares are uneven, and some ranks may have nothing to do."""
        for implementation in self._spread("mpi"):
            problem = self._problem()
            expectation = self.kernel.expect(problem, self.kernel.options())
            for ranks, results in results_on_ranks(self.kernel.name, implementation.name, problem).items():
                for index, result in enumerate(results):
                    block = index % len(problem.blocks)
                    verdict = self.kernel.verify(problem, expectation, block, result, implementation.judged_as)
                    assert verdict.ok, f"{implementation.name} on {ranks} ranks: {verdict}"

    def test_a_dask_cluster_gives_the_right_answer(self) -> None:
        """Of three workers: shares are uneven."""
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
        """A kernel that writes into its inputs measures another problem at its second repeat."""
        problem, untouched = self._problem(), self._problem()
        for implementation in self._implementations():
            self._verdicts(implementation, problem, rounds=1)
            assert largest_difference(problem.blocks, untouched.blocks) == 0, implementation.name

    def test_not_a_number_never_passes(self) -> None:
        """A result of NaN is wrong."""
        problem = self._problem()
        expectation = self.kernel.expect(problem, self.kernel.options())
        implementation = self.kernel.implementations["numpy"]
        result = implementation.load()(problem, Resources())(problem.blocks[0])
        spoilt = map_arrays(_spoil, result)
        assert not self.kernel.verify(problem, expectation, 0, spoilt, implementation.judged_as).ok


def _spoil(array: Any) -> Any:
    import numpy as np

    spoilt = array.copy()
    spoilt[...] = np.nan if np.issubdtype(array.dtype, np.inexact) else np.iinfo(array.dtype).max
    return spoilt
