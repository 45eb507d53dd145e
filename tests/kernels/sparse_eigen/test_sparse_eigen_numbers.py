"""Every implementation gives the exact energy and the reference's coefficients, and wrong results are detected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.sparse_eigen import kernel, with_numba, with_numpy
from daasbench.kernels.sparse_eigen.definition import exact_energy
from daasbench.kernels.sparse_eigen.layout import layout_of
from daasbench.kernels.sparse_eigen.options import SparseEigenOptions
from daasbench.kernels.sparse_eigen.problem import transformed
from daasbench.kernels.sparse_eigen.with_numba import Rows
from daasbench.kernels.sparse_eigen.with_numpy import lanczos, ring_product

from daasbench.errors import InputError, UsageError

OPTIONS = SparseEigenOptions()


def dense(length: int) -> Any:
    """Return H as the sum of Kronecker products of spin matrices, its definition in every textbook."""
    x, y, z = (np.array(spin) / 2 for spin in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
    total = np.zeros((2**length,) * 2, complex)
    for site in range(length):
        for spin in (x, y, z):
            factors = [spin if one in (site, (site + 1) % length) else np.eye(2) for one in range(length)]
            product = factors[0]
            for factor in factors[1:]:
                product = np.kron(product, factor)
            total += product
    return total.real


def compiled_product(vector: Any, length: int, threads: int = 1) -> Any:
    rows = Rows(layout_of(length), threads)
    out = rows.vector()
    rows.product(out, vector, np.zeros_like(vector), 1.0, 0.0)
    return out


PRODUCTS = {"numpy": ring_product, "numba": compiled_product}


# --- right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("length", [4, 5, 6, 7, 8, 10])
def test_a_product_is_that_with_the_sum_of_spin_matrices(name: str, length: int) -> None:
    vector = np.random.default_rng(length).standard_normal(2**length)
    np.testing.assert_allclose(PRODUCTS[name](vector, length), dense(length) @ vector, atol=1e-13 * 2**length)


@pytest.mark.parametrize(
    ("length", "energy"),
    [(4, -2.0), (6, -(1 + 13**0.5 * 1) / 2 - 0.5), (10, -4.515446354), (16, -7.142296361), (20, -8.904386530)],
)
def test_the_bethe_ansatz_gives_the_published_energies(length: int, energy: float) -> None:
    assert exact_energy(length) == pytest.approx(energy, abs=1e-9)


@pytest.mark.parametrize("length", [5, 7, 9])
def test_an_odd_ring_has_the_lowest_energy_of_its_matrix(length: int) -> None:
    assert exact_energy(length) == pytest.approx(float(np.linalg.eigvalsh(dense(length))[0]), abs=1e-12)


def test_a_long_ring_has_the_energy_of_the_endless_chain() -> None:
    """1/4 - ln 2 a site (Hulthén 1938), and π²/12 L² less (doi:10.1103/PhysRevLett.56.742)."""
    assert exact_energy(400) / 400 == pytest.approx(0.25 - np.log(2) - np.pi**2 / 12 / 400**2, abs=1e-7)


def test_the_exact_energy_of_the_small_ring_is_what_scipy_finds() -> None:
    from daasbench.kernels.sparse_eigen.peers.with_scipy import lowest_energy, ring_matrix

    state = np.random.default_rng(0).standard_normal(2**16)
    energy, products = lowest_energy(ring_matrix(16), state)
    assert energy[0] == pytest.approx(exact_energy(16), abs=1e-6)
    assert products > 40  # by itself it restarts from 20 vectors


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("length", "steps"), [(4, 3), (6, 6), (8, 12), (12, 26), (18, 20)])
def test_every_length_gives_the_references_coefficients(
    generated: Any, compute: Any, length: int, steps: int, threads: int
) -> None:
    problem = generated(length, steps)
    ours, reference = compute(problem, "numba", threads=threads), compute(problem, "numpy")
    for name in ("alpha", "beta", "energy"):
        np.testing.assert_allclose(ours[name], reference[name], atol=1e-11)


def test_the_medium_ring_has_its_published_energy(compute: Any) -> None:
    problem = kernel.make(kernel.sizes["medium"], OPTIONS, 1, 1)
    assert compute(problem, "numba")["energy"][0] == pytest.approx(-8.9043865, abs=1e-7)


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_the_steps_of_a_size_end_while_rounding_is_harmless(compute: Any, verdict: Any, size: str) -> None:
    problem = kernel.make(kernel.sizes[size], OPTIONS, 11, 2)
    found = verdict(problem, compute(problem, "numba", block=1), block=1)
    assert found.ok
    assert found.error < 1e-12
    assert compute(problem, "numba")["energy"][0] - exact_energy(problem.length) < 1e-8


# --- laws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_matrix_is_symmetric(name: str) -> None:
    one, other = np.random.default_rng(1).standard_normal((2, 2**12))
    product = PRODUCTS[name]
    assert one @ product(other, 12) == pytest.approx(other @ product(one, 12), rel=1e-12)


@pytest.mark.parametrize("name", PRODUCTS)
def test_no_product_changes_how_many_spins_are_up(name: str) -> None:
    ups = np.bitwise_count(np.arange(2**12))
    state = np.where(ups == 5, np.random.default_rng(2).standard_normal(2**12), 0.0)
    product = PRODUCTS[name](state, 12)
    assert np.abs(product[ups != 5]).max() == 0
    assert np.abs(product[ups == 5]).max() > 0


def test_the_energy_sinks_with_every_step_and_never_below_the_exact_one(generated: Any, compute: Any) -> None:
    energies = [compute(generated(12, steps), "numba")["energy"][0] for steps in range(2, 30, 3)]
    assert (np.diff(energies) < 1e-12).all()
    assert min(energies) > exact_energy(12) - 1e-12


def test_a_transformed_state_is_another_state_with_the_same_coefficients(generated: Any, compute: Any) -> None:
    problem = generated(6, 6, blocks=25)
    states = np.stack(problem.blocks)
    assert len(np.unique(states.round(12), axis=0)) == 25
    assert {tuple(np.sort(state)) for state in states[:24]} == {tuple(np.sort(states[0]))}
    results = [compute(problem, "numpy", block=block)["alpha"] for block in range(24)]
    np.testing.assert_allclose(results, [results[0]] * 24, atol=1e-12)
    assert np.abs(compute(problem, "numpy", block=24)["alpha"] - results[0]).max() > 1e-3


def test_a_rotation_by_one_site_moves_every_spin_to_the_next_site() -> None:
    state = np.arange(16.0)
    assert transformed(state, 4, 1)[0b0011] == state[0b1001]
    assert transformed(state, 4, 4)[0b0001] == state[0b1000]
    assert transformed(state, 4, 8)[0b0001] == state[0b1110]


# --- wrong ----------------------------------------------------------------------------------------------------


def open_chain(vector: Any, length: int) -> Any:
    """Return H v without the bond between the last site and the first."""
    product = ring_product(vector, length)
    states, sums = vector.reshape(2, -1, 2), product.reshape(2, -1, 2)
    halves = (states[1, :, 0] - states[0, :, 1]) / 2
    sums[0, :, 1] -= halves
    sums[1, :, 0] += halves
    return product


def test_a_ring_that_is_open_is_caught(generated: Any, verdict: Any) -> None:
    problem = generated(10, 24)
    found = verdict(problem, lanczos(problem.blocks[0], 10, 24, open_chain))
    assert not found.ok
    assert found.verified_by == "truth"


def test_a_ferromagnet_is_caught_as_no_approximation(generated: Any, verdict: Any) -> None:
    problem = generated(10, 24)
    found = verdict(
        problem, lanczos(problem.blocks[0], 10, 24, lambda vector, length: 2 * ring_product(vector, length))
    )
    assert not found.ok
    assert "below the lowest" in found.message


def test_a_lost_vector_is_caught_though_the_energy_is_right(generated: Any, verdict: Any) -> None:
    problem = generated(10, 24)
    other = generated(10, 24, seed=9)
    found = verdict(problem, lanczos(other.blocks[0], 10, 24))
    assert not found.ok
    assert found.verified_by == "oracle"


def test_missing_coefficients_are_caught_except_of_a_peer_that_has_none(generated: Any, verdict: Any) -> None:
    problem = generated(10, 24)
    result = lanczos(problem.blocks[0], 10, 24)
    short = result | {"alpha": result["alpha"][:-1]}
    assert not verdict(problem, short).ok
    assert verdict(problem, {"energy": result["energy"]}, "scipy").ok


def test_not_a_number_in_a_state_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(10, 24)
    spoilt = generated(10, 24)
    spoilt.blocks[0][77] = np.nan
    for name in ("numpy", "numba"):
        assert not verdict(problem, compute(spoilt, name)).ok


# --- peers, edges ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scipy", "scipy_csr"])
@pytest.mark.parametrize("size", ["tiny", "small"])
def test_scipy_computes_as_many_products_and_finds_the_same(compute: Any, verdict: Any, name: str, size: str) -> None:
    problem = kernel.make(kernel.sizes[size], OPTIONS, 5, 1)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found


def test_work_is_counted_by_products() -> None:
    work = kernel.work({"length": 10, "steps": 20}, OPTIONS)
    assert (work.units, work.unit) == (20, "matrix-vector product")
    assert work.flop == 20 * 1024 * 18
    assert work.input_bytes == 8192


@pytest.mark.parametrize("length", [2, 3])
def test_a_ring_of_fewer_than_four_sites_is_refused(length: int) -> None:
    with pytest.raises(UsageError, match="4 or more"):
        kernel.make({"length": length, "steps": 3}, OPTIONS, 0, 1)


def test_a_ring_reads_no_files() -> None:
    with pytest.raises(InputError, match="remove --input"):
        kernel.survey(Path("ring.h5"), OPTIONS)


def test_steps_do_not_change_the_start_and_need_two_vectors() -> None:
    assert with_numba.Rows(layout_of(10), 4).threads == 1  # too little for two
    state = np.random.default_rng(0).standard_normal(2**10)
    before = state.copy()
    with_numpy.lanczos(state, 10, 5)
    np.testing.assert_array_equal(state, before)
