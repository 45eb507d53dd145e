"""A user's kernel: plain functions in one file of at most a dozen lines; each error is reported in one message."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from daasbench import kernel
from daasbench.authoring import user_file
from daasbench.authoring.function import FunctionKernel
from daasbench.errors import PluginError, UnknownName

# the shortest complete kernel; docs/how-to/own-kernel.md explains it
TWELVE = """\
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def frame_sums(inputs): return {"total": inputs["frames"].sum()}
@frame_sums.inputs(tiny={"n": 4}, small={"n": 64})
def frames(n, rng): return {"frames": rng.poisson(3, (n, 512, 512)).astype("u4")}
"""


def written(folder: Path, text: str) -> Path:
    """Write a user's file."""
    path = folder / "mine.py"
    path.write_text(text)
    return path


def made(**changes: object) -> FunctionKernel:
    """Return a kernel with some of its arguments changed."""
    facts = {"unit": "frame", "oracle": lambda inputs, got: 0.0, "tolerance": 0.5} | changes

    @kernel(**facts)
    def sums(inputs: dict[str, np.ndarray]) -> dict[str, float]:
        """Sum the frames."""
        return {"total": float(inputs["frames"].sum())}

    @sums.inputs(tiny={"n": 3})
    def frames(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"frames": rng.integers(0, 9, (n, 4, 5))}

    return sums


def verdict_of(answer: object) -> object:
    """Return the verdict where the oracle answers `answer`."""
    sums = made(oracle=lambda inputs, got: answer)
    problem = sums.make({"n": 2}, sums.options(), 0, 1)
    return sums.verify(problem, None, 0, {}, "")


# --- what it can do -------------------------------------------------------------------------------------------


def test_a_kernel_takes_at_most_a_dozen_lines(tmp_path):
    assert len(TWELVE.splitlines()) <= 12
    mine = user_file.kernel_from_file(written(tmp_path, TWELVE))
    assert mine.name == "frame_sums"
    assert list(mine.sizes) == ["tiny", "small"]
    assert list(mine.implementations) == ["numpy"]
    problem = mine.make(mine.sizes["tiny"], mine.options(), 7, 2)
    assert problem.work.units == 4
    assert mine.verify(problem, None, 1, mine(problem.blocks[1]), "").ok


def test_the_same_seed_makes_the_same_inputs_and_another_block_others():
    sums = made()
    first, again = (sums.make({"n": 2}, sums.options(), 5, 2).blocks for _ in range(2))
    assert np.array_equal(first[0]["frames"], again[0]["frames"])
    assert not np.array_equal(first[0]["frames"], first[1]["frames"])
    other = sums.make({"n": 2}, sums.options(), 6, 1).blocks
    assert not np.array_equal(first[0]["frames"], other[0]["frames"])


def test_a_kernel_stays_callable_as_the_function_that_it_decorates():
    assert made()({"frames": np.ones((2, 3))}) == {"total": 6.0}
    assert made().card.title == "Sum the frames."


def test_units_are_what_the_author_counts_or_the_first_axis():
    assert made().make({"n": 3}, made().options(), 0, 1).work.units == 3
    sums = made(units=lambda inputs: inputs["frames"].size)
    assert sums.make({"n": 3}, sums.options(), 0, 1).work.units == 60


def test_a_changed_file_is_run_again_and_an_unchanged_one_once(tmp_path):
    path = written(tmp_path, TWELVE)
    first = user_file.kernel_from_file(path)
    assert user_file.kernel_from_file(path) is first
    path.write_text(TWELVE.replace("tolerance=0.5", "tolerance=2"))
    assert user_file.kernel_from_file(path).tolerance == 2


def test_one_of_two_kernels_is_chosen_by_its_name(tmp_path):
    path = written(tmp_path, TWELVE + TWELVE.replace("frame_sums", "other"))
    assert user_file.kernel_from_file(Path(f"{path}:other")).name == "other"


def test_a_folder_whose_name_holds_py_hides_no_file(tmp_path):
    folder = tmp_path / "my.pyproject"
    folder.mkdir()
    path = written(folder, TWELVE)
    assert user_file.source_of(Path(f"{path}:frame_sums")) == (path, "frame_sums")
    assert user_file.source_of(path) == (path, "")


