"""Every implementation and every peer reads and writes every bit, and a wrong result is found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.detector_io import kernel
from daasbench.kernels.detector_io.frames import NO_DATA, make_frames
from daasbench.kernels.detector_io.recycled import Recycled

from daasbench.errors import InputError
from daasbench.formats.chunks import FileImage, chunks_of, open_image
from daasbench.testing.ranks import dask_client, results_on_ranks, results_on_workers

IMPLEMENTATIONS = ["numpy", "numba", "h5py"]
PEERS = ["bitshuffle", "blosc2"]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_implementation_is_right_in_both_directions(
    tiny: Any, compute: Any, verdict: Any, name: str, direction: str, threads: int
) -> None:
    problem = tiny(direction=direction)
    found = verdict(problem, compute(problem, name, threads=threads), name)
    assert found.ok, found
    assert found.verified_by == "truth"


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("direction", ["read", "write"])
def test_every_peer_is_right_in_both_directions(
    needs: Any, tiny: Any, compute: Any, verdict: Any, name: str, direction: str
) -> None:
    needs(name)
    problem = tiny(direction=direction)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found


@pytest.mark.slow
def test_ranks_and_workers_write_one_file(tiny: Any, verdict: Any) -> None:
    problem = tiny(2, direction="write")
    for ranks, results in results_on_ranks("detector_io", "mpi", problem, ranks=(1, 3)).items():
        for index, result in enumerate(results):
            found = verdict(problem, result, "mpi", index % 2)
            assert found.ok, (ranks, found)
    with dask_client(2) as client:
        for index, result in enumerate(results_on_workers("detector_io", "dask", problem, client)):
            assert verdict(problem, result, "dask", index % 2).ok


def test_reading_what_was_written_loses_nothing(tiny: Any, compute: Any) -> None:
    writing = tiny(direction="write")
    image = compute(writing, "numba")
    reading = dataclasses.replace(tiny(), blocks=[image])
    np.testing.assert_array_equal(compute(reading, "numba"), writing.blocks[0])


def test_one_wrong_bit_is_found(tiny: Any, compute: Any, verdict: Any) -> None:
    problem = tiny()
    frames = compute(problem, "numba")
    frames[2, 7, 9] ^= 1
    found = verdict(problem, frames, "numba")
    assert not found.ok
    assert "frame 2 is wrong" in found.message


def test_a_mutant_that_swaps_two_planes_is_caught(tiny: Any, compute: Any, verdict: Any, monkeypatch: Any) -> None:
    from daasbench.kernels.detector_io import with_numpy

    right = with_numpy.from_planes

    def swapped(planes: Any, size: int) -> Any:
        rows = planes.reshape(8 * size, -1).copy()
        rows[[0, 1]] = rows[[1, 0]]
        return right(rows.ravel(), size)

    monkeypatch.setattr(with_numpy, "from_planes", swapped)
    problem = tiny()
    assert not verdict(problem, compute(problem, "numpy"), "numpy").ok


def test_a_writer_that_packs_nothing_is_wrong(tiny: Any, compute: Any, verdict: Any, monkeypatch: Any) -> None:
    from daasbench.kernels.detector_io import with_numpy

    problem = tiny(direction="write")
    monkeypatch.setattr(with_numpy, "LEAST_RUN", 1 << 20)  # all bytes are literals: a right file, and a large one
    image = compute(problem, "numpy")
    assert verdict(problem, image, "numpy").ok
    found = verdict(problem, image, "numba")
    assert not found.ok
    assert "times as large as by hdf5plugin" in found.message


@pytest.mark.parametrize("name", ["numpy", "numba", "h5py"])
def test_a_damaged_chunk_is_an_error_that_names_the_frame(tiny: Any, compute: Any, name: str) -> None:
    problem = tiny()
    image = problem.blocks[0]
    at = int(chunks_of(image).offset[3])
    damaged = image.content.copy()
    damaged[at + 16 : at + 24] = 255  # the first tokens of the first LZ4 block
    broken = dataclasses.replace(problem, blocks=[FileImage(content=damaged, frames=image.frames)])
    with pytest.raises(InputError) as raised:
        compute(broken, name)
    assert name == "h5py" or "frame 3" in str(raised.value)


def test_a_cut_off_file_image_is_an_error(tiny: Any, compute: Any) -> None:
    problem = tiny()
    image = problem.blocks[0]
    end = int(chunks_of(image).offset[4]) + 10
    for size in (end, 100):
        short = FileImage(content=image.content[:size].copy(), frames=image.frames)
        with pytest.raises(InputError):
            compute(dataclasses.replace(problem, blocks=[short]), "numba")


def test_generated_files_are_as_the_detector_writes_them(tiny: Any) -> None:
    problem = tiny()
    chunks = chunks_of(problem.blocks[0])
    assert chunks.dtype == np.uint32
    with open_image(problem.blocks[0]) as dataset:
        assert dataset.chunks == (1, 61, 67)


def test_generated_frames_pack_as_the_measured_one_does() -> None:
    frames = make_frames(1, 600, 1100, [1, 0])
    counts = frames[frames < 100_000]
    assert 15 < np.median(counts) < 60  # the measured frame: 27
    assert (frames == NO_DATA).any()


def test_memory_is_used_again_only_when_nothing_refers_to_it() -> None:
    memory = Recycled()
    first = memory.array((3, 4), np.uint32)
    where = first.ctypes.data
    view = first[1]
    del first
    assert memory.array((3, 4), np.uint32).ctypes.data != where  # the view still refers to it
    del view
    assert memory.array((3, 4), np.uint32).ctypes.data == where


def test_two_results_of_one_implementation_do_not_share_memory(tiny: Any) -> None:
    from daasbench.contracts import Resources

    problem = tiny(2)
    read = kernel.implementations["numba"].load()(problem, Resources(threads=2))
    first, second = read(problem.blocks[0]), read(problem.blocks[1])
    assert not np.shares_memory(first, second)
