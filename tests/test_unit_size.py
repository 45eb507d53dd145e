"""What one unit of scientific work is, in words."""

from __future__ import annotations

from daasbench import registry
from daasbench.evidence.unit_size import unit_size, unit_words
from daasbench.model import Case


def words(name: str, size: str) -> str:
    kernel = registry.kernel(name)
    case = Case(kernel=name, implementation="numpy", version="1", size=size)
    return unit_words(kernel, unit_size(kernel, case))


def test_a_unit_is_said_with_its_size():
    assert words("azimuthal_integration", "tiny") == "frames of 211 x 197 pixels"
    assert words("azimuthal_integration", "small") == "frames of 2167 x 2070 pixels"
    assert words("tomography", "small") == "slices of 128 x 128 pixels"
    assert words("xrf_mapping", "small") == "spectra of 2048 channels"
    assert words("sparse_eigen", "small") == ""


def test_work_that_is_counted_otherwise_is_said_by_what_has_the_size():
    assert words("detector_io", "small") == "frames of 2167 x 2070 pixels"
    assert words("ptychography", "small") == "frames of 128 x 128 pixels"
    assert words("tomography_iterative", "small") == "slices of 128 x 128 pixels"
    assert words("xpcs", "small") == "frames of 120 x 200 pixels"


def test_the_size_of_a_measured_files_unit_is_that_of_its_record():
    kernel = registry.kernel("azimuthal_integration")
    case = Case(kernel=kernel.name, implementation="numpy", version="1", input="a.h5", input_hash="0")
    assert unit_size(kernel, case) == unit_size(None, case) == ""
    assert unit_words(kernel, "1679 x 1475 pixels") == "frames of 1679 x 1475 pixels"
    assert unit_words(None, "1679 x 1475 pixels") == ""
