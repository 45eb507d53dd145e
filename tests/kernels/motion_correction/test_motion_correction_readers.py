"""Movies are read as they were written, and a wrong file is refused with one sentence."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.motion_correction import kernel
from daasbench.kernels.motion_correction.mrc import open_mrc, write_mrc
from daasbench.kernels.motion_correction.star import table_in, write_table

from daasbench.errors import InputError


@pytest.fixture
def movie() -> Any:
    return np.random.default_rng(1).poisson(2, (5, 40, 48)).astype(np.uint8)


def read(path: Path, **options: Any) -> Any:
    chosen = kernel.options(**options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, 2)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        read(path, **options)
    message = str(error.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize(("kind", "kept"), [("u1", "u1"), ("i2", "u2"), ("u2", "u2"), ("f4", "f4")])
def test_an_mrc_file_is_read_as_it_was_written(tmp_path: Path, movie: Any, kind: str, kept: str) -> None:
    path = tmp_path / "movie.mrcs"
    write_mrc(path, movie.astype(kind))
    problem = read(path)
    assert len(problem.blocks) == 1
    assert problem.blocks[0].dtype == kept
    np.testing.assert_array_equal(problem.blocks[0][0], movie)
    work = kernel.work(kernel.survey(path, kernel.options()), kernel.options())
    assert work.input_bytes == problem.blocks[0].nbytes


def test_mode_0_is_signed_unless_imod_says_otherwise(tmp_path: Path, movie: Any) -> None:
    path = tmp_path / "movie.mrc"
    movie[2, 3, 4] = 200
    write_mrc(path, movie)
    assert "negative counts down to -56" in refused(path)
    with open(path, "r+b") as file:
        file.seek(152)
        file.write(np.array([1146047817, 0], "<i4").tobytes())
    np.testing.assert_array_equal(read(path).blocks[0][0], movie)


def test_a_big_endian_file_with_an_extended_header_is_read(tmp_path: Path, movie: Any) -> None:
    path = tmp_path / "movie.mrc"
    header = np.zeros(256, ">i4")
    header[:4], header[23] = (48, 40, 5, 2), 128
    content = bytearray(header.tobytes())
    content[208:214] = b"MAP \x11\x11"
    path.write_bytes(bytes(content) + bytes(128) + movie.astype(">f4").tobytes())
    np.testing.assert_array_equal(read(path).blocks[0][0], movie)


def test_a_tiff_stack_is_read(tmp_path: Path, movie: Any, needs: Any) -> None:
    needs("tifffile")
    import tifffile

    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, movie)
    np.testing.assert_array_equal(read(path).blocks[0][0], movie)


def test_some_of_the_frames_can_be_chosen(tmp_path: Path, movie: Any) -> None:
    path = tmp_path / "movie.mrc"
    write_mrc(path, movie)
    np.testing.assert_array_equal(read(path, first=1, frames=3).blocks[0][0], movie[1:4])
    assert "has 5 frames; first=3 and frames=3" in refused(path, first=3, frames=3)
    assert "first=3 and frames=all must select at least three" in refused(path, first=3)


def test_pixels_that_are_not_finite_get_the_mean_of_their_frame(tmp_path: Path, movie: Any) -> None:
    path = tmp_path / "movie.mrc"
    spoilt = movie.astype(np.float32)
    spoilt[1, 2, 3], spoilt[4, 5, 6] = np.nan, np.inf
    write_mrc(path, spoilt)
    problem = read(path)
    assert problem.repaired == 2
    good = np.ones((40, 48), bool)
    good[2, 3] = False
    assert problem.blocks[0][0, 1, 2, 3] == pytest.approx(movie[1][good].mean())
    spoilt[3] = np.nan
    write_mrc(path, spoilt)
    assert "frame 3 has no finite pixel" in refused(path)


def test_a_damaged_file_is_refused(tmp_path: Path, movie: Any) -> None:
    path = tmp_path / "movie.mrc"
    assert "no such file" in refused(path)
    path.write_bytes(b"")
    assert "is not an MRC file" in refused(path)
    write_mrc(path, movie)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "truncated" in refused(path)
    path.write_bytes(whole[:12] + np.int32(4).tobytes() + whole[16:])
    assert "complex" in refused(path)
    path.write_bytes(np.int32(-3).tobytes() + whole[4:])
    assert "damaged" in refused(path)
    write_mrc(path, movie[:, :8])
    assert "at least 32 pixels" in refused(path)
    for name in ("movie.tif", "movie.eer"):
        other = tmp_path / name
        other.write_bytes(b"II*\0junk")
        assert "converted" in refused(other) or "TIFF" in refused(other)


def test_a_movie_of_a_file_is_aligned(tmp_path: Path, generated: Any, compute: Any, verdict: Any) -> None:
    made = generated()
    path = tmp_path / "movie.mrc"
    write_mrc(path, made.blocks[0][0].astype(np.uint16))
    problem = read(path)
    result = compute(problem, "numba")
    assert verdict(problem, result, "numba").ok
    error = result.shifts - made.specimens[0].drifts
    assert np.sqrt(((error - error.mean(axis=1, keepdims=True)) ** 2).mean()) < 0.05


def test_a_star_file_is_read_as_it_was_written() -> None:
    text = "# RELION\n" + write_table("one", {"A": ["1", "2"], "B": ["x", "y"]}) + write_table("two", {"A": ["3"]})
    assert table_in(text, "one") == {"A": ["1", "2"], "B": ["x", "y"]}
    assert table_in(text, "two") == {"A": ["3"]}
    assert table_in(text, "three") == {}


def test_drifts_that_relion_measured_are_found_again(real_file: Any, drifting: Any, compute: Any, verdict: Any) -> None:
    tracks = []
    with tarfile.open(fileobj=lzma.open(real_file("cryoem/relion31_betagal_metadata.tar.xz"))) as archive:
        for name in archive.getnames():
            if name.endswith("_frameImage.star"):
                member = archive.extractfile(name)
                assert member is not None
                shifts = table_in(member.read().decode(), "global_shift")
                tracks.append(-np.array([shifts["MicrographShiftY"], shifts["MicrographShiftX"]], float).T)
    assert len(tracks) == 24
    assert {len(track) for track in tracks} == {24}
    for track in (tracks[0], max(tracks, key=lambda track: np.linalg.norm(track[-1]))):
        problem = drifting(track, dose=60)
        found = verdict(problem, compute(problem, "numba"), "numba")
        assert found.ok, found
        assert found.verified_by == "truth"


def test_a_written_mrc_file_says_what_it_is(tmp_path: Path, movie: Any) -> None:
    path = tmp_path / "sum.mrc"
    write_mrc(path, movie[:1].astype(np.float32))
    assert path.stat().st_size == 1024 + 4 * 40 * 48
    assert open_mrc(path).shape == (1, 40, 48)
