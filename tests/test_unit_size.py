"""What one unit of scientific work is, in words."""

from __future__ import annotations

from daasbench import registry
from daasbench.evidence.unit_size import unit_size, unit_words
from daasbench.model import Case


def words(kernel: str, size: str) -> str:
    return unit_words(registry.kernel(kernel), Case(kernel=kernel, implementation="numpy", version="1", size=size))


def test_a_unit_is_said_with_its_size():
    assert words("azimuthal_integration", "tiny") == "frames of 211 x 197 pixels"
    assert words("azimuthal_integration", "small") == "frames of 2167 x 2070 pixels"
    assert words("tomography", "small") == "slices of 128 x 128 pixels"
    assert words("xrf_mapping", "small") == "spectra of 2048 channels"
    assert words("sparse_eigen", "small") == ""


def test_the_size_of_a_units_file_is_read_from_its_headers(hdf5_file):
    import numpy as np

    file = hdf5_file("frames.h5", {"entry/data/data": np.zeros((2, 30, 40), np.uint16)})
    case = Case(kernel="azimuthal_integration", implementation="numpy", version="1", input=str(file), input_hash="0")
    kernel = registry.kernel("azimuthal_integration")
    assert unit_size(kernel, case, {"input": str(file)}) in ("30 x 40 pixels", "")  # a geometry may be asked for
    assert unit_size(kernel, case, {"input": str(file.with_name("gone.h5"))}) == ""
    assert unit_size(kernel, case) == ""
    assert unit_size(None, case) == ""
