"""DIALS, through its adapter, marks the same pixels; if it is not installed, the message has the fix."""

from __future__ import annotations

import gc
import shutil
from typing import Any

import numpy as np
import psutil
import pytest
from daasbench.kernels.spot_finding import kernel
from daasbench.kernels.spot_finding.peers import with_dials

from daasbench.contracts import Resources
from daasbench.errors import MissingRequirement


@pytest.fixture
def dials(program: Any) -> None:
    """Skip the test if DIALS is not installed."""
    program("dials.find_spots", fix=with_dials.CURE)


@pytest.mark.usefixtures("dials")
def test_dials_finds_what_the_definition_says(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated("small", blocks=2)
    result = compute(problem, "dials", block=1)
    found = verdict(problem, result, "dials", block=1)
    assert found.ok, found
    np.testing.assert_array_equal(result.mask, compute(problem, "numba", block=1).mask)


@pytest.mark.usefixtures("dials")
@pytest.mark.parametrize("criteria", [{}, {"nsig_b": 1.3, "nsig_s": 0.7, "min_count": 30}, {"threshold": 60}])
def test_dials_agrees_at_every_edge(
    problem_of: Any, compute: Any, verdict: Any, trouble: Any, criteria: dict[str, Any]
) -> None:
    problem = problem_of(*trouble, min_pixels=1, **criteria)
    found = verdict(problem, compute(problem, "dials"), "dials")
    assert found.ok, found


@pytest.mark.usefixtures("dials")
def test_dials_searches_the_block_that_it_is_given(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(blocks=2)
    run = kernel.implementations["dials"].load()(problem, Resources())
    other = generated(seed=9)
    for frames in (problem.blocks[1], problem.blocks[0], other.blocks[0], problem.blocks[1].copy()):
        expected = compute(problem, "numba").mask if frames is problem.blocks[0] else None
        mask = run(frames).mask
        if expected is not None:
            np.testing.assert_array_equal(mask, expected)
        alike = kernel.implementations["numba"].load()(problem, Resources())(frames).mask
        np.testing.assert_array_equal(mask, alike)


@pytest.mark.usefixtures("dials")
def test_its_process_ends_when_it_is_no_longer_needed(generated: Any) -> None:
    run = kernel.implementations["dials"].load()(generated(), Resources())
    children = psutil.Process().children()
    ours = [child for child in children if any("dials_server" in word for word in child.cmdline())]
    assert len(ours) == 1
    del run
    gc.collect()
    assert not ours[0].is_running()


def test_without_dials_the_message_has_the_fix(generated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingRequirement, match="apt install dials"):
        kernel.implementations["dials"].load()(generated(), Resources())


def test_what_dials_has_no_method_for_is_skipped(generated: Any) -> None:
    with pytest.raises(MissingRequirement, match="remove method"):
        kernel.implementations["dials"].load()(generated(method="threshold"), Resources())


def test_the_python_of_dials_is_found_by_its_programs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    script = tmp_path / "dials.find_spots"
    script.write_text("#!/opt/its/python3 -s\nimport dials\n")
    script.chmod(0o755)
    assert with_dials.find_python() == ["/opt/its/python3", "-s"]
    script.write_bytes(b"\x7fELF")
    with pytest.raises(MissingRequirement, match="does not name the Python"):
        with_dials.find_python()
    dispatcher = tmp_path / "dials.python"
    shutil.copy(script, dispatcher)
    assert with_dials.find_python() == [str(dispatcher)]
