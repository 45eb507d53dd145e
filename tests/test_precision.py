"""Adding sets of processes until an interval is narrow: what that does to how often the interval is right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtrit

from daasbench.evidence.precision import sets_wanted
from daasbench.statistics import across_processes, relative_half_width

ASKED = 0.1
SESSIONS = 100_000
Floats = NDArray[np.float64]


def intervals(logs: Floats) -> tuple[Floats, Floats]:
    """Return mean and half-width of the t interval after each number of processes; logarithms, one session per row."""
    n = np.arange(1, logs.shape[1] + 1)
    mean = np.cumsum(logs, 1) / n
    variance = (np.cumsum(logs**2, 1) - n * mean**2)[:, 1:] / (n[1:] - 1)
    half = stdtrit(n[1:] - 1, 0.975) * np.sqrt(np.maximum(variance, 0) / n[1:])
    return mean, np.column_stack([np.full(len(logs), np.inf), half])


def final_sets(half: Floats, least: int, most: int) -> NDArray[np.int64]:
    """Return with how many processes each session ends, if sets are added by the rule."""
    sets = np.full(len(half), least)
    active = np.arange(len(half))
    while len(active):
        widths = np.sinh(half[active, sets[active] - 1])  # relative half-width around a geometric mean
        wanted = [
            sets_wanted(int(n), most, float(w), ASKED) for n, w in zip(sets[active], widths, strict=True)
        ]  # fmt: skip
        more = np.array(wanted) > sets[active]
        sets[active] = wanted
        active = active[more]
    return sets


def test_the_simulation_has_the_intervals_that_are_reported() -> None:
    logs = np.random.default_rng(1).normal(0, 0.1, (1, 9))
    mean, half = intervals(logs)
    found = across_processes(np.exp(logs[0]).tolist())
    assert np.log([found.low, found.high]) == pytest.approx([mean[0, -1] - half[0, -1], mean[0, -1] + half[0, -1]])
    assert relative_half_width(found) == pytest.approx(np.sinh(half[0, -1]))


@pytest.mark.parametrize(("least", "most"), [(3, 8), (3, 12), (5, 20)])
@pytest.mark.parametrize("scatter", [0.5, 1.1, 1.6, 2.0, 3.0])
def test_intervals_of_added_processes_cover_the_truth_in_94_of_100_sessions(
    least: int, most: int, scatter: float
) -> None:
    logs = np.random.default_rng(int(100 * scatter) + most).normal(0, scatter * ASKED, (SESSIONS, most))
    mean, half = intervals(logs)
    last = final_sets(half, least, most) - 1
    sessions = np.arange(SESSIONS)
    covers = np.abs(mean[sessions, last]) <= half[sessions, last]
    assert 0.94 <= covers.mean() <= 0.955


def test_looking_from_three_processes_on_would_cover_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daasbench.evidence.precision.FIRST_LOOK", 3)
    monkeypatch.setattr("daasbench.evidence.precision.FIRST_SHARE", 0.0)
    logs = np.random.default_rng(3).normal(0, 1.3 * ASKED, (SESSIONS, 12))
    mean, half = intervals(logs)
    last = final_sets(half, 3, 12) - 1
    sessions = np.arange(SESSIONS)
    assert (np.abs(mean[sessions, last]) <= half[sessions, last]).mean() < 0.92


def test_steady_processes_stop_at_the_first_look() -> None:
    assert sets_wanted(3, 12, 0.01, ASKED) == 8
    assert sets_wanted(8, 12, 0.1, ASKED) == 8
    assert sets_wanted(3, 5, 0.01, ASKED) == 5


def test_as_many_sets_are_added_as_seem_to_be_missing() -> None:
    assert sets_wanted(8, 12, 0.11, ASKED) == 10
    assert sets_wanted(8, 12, 0.5, ASKED) == 12
    assert sets_wanted(8, 12, 0.1001, ASKED) == 9
    assert sets_wanted(12, 12, 0.5, ASKED) == 12


def test_an_answer_without_an_interval_wants_the_most_sets() -> None:
    assert sets_wanted(8, 12, None, ASKED) == 12