def test_what_a_file_prints_does_not_reach_standard_output(tmp_path, capsys):
    user_file.kernel_from_file(written(tmp_path, "print('hello')\n" + TWELVE))
    said = capsys.readouterr()
    assert said.out == ""
    assert "hello" in said.err


# --- the oracle -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [0, 0.25, np.float32(0.5), np.array(0.5), np.int64(0)])
def test_any_number_is_an_answer_of_an_oracle(answer):
    assert verdict_of(answer).ok


@pytest.mark.parametrize("answer", [0.6, math.nan, math.inf, np.float64("nan")])
def test_an_error_above_the_tolerance_or_not_a_number_is_wrong(answer):
    assert not verdict_of(answer).ok


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (True, "returned True"),
        (False, "returned False"),  # as a number it would be 0: right
        (np.bool_(False), "returned False"),
        (None, "returned None"),
        (np.zeros(3), "returned something of type ndarray"),
        (np.zeros(1), "returned something of type ndarray"),
        ("0", "returned something of type str"),
        (0j, "returned something of type complex"),
        ({"error": 0}, "returned something of type dict"),
    ],
)
def test_an_oracle_that_returns_no_number_is_refused(answer, what):
    with pytest.raises(PluginError, match=f"the oracle of sums {what}.*must return one number"):
        verdict_of(answer)


def test_a_negative_answer_is_refused_because_it_would_always_be_right():
    with pytest.raises(PluginError, match="returned -5; how wrong a result is cannot be negative"):
        verdict_of(-5.0)


def test_an_oracle_that_fails_is_named():
    sums = made(oracle=lambda inputs, got: got["totl"])
    problem = sums.make({"n": 2}, sums.options(), 0, 1)
    with pytest.raises(PluginError, match="the oracle of sums fails: KeyError: 'totl'"):
        sums.verify(problem, None, 0, {}, "")


@pytest.mark.parametrize(
    ("result", "described"),
    [
        (None, "None"),
        ({}, "an empty mapping"),
        ({"totals": 3.0}, "a mapping with 'totals'"),
        (np.zeros((2, 3)), "an array of shape (2, 3)"),
        (3.0, "of type float"),
    ],
)
def test_a_failing_oracle_is_reported_with_what_the_implementation_returned(result, described):
    """A wrong key or a forgotten return is a mistake of the implementation, and not of the oracle."""
    sums = made(oracle=lambda inputs, got: got["total"])
    problem = sums.make({"n": 2}, sums.options(), 0, 1)
    with pytest.raises(PluginError, match=re.escape(f"; the result is {described}")):
        sums.verify(problem, None, 0, result, "")


# --- what is refused when it is declared -----------------------------------------------------------------------

WRONG = [
    (lambda: kernel(lambda inputs: 0), "@kernel: needs a unit, an oracle and a tolerance"),
    (lambda: made(unit=""), "@kernel: needs a unit"),
    (lambda: made(oracle=None), "@kernel: needs a unit, an oracle"),
    (lambda: made(oracle=3), "@kernel: oracle: 3 is not a function"),
    (lambda: made(oracle=lambda got: 0), "cannot be called with (inputs, result): too many positional arguments"),
    *[(lambda t=t: made(tolerance=t), "@kernel: tolerance = ") for t in (None, -1, math.nan, math.inf, "1", True)],
    (lambda: made(name="a/b"), "@kernel: name = 'a/b'; write letters, digits"),
    (lambda: made(name=3), "@kernel: name = 3"),
    (lambda: kernel(unit="a", oracle=lambda i, g: 0, tolerance=1, name="s")(lambda: 0), "implementation 'numpy'"),
    (lambda: made().inputs(tiny=4), "@sums.inputs: size 'tiny' is 4; write the generator's arguments as a dict"),
    (lambda: made().inputs(tiny={"n": 4})(lambda m, rng: 0), "@sums.inputs: size 'tiny': "),
    (lambda: made().inputs(tiny={"n": 4})(lambda n, k: 0), "missing a required argument: 'k'"),
    (lambda: made().reader(lambda: 0), "@sums.reader: "),
    (lambda: made().implementation(lambda inputs: 0), "@sums.implementation: needs a name"),
    (lambda: made().implementation("numpy"), "the name 'numpy' is already used"),
    (lambda: made().implementation("x", foo=3)(lambda inputs: 0), "@sums.implementation('x'): unexpected keyword"),
    (lambda: made().implementation("x")(lambda: 0), "implementation 'x' of sums: "),
    (
        lambda: made().implementation("x", judged_as="kindly")(lambda inputs: 0),
        "implementation 'x' of kernel sums: judged_as: no judgement 'kindly' (known: none)",
    ),
]


