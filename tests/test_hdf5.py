"""HDF5 files of users: links are followed, and what is missing is named."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from daasbench.errors import InputError
from daasbench.formats.hdf5 import check_sources, contents, dataset_at, distinct, open_hdf5


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Return a file with a dataset behind a soft, a hard and an external link, a loop, and broken links."""
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["frames"] = np.ones((2, 3, 4), "u2")
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file["entry/detector/data"] = np.zeros((5, 6))
        file["entry/data/hard"] = file["entry/detector/data"]
        file["entry/data/soft"] = h5py.SoftLink("/entry/detector/data")
        file["entry/data/outside"] = h5py.ExternalLink("outside.h5", "/frames")
        file["entry/data/round"] = h5py.SoftLink("/entry")
        file["entry/data/lost"] = h5py.ExternalLink("lost.h5", "/frames")
        file["entry/data/nowhere"] = h5py.SoftLink("/entry/none")
    return path


def test_every_link_is_followed_and_no_loop_is_endless(linked: Path) -> None:
    with open_hdf5(linked) as file:
        found = contents(file)
        assert set(found.datasets) == {
            "entry/data/hard", "entry/data/soft", "entry/data/outside", "entry/detector/data"
        }  # fmt: skip
        assert set(distinct(found.datasets)) == {"entry/data/hard", "entry/data/outside"}
        assert list(found.called("data")) == ["entry/detector/data"]


def test_a_broken_link_is_named_with_its_target(linked: Path) -> None:
    with open_hdf5(linked) as file:
        found = contents(file)
        assert found.broken == {"entry/data/lost": "lost.h5", "entry/data/nowhere": "/entry/none"}
        assert "entry/data/lost -> lost.h5 (missing)" in str(found)
        assert "entry/data/outside uint16[2, 3, 4]" in str(found)


def test_a_path_that_is_no_dataset_gives_none(linked: Path) -> None:
    with open_hdf5(linked) as file:
        assert dataset_at(file, "/entry/data/soft").shape == (5, 6)
        for path in ("entry", "entry/data/lost", "entry/data/hard/deeper", "nothing"):
            assert dataset_at(file, path) is None


def test_a_long_listing_is_cut_and_an_empty_one_says_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "many.h5", "w") as file:
        assert str(contents(file)) == "no datasets"
        for index in range(23):
            file[f"n{index:02d}"] = index
        assert str(contents(file)).endswith("n19 int64[], and 3 more")


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "scan.h5"
    if content is None:
        with h5py.File(path, "w") as file:
            file["frames"] = np.zeros(10_000)
        content = path.read_bytes()[:6000]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scan\.h5: cannot be read as HDF5 .*truncated"), open_hdf5(path):
        pass
    with pytest.raises(InputError, match="no such file"), open_hdf5(tmp_path / "none.h5"):
        pass


def test_a_virtual_dataset_whose_source_is_gone_is_refused(linked: Path, tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((2, 3, 4), "u2")
    layout[:] = h5py.VirtualSource("outside.h5", "frames", (2, 3, 4))
    with h5py.File(linked, "a") as file:
        file.create_virtual_dataset("virtual", layout)
    with open_hdf5(linked) as file:
        check_sources(linked, file["virtual"])
        check_sources(linked, file["entry/detector/data"])
    (tmp_path / "outside.h5").unlink()
    with (
        open_hdf5(linked) as file,
        pytest.raises(InputError, match=r"virtual takes values from the missing file 'outside\.h5'"),
    ):
        check_sources(linked, file["virtual"])


def test_a_file_that_another_program_writes_is_said_to_be_locked_not_damaged(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    with path.open("rb+") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)  # as HDF5 locks a file that it writes
        with pytest.raises(InputError, match="another program has this file open for writing"), open_hdf5(path):
            pass
    with open_hdf5(path) as file:
        assert file["data"].shape == (3,)


def test_a_lock_that_goes_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    writer = path.open("rb+")
    fcntl.flock(writer, fcntl.LOCK_EX)
    monkeypatch.setattr("daasbench.formats.hdf5.time.sleep", lambda _: writer.close())
    with open_hdf5(path) as file:
        assert file["data"].shape == (3,)
