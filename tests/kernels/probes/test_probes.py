"""The probes: both implementations are correct, the oracles detect every error, and the limits are the machine's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import numba
import numpy as np
import pytest
from daasbench.kernels.probes import kernel, limits, with_numba
from daasbench.kernels.probes.options import Numbers, Probe, ProbesOptions
from daasbench.kernels.probes.problem import POINTS, SIGNALS, ProbesProblem

from daasbench.compute.simd import aligned_zeros
from daasbench.contracts import Resources
from daasbench.errors import InputError, MissingRequirement
from daasbench.model import Limit, Verdict

PROBES = get_args(Numbers)
IMPLEMENTATIONS = ["numpy", "numba"]
THREADS = [count for count in (1, 2, 3) if count <= numba.config.NUMBA_NUM_THREADS]


@pytest.fixture(params=PROBES)
def problem(request: pytest.FixtureRequest) -> ProbesProblem:
    return make(request.param)


def make(probe: Probe, blocks: int = 2, seed: int = 7, **parameters: int) -> ProbesProblem:
    options = ProbesOptions(probe=probe)
    made: ProbesProblem = kernel.make({**kernel.sizes["tiny"], **parameters}, options, seed, blocks)
    return made


def compute(problem: ProbesProblem, implementation: str = "numba", block: int = 0, threads: int = 1) -> Any:
    prepared = kernel.implementations[implementation].load()(problem, Resources(threads=threads))
    return np.array(prepared(problem.blocks[block]))


def judge(problem: ProbesProblem, result: Any, block: int = 0) -> Verdict:
    expectation = kernel.expect(problem, ProbesOptions(probe=problem.probe))
    return kernel.verify(problem, expectation, block, result, "")


# --- right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_every_implementation_is_correct_with_any_number_of_threads(
    problem: ProbesProblem, implementation: str, threads: int
) -> None:
    for block in range(2):
        verdict = judge(problem, compute(problem, implementation, block, threads), block)
        assert verdict.ok, verdict
        if problem.probe != "fft_float32":
            assert verdict.error == 0


@pytest.mark.parametrize("elements", [1, 7, 8, 127, 128, 129, 1031])
@pytest.mark.parametrize("probe", ["triad", "read"])
def test_no_element_is_lost_at_the_end(probe: Probe, elements: int) -> None:
    problem = make(probe, elements=elements)
    assert judge(problem, compute(problem, threads=THREADS[-1])).ok


def test_inputs_that_are_not_aligned_to_cache_lines_are_correct() -> None:
    b, c = (np.arange(1025.0)[1:] * factor for factor in (1, 2))
    problem = ProbesProblem(probe="triad", blocks=[{"b": b, "c": c}])
    np.testing.assert_array_equal(compute(problem), 7 * b)


def test_a_plane_wave_is_one_bin_and_energy_is_conserved() -> None:
    phase = 2 * np.pi * 5 * np.arange(POINTS) / POINTS
    wave = np.stack([np.cos(phase), np.sin(phase)], axis=1).astype(np.float32)
    signal = np.repeat(wave[None, :, :, None], SIGNALS, axis=3)
    spectrum = compute(ProbesProblem(probe="fft_float32", blocks=[{"signal": np.ascontiguousarray(signal)}]))
    np.testing.assert_allclose(spectrum[0, 5, 0], POINTS, rtol=1e-6)
    assert np.square(spectrum).sum() == pytest.approx(POINTS * np.square(signal).sum(), rel=1e-5)


def test_a_probe_repeats_itself_for_the_same_seed_only() -> None:
    one, same, other = make("triad"), make("triad"), make("triad", seed=8)
    np.testing.assert_array_equal(one.blocks[0]["b"], same.blocks[0]["b"])
    assert (one.blocks[0]["b"] != other.blocks[0]["b"]).any()
    assert (one.blocks[0]["b"] != one.blocks[1]["b"]).any()


# --- wrong ----------------------------------------------------------------------------------------------------


def test_one_wrong_number_is_caught(problem: ProbesProblem) -> None:
    result = compute(problem)
    flat = result.reshape(-1)
    flat[flat.size // 2] += 1 if problem.probe != "fft_float32" else np.abs(flat).max()
    assert not judge(problem, result).ok


def test_nan_is_caught(problem: ProbesProblem) -> None:
    result = compute(problem)
    result.reshape(-1)[-1] = np.nan
    verdict = judge(problem, result)
    assert np.isnan(verdict.error)
    assert not verdict.ok


def test_the_result_of_another_block_is_caught(problem: ProbesProblem) -> None:
    assert not judge(problem, compute(problem, block=1), block=0).ok


def test_a_result_of_another_shape_is_caught(problem: ProbesProblem) -> None:
    if problem.probe != "read":
        assert not judge(problem, compute(problem)[:-1]).ok


@pytest.mark.parametrize("probe", ["matmul_float32", "matmul_float64"])
def test_a_product_of_rounded_factors_is_caught(probe: Probe) -> None:
    """TF32 keeps 11 bits, bfloat16 8, float32 24: fast units round to them without a warning."""
    problem = make(probe)
    a, b = problem.blocks[0]["a"], problem.blocks[0]["b"]
    rounded = a.astype(np.float32) if probe == "matmul_float64" else _tf32(a)
    assert not judge(problem, rounded.astype(a.dtype) @ b).ok


def _tf32(a: Any) -> Any:
    return ((a.view(np.uint32) + 0x1000) & np.uint32(0xFFFFE000)).view(np.float32)


def test_a_triad_that_skips_a_part_is_caught() -> None:
    problem = make("triad")
    b, c = problem.blocks[0]["b"], problem.blocks[0]["c"]
    stale = aligned_zeros(b.shape, np.float64)
    with_numba.triad(stale[: b.size // 2], b[: b.size // 2], c[: b.size // 2], 3.0, 1)
    assert not judge(problem, stale).ok


def test_a_transform_without_its_last_stage_is_caught() -> None:
    problem = make("fft_float32")
    signal = problem.blocks[0]["signal"]
    quarters = np.concatenate(
        [np.fft.fft((signal[:, q::4, 0] + 1j * signal[:, q::4, 1]), axis=1) for q in range(4)], axis=1
    )
    assert not judge(problem, np.stack([quarters.real, quarters.imag], axis=2).astype(np.float32) * 2).ok


# --- counted --------------------------------------------------------------------------------------------------


def test_work_is_counted_as_the_field_counts_it() -> None:
    sizes = {"elements": 1000, "side": 10, "groups": 2}
    works = {probe: kernel.work(sizes, ProbesOptions(probe=probe)) for probe in PROBES}
    assert works["triad"].bytes == 24_000  # STREAM
    assert works["read"].bytes == 8_000
    assert works["matmul_float64"].flop == 2_000
    assert works["fft_float32"].flop == 5 * 1024 * 10 * 32
    assert {works[probe].unit for probe in ("triad", "read")} == {"GB"}
    assert works["matmul_float32"].flop_type == "float32"
    assert works["matmul_float64"].flop_type == "float64"


def test_the_bytes_of_inputs_and_output_are_those_in_memory(problem: ProbesProblem) -> None:
    work = kernel.work(kernel.sizes["tiny"], ProbesOptions(probe=problem.probe))
    assert work.input_bytes == sum(array.nbytes for array in problem.blocks[0].values())
    assert work.output_bytes == compute(problem, "numpy").nbytes


def test_an_unknown_probe_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="probe"):
        msgspec.convert({"probe": "tried"}, kernel.options)


def test_the_probes_read_no_files() -> None:
    with pytest.raises(InputError, match="remove --input"):
        kernel.survey(Path("frame.tif"), ProbesOptions())


def test_the_kernel_is_imported_without_numpy() -> None:
    code = "import sys, daasbench.kernels.probes; print({'numpy', 'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_more_threads_than_the_process_was_started_with_are_refused() -> None:
    with pytest.raises(MissingRequirement, match="NUMBA_NUM_THREADS"):
        with_numba.use_threads(10_000)


# --- limits ---------------------------------------------------------------------------------------------------


def run_with_threads(code: str, **threads: int) -> subprocess.CompletedProcess[str]:
    """Run code in a process that was started for these numbers of threads, as the harness does."""
    thread_variables = os.environ | {f"{library}_NUM_THREADS": str(count) for library, count in threads.items()}
    return subprocess.run(
        [sys.executable, "-c", code], env=thread_variables, capture_output=True, text=True, check=True
    )


def test_every_limit_is_measured_and_is_the_best_of_its_repeats() -> None:
    code = (
        "import msgspec; from daasbench.kernels.probes import kernel\n"
        "print(msgspec.json.encode(kernel.measure_limits(1, seconds=0.02)).decode())"
    )
    done = run_with_threads(code, NUMBA=1, OPENBLAS=1, OMP=1, MKL=1)
    values, failed = msgspec.json.decode(done.stdout, type=tuple[dict[str, Limit], dict[str, str]])
    assert failed == {}
    assert set(values) == set(PROBES)
    for name, limit in values.items():
        assert limit.unit == ("B/s" if name in ("triad", "read") else "flop/s")
        assert 0 < limit.low <= limit.value == limit.high
        assert limit.repeats >= limits.MIN_REPEATS


def test_a_matrix_product_with_other_threads_than_asked_is_no_limit() -> None:
    code = (
        "import numpy as np; from daasbench.kernels.probes import limits\n"
        "print([limits._blas(np.float32, threads, 0.0) is None for threads in (1, 2)])"
    )
    if len(os.sched_getaffinity(0)) > 1:
        done = run_with_threads(code, NUMBA=2, OPENBLAS=2, OMP=2, MKL=2)
        assert done.stdout.strip() == "[True, False]"
        assert "used 2 threads, not 1" in done.stderr


def test_a_probe_without_a_value_gives_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "usable_memory_bytes", lambda: 2**20)
    monkeypatch.setattr(limits, "_product", lambda *_: None)
    monkeypatch.setattr(limits, "_transform", lambda *_: {})
    _, failed = limits.measure_limits(1, seconds=0.0)
    assert set(failed) == {"triad", "read"}
    assert "too little memory" in failed["triad"]


def test_arrays_leave_the_cache_whatever_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "usable_memory_bytes", lambda: 2**40)
    for cache in (32 * 2**20, 384 * 2**20):
        monkeypatch.setattr(limits, "last_level_cache_bytes", lambda cache=cache: cache)
        assert limits._elements() * 8 == 4 * cache