@pytest.mark.parametrize(("declare", "message"), WRONG, ids=[message[:50] for _, message in WRONG])
def test_a_wrong_declaration_is_refused_at_once(declare, message):
    with pytest.raises(PluginError, match=re.escape(message)):
        declare()


def test_a_function_is_serial_unless_it_declares_threads():
    sums = made()
    sums.implementation("loop")(lambda inputs: 0)
    sums.implementation("pool", threads=True)(lambda inputs: 0)
    threads = {name: one.threads for name, one in sums.implementations.items()}
    assert threads == {"numpy": False, "loop": False, "pool": True}


def test_a_single_required_module_may_be_written_as_text():
    sums = made()
    sums.implementation("x", requires="not_there")(lambda inputs: 0)
    assert sums.implementations["x"].requires == ("not_there",)


def test_inputs_without_arrays_are_refused():
    sums = made()
    sums.inputs(none={})(lambda: None)
    with pytest.raises(PluginError, match="the inputs of sums hold no arrays; return a mapping of numpy arrays"):
        sums.make({}, sums.options(), 0, 1)


FILES = [
    ("def f(:\n", "mine.py:1: is not valid Python: invalid syntax"),
    ("import not_there\n", "mine.py:1: does not run: ModuleNotFoundError: No module named 'not_there'; install it"),
    ("import beside\n", "a kernel's file must be self-contained: copy beside.py into the file"),
    (TWELVE + "1 / 0\n", "mine.py:6: does not run: ZeroDivisionError: division by zero"),
    (TWELVE + "raise SystemExit(3)\n", "mine.py:6: does not run: SystemExit: 3"),
    (TWELVE.replace(", tolerance=0.5", ""), "mine.py:2: @kernel: tolerance = None"),
    (TWELVE.replace("n, rng", "m, rng"), "mine.py:4: @frame_sums.inputs: size 'tiny': frames(m, rng) cannot be called"),
    ("", "mine.py: defines no kernel; decorate a function with @daasbench.kernel(...)"),
    (TWELVE.partition("@frame_sums")[0], "mine.py: kernel frame_sums has no inputs; add @frame_sums.inputs"),
    (TWELVE + TWELVE.replace("frame_sums", "other"), "defines 2 kernels; choose one: mine.py:frame_sums or mine.py:ot"),
    ("\0", "mine.py: "),
]


@pytest.mark.parametrize(("text", "message"), FILES, ids=[message[:50] for _, message in FILES])
def test_a_wrong_file_is_refused_with_its_line(refused_file, text, message):
    assert message in refused_file(text)


@pytest.fixture
def refused_file(say, tmp_path):
    """Return a function that runs a user's file which must be refused, and returns the message."""

    def run(text: str) -> str:
        (tmp_path / "beside.py").write_text("")
        written(tmp_path, text)
        said = say("run", "./mine.py")
        assert said.code == 2
        assert said.err.count("\n") == 1
        assert not (tmp_path / "results").exists()
        return str(said.err)

    return run


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PluginError, match=r"nowhere.py: no such file; name a file that defines a kernel"):
        user_file.kernel_from_file(tmp_path / "nowhere.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(PluginError, match=r"folder.py: is a folder"):
        user_file.kernel_from_file(tmp_path / "folder.py")


def test_a_kernel_that_is_not_in_the_file_is_refused_with_the_nearest(tmp_path):
    path = written(tmp_path, TWELVE)
    with pytest.raises(UnknownName, match="no kernel 'frame_sum'; did you mean 'frame_sums'"):
        user_file.kernel_from_file(Path(f"{path}:frame_sum"))
