"""Every kernel that reads frames from files finds the same frames in the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from daasbench import registry
from daasbench.compute.backends import arrays_in
from daasbench.errors import InputError
from daasbench.formats.chunks import open_image
from daasbench.measure.inputs import make_inputs
from daasbench.measure.messages import Spec
from daasbench.measure.session import Session
from daasbench.model import Case

POSE = {"distance_m": 0.2, "pixel_m": 1e-3, "wavelength_m": 1e-10, "beam_row": 12.0, "beam_column": 17.5}
ROCKING = {
    "angles": "entry/of_frames", "phi_deg": 0.0, "nu_deg": 0.0, "delta_deg": 60.0, "energy_kev": 9.0,
    "distance_mm": 500.0, "pixel_um": 55.0, "centre": "16,16",
}  # fmt: skip


def as_it_is(block: Any) -> Any:
    return block


def unpacked(block: Any) -> Any:
    with open_image(block) as dataset:
        return dataset[()]


READ: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {  # options, and how frames are got from a block
    "azimuthal_integration": ({"frames": 25}, as_it_is),
    "detector_io": ({"frames": 25}, unpacked),
    "integration_pipeline": ({"frames": 25, **POSE}, unpacked),
    "nanostrain": (ROCKING, lambda block: block[0]),
    "ptychography": ({"translations": "entry/translation", "pixel_nm": 20.0, "centre": "16,16"}, as_it_is),
    "spot_finding": ({"frames": 25}, as_it_is),
    "tomography": (
        {"angles": "entry/of_frames", "minus_log": False, "slices": 32, "centre": 15.0},
        lambda block: block.transpose(1, 0, 2),
    ),
    "tomography_iterative": ({"angles": "entry/of_rows", "slices": 25}, as_it_is),
    "xpcs": ({}, as_it_is),
}
FEWEST = {"spot_finding": {"frames": 1}, "azimuthal_integration": {"frames": 1}}
SERIES = ("azimuthal_integration", "detector_io", "integration_pipeline", "spot_finding", "xpcs")


@pytest.fixture
def frames_by(poni: Path) -> Callable[..., Any]:
    """Return a function that reads a file by a kernel, with its least options, and returns the frames it takes."""

    def read(name: str, path: Path, **more: Any) -> Any:
        kernel, (options, frames_of) = registry.kernel(name), READ[name]
        geometry = {"geometry": str(poni)} if name == "azimuthal_integration" else {}
        chosen = kernel.options(**options, **geometry, **more)
        return np.asarray(frames_of(kernel.read(path, kernel.survey(path, chosen), chosen, 1).blocks[0]))

    return read


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize(("meant", "times"), [("data", 1), ("other", 2)])
def test_the_default_of_a_nexus_file_is_what_every_kernel_reads(
    name: str, meant: str, times: int, two_stacks: Any, frames: Any, frames_by: Any
) -> None:
    np.testing.assert_array_equal(frames_by(name, two_stacks(meant)), times * frames)


@pytest.mark.parametrize("name", READ)
def test_what_the_user_names_goes_before_the_default(name: str, two_stacks: Any, frames: Any, frames_by: Any) -> None:
    found = frames_by(name, two_stacks("data"), dataset="entry/other/frames")
    np.testing.assert_array_equal(found, 2 * frames)


@pytest.mark.parametrize("name", READ)
def test_no_kernel_guesses_between_two_stacks(name: str, two_stacks: Any, frames_by: Any) -> None:
    with pytest.raises(InputError, match=r"two\.nxs: .*dataset=PATH") as refused:
        frames_by(name, two_stacks(None))
    assert "entry/other/frames" in str(refused.value)


@pytest.mark.parametrize("name", READ)
def test_the_blocks_of_a_file_are_repeated_and_verified_at_every_place(
    name: str, two_stacks: Any, poni: Path, tmp_path: Path
) -> None:
    options = {"iterations": 2, "finish": 2} if name == "ptychography" else {}
    options |= {key: value for key, value in READ[name][0].items() if key != "frames"}
    options |= FEWEST.get(name, {})
    paths = {"input": str(two_stacks("data"))}
    if name == "azimuthal_integration":
        paths["geometry"] = str(poni)
    case = Case(kernel=name, implementation="numpy", version="1", input_hash="file", options=options)
    spec = Spec(case=case, scratch=str(tmp_path / "scratch/one"), paths=paths, cache_bytes=40_000)
    made = make_inputs(spec)
    session = Session(spec)
    assert session.prepare().verdict.ok
    round_result = session.round(made.blocks, number=0, limit_s=600.0, origin=0.0)
    assert round_result.verdict is not None
    assert round_result.verdict.ok, round_result.verdict
    assert set(round_result.samples.block) == set(range(made.blocks))
    assert session.distinct < made.blocks
    where = [{array.ctypes.data for array in arrays_in(block)} for block in session.blocks]
    assert len(set.union(*where)) == sum(map(len, where))


@pytest.mark.parametrize("name", SERIES)
def test_a_dectris_series_is_one_stack_for_every_kernel(
    name: str, series: Path, frames: Any, frames_by: Any, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(frames_by(name, series), frames)
    with h5py.File(series, "a") as master:  # as newer files say it: NeXus' signal is a part of the series
        master.attrs["default"], master["entry"].attrs["default"] = "entry", "data"
        master["entry/data"].attrs["signal"] = "data_000001"
    np.testing.assert_array_equal(frames_by(name, series), frames)
    (tmp_path / "scan_data_000001.h5").unlink()
    with pytest.raises(InputError, match=r"data_000001 leads to scan_data_000001\.h5, which is missing"):
        frames_by(name, series)


@pytest.mark.parametrize("name", READ)
def test_a_default_that_leads_to_a_missing_file_is_never_replaced_by_another_stack(
    name: str, two_stacks: Any, frames_by: Any
) -> None:
    path = two_stacks("data")
    with h5py.File(path, "a") as file:
        del file["entry/data/frames"]
        file["entry/data/frames"] = h5py.ExternalLink("gone.h5", "/frames")
    with pytest.raises(InputError, match=r"frames leads to gone\.h5, which is missing"):
        frames_by(name, path)
