"""The id of a case: a hash of what is computed and by what, and of nothing else."""

from __future__ import annotations

import msgspec
import pytest

from daasbench.model import Case

FIXED = Case(
    kernel="azimuthal_integration",
    implementation="numba",
    version="0.1.0",
    size="small",
    seed=0,
    options={"bins": 500, "mode": "nosplit"},
    threads=2,
)


def test_the_id_of_a_case_never_changes():
    assert FIXED.id == "556e2feebcd5f40e"
    with_file = msgspec.structs.replace(FIXED, size=None, seed=None, input_hash="0123456789abcdef")
    assert with_file.id == "793f8d9155188db1"


def test_the_id_of_a_case_does_not_depend_on_names_of_files_or_the_order_of_keys():
    renamed = msgspec.structs.replace(FIXED, input="/home/me/frames.h5", files={"mask": "mask.tif"})
    assert renamed.id == FIXED.id
    round_result = msgspec.structs.replace(FIXED, options={"mode": "nosplit", "bins": 500})
    assert round_result.id == FIXED.id


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "tomography"},
        {"implementation": "numpy"},
        {"version": "0.2.0"},
        {"size": "tiny"},
        {"seed": 1},
        {"input_hash": "fedcba9876543210"},
        {"options": {"bins": 501, "mode": "nosplit"}},
        {"cache": True},
        {"nodes": 2},
        {"ranks": 2},
        {"threads": 1},
        {"gpus": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_id_of_a_case_depends_on_everything_else(change):
    assert msgspec.structs.replace(FIXED, **change).id != FIXED.id
