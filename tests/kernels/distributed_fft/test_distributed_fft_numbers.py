"""The transform's numbers: laws, edges, ranks, and mutants that must be caught."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.distributed_fft import kernel, oracle, with_cupy
from daasbench.kernels.distributed_fft.problem import messages_bytes

from daasbench.contracts import Resources
from daasbench.testing.ranks import results_on_ranks

HOST = ["numpy", "scipy", "fftw"]


@pytest.fixture(params=HOST)
def name(request: pytest.FixtureRequest, needs: Any) -> str:
    """Return each implementation on one node; that by FFTW if it is installed."""
    if request.param == "fftw":
        needs("pyfftw")
    return str(request.param)


@pytest.mark.parametrize("size", [1, 2, 7, 15, 16, 31, 36])
@pytest.mark.parametrize(("dtype", "tolerance"), [("c128", 1e-12), ("c64", 2e-6)])
def test_every_size_and_type_agrees_with_the_truth_and_with_numpy(
    generated: Any, compute: Any, verdict: Any, name: str, size: int, dtype: str, tolerance: float
) -> None:
    problem = generated(size, dtype=dtype)
    spectrum = compute(problem, name)
    found = verdict(problem, spectrum, name)
    assert found.ok, found
    assert found.tolerance == tolerance
    expected = np.fft.fftn(problem.blocks[0].astype(np.complex128))
    assert np.abs(spectrum - expected).max() <= tolerance * np.abs(expected).max()


def test_a_plane_wave_is_one_bin(generated: Any, compute: Any, name: str) -> None:
    z, y, x = np.ogrid[:12, :12, :12]
    wave = np.exp(2j * np.pi * (3 * z + 5 * y - 2 * x) / 12)
    spectrum = compute(dataclasses.replace(generated(12), blocks=[wave]), name)
    assert spectrum[3, 5, 10] == pytest.approx(12**3)
    spectrum[3, 5, 10] = 0
    assert np.abs(spectrum).max() < 1e-12 * 12**3


def test_energy_is_conserved_and_sums_are_linear(generated: Any, compute: Any, name: str) -> None:
    problem = generated(14)
    rng = np.random.default_rng(0)
    first_field, second_field = (rng.standard_normal((14,) * 3) + 1j * rng.standard_normal((14,) * 3) for _ in range(2))
    first, second, both = (
        compute(dataclasses.replace(problem, blocks=[field]), name).copy()
        for field in (first_field, second_field, first_field + 2j * second_field)
    )
    assert np.linalg.norm(first) ** 2 == pytest.approx(14**3 * np.linalg.norm(first_field) ** 2, rel=1e-12)
    assert np.abs(both - (first + 2j * second)).max() < 1e-11


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_bits(generated: Any, compute: Any, needs: Any, threads: int) -> None:
    needs("pyfftw")
    problem = generated(13)
    spectra = [compute(problem, "fftw", threads=threads).copy() for _ in range(2)]
    assert np.array_equal(*spectra)


@pytest.mark.parametrize("mutant", ["sign", "scaled", "transposed", "a plane less", "two rows exchanged", "one bin"])
def test_mutants_are_caught(generated: Any, verdict: Any, mutant: str) -> None:
    problem = generated(15)
    right = np.fft.fftn(problem.blocks[0])
    assert verdict(problem, right).ok
    wrong = right.copy()
    if mutant == "sign":
        wrong = np.fft.ifftn(problem.blocks[0], norm="forward")
    elif mutant == "scaled":
        wrong = right / 15**1.5
    elif mutant == "transposed":
        wrong = right.transpose(1, 0, 2)
    elif mutant == "a plane less":
        wrong[7] = 0
    elif mutant == "two rows exchanged":
        wrong[:, [3, 4]] = right[:, [4, 3]]
    else:
        wrong[3, 4, 5] += 1e-9 * np.abs(right).max()
    assert not verdict(problem, wrong).ok


def test_a_large_spectrum_is_compared_at_planes_and_by_its_energy(
    generated: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "_ALL_BELOW_BYTES", 0)
    monkeypatch.setattr(oracle, "_PLANES", 3)
    problem = generated(15)
    right = np.fft.fftn(problem.blocks[0])
    assert verdict(problem, right).ok
    assert not verdict(problem, right * (1 + 1e-9)).ok
    right[np.argmax(np.abs(right).max(axis=(1, 2)))] *= 1.01
    for _ in range(5):  # for any planes that are drawn
        assert not verdict(problem, right).ok


def test_not_a_number_in_one_bin_is_wrong(generated: Any, verdict: Any) -> None:
    problem = generated(9)
    spectrum = np.fft.fftn(problem.blocks[0])
    spectrum[8, 8, 8] = np.nan
    assert not verdict(problem, spectrum).ok


def test_a_result_of_another_shape_or_type_is_wrong(generated: Any, verdict: Any) -> None:
    problem = generated(8)
    right = np.fft.fftn(problem.blocks[0])
    assert "not complex128[8, 8, 8]" in verdict(problem, right[:-1]).message
    assert not verdict(problem, right.astype(np.complex64)).ok


@pytest.mark.parametrize(
    ("implementation", "exchange", "dtype", "size"),
    [("mpi", "messages", "c128", 11), ("mpi-fftw", "messages", "c64", 70), ("mpi-fftw", "memory", "c64", 11)],
)
def test_both_exchanges_give_the_same_on_unequal_slabs(
    generated: Any, verdict: Any, needs: Any, implementation: str, exchange: str, dtype: str, size: int
) -> None:
    needs("mpi4py")
    if implementation == "mpi-fftw":
        needs("pyfftw")
    problem = generated(size, blocks=2, dtype=dtype, exchange=exchange)
    for ranks, results in results_on_ranks("distributed_fft", implementation, problem, ranks=(1, 3)).items():
        for index, result in enumerate(results):
            assert verdict(problem, result, implementation, block=index % 2).ok, ranks


def test_ranks_without_a_plane_take_part(generated: Any, verdict: Any, needs: Any) -> None:
    needs("mpi4py")
    for exchange in ("messages", "memory"):
        problem = generated(2, exchange=exchange)
        (results,) = results_on_ranks("distributed_fft", "mpi", problem, ranks=(3,)).values()
        assert all(verdict(problem, result, "mpi").ok for result in results)


def test_messages_are_counted_as_the_card_says() -> None:
    assert messages_bytes(64, 1) == 0
    assert messages_bytes(64, 2) == 16 * 64**3 / 4
    assert messages_bytes(64, 4, 8) == 8 * 64**3 / 4 * 3 / 4
    tiny = kernel.work(kernel.sizes["tiny"], kernel.options(dtype="c64"))
    assert tiny.messages_bytes == messages_bytes(18, 2, 8)
    assert tiny.flop == pytest.approx(5 * 18**3 * np.log2(18**3))


def test_the_function_for_the_gpu_is_right_when_run_by_numpy(generated: Any, verdict: Any) -> None:
    problem = generated(10)
    assert verdict(problem, with_cupy.in_library(np)(problem.blocks[0]), "cupy").ok
    assert with_cupy.in_library(SimpleNamespace(fft=SimpleNamespace(fftn=lambda field: field.shape)))(np.ones(3)) == (
        3,
    )


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated(40)
    result = with_cupy.prepare(problem, Resources(gpus=1))(cupy.asarray(problem.blocks[0]))
    assert verdict(problem, cupy.asnumpy(result), "cupy").ok
