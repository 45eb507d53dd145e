"""The layout of a rank is correct and sends nothing twice, and ranks find the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.sparse_eigen import kernel
from daasbench.kernels.sparse_eigen.layout import layout_of
from daasbench.kernels.sparse_eigen.with_numba import Rows
from daasbench.kernels.sparse_eigen.with_numpy import ring_product

RANKS = [1, 2, 3, 4, 5, 8]


def product_of_parts(vector: Any, length: int, ranks: int) -> Any:
    """Return H v; each rank's rows are computed only from the elements that its layout receives."""
    layouts = [layout_of(length, ranks, rank) for rank in range(ranks)]
    parts = [vector[p.first * p.width : (p.first + p.own) * p.width] for p in layouts]
    outs = []
    for rank, layout in enumerate(layouts):
        rows = Rows(layout, 1)
        gifts = [parts[other][layouts[other].given[rank]] for other in range(ranks)]
        assert [gift.size for gift in gifts] == layout.received
        rows.came[:] = np.concatenate(gifts)
        out = rows.vector()
        rows.product(out, np.ascontiguousarray(parts[rank]), np.zeros(parts[rank].size), 1.0, 0.0)
        outs.append(out)
    return np.concatenate(outs)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("length", [4, 6, 8, 10, 14])
def test_parts_of_any_number_of_ranks_make_the_whole_product(length: int, ranks: int) -> None:
    vector = np.random.default_rng(ranks).standard_normal(2**length)
    np.testing.assert_allclose(product_of_parts(vector, length, ranks), ring_product(vector, length), atol=1e-12)


def needed(length: int, ranks: int, rank: int) -> set[int]:
    """Return the elements of other ranks to which a rank's elements are coupled, by the definition."""
    layout = layout_of(length, ranks, rank)
    first, last = layout.first * layout.width, (layout.first + layout.own) * layout.width
    states = np.arange(first, last)
    found: set[int] = set()
    for site in range(length):
        pair = 1 << site | 1 << (site + 1) % length
        differ = np.bitwise_count(states & pair) == 1
        found |= set((states[differ] ^ pair).tolist())
    return {state for state in found if not first <= state < last}


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_a_rank_receives_what_its_bonds_need_and_nothing_else(ranks: int) -> None:
    for rank in range(ranks):
        layout = layout_of(12, ranks, rank)
        received = set()
        for other in range(ranks):
            theirs = layout_of(12, ranks, other)
            received |= set((theirs.given[rank] + theirs.first * theirs.width).tolist())
        assert received >= needed(12, ranks, rank)
        assert sum(layout.received) == len(received)  # nothing twice
        assert len(received) == len(needed(12, ranks, rank))


def test_two_ranks_send_the_bytes_that_are_counted() -> None:
    work = kernel.work({"length": 16, "steps": 1}, kernel.options())
    for rank in range(2):
        assert 8 * sum(layout_of(16, 2, rank).received) == work.messages_bytes


@pytest.mark.parametrize(("ranks", "most"), [(3, 1.04), (16, 1.0), (24, 1.05)])
def test_shares_of_rows_are_nearly_even(ranks: int, most: float) -> None:
    shares = [layout_of(20, ranks, rank).own * layout_of(20, ranks, rank).width for rank in range(ranks)]
    assert sum(shares) == 2**20
    assert max(shares) <= most * 2**20 / ranks


def test_more_ranks_than_rows_leave_some_without_work() -> None:
    layouts = [layout_of(4, 6, rank) for rank in range(6)]
    assert [layout.own for layout in layouts] == [1, 1, 1, 1, 0, 0]
    assert layouts[5].given[0].size == sum(layouts[5].received) == 0


def test_one_message_goes_to_each_rank_that_shares_a_bond(needs: Any) -> None:
    needs("mpi4py")
    from daasbench.kernels.sparse_eigen.with_mpi import DistributedRows
    from mpi4py import MPI

    ranks = DistributedRows(Rows(layout_of(8), 1), MPI.COMM_SELF)
    vector = np.random.default_rng(0).standard_normal(2**8)
    out = ranks.rows.vector()
    assert ranks.product(out, vector, vector, 1.0, 0.0) == pytest.approx(vector @ ring_product(vector, 8))
    assert (ranks.messages, ranks.sent_bytes) == (0, 0)
    assert sum(given.size > 0 for given in layout_of(12, 2, 0).given) == 1
