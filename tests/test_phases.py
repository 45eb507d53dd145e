"""Phases: nothing is lost between them, and what was not seen says why."""

from __future__ import annotations

from typing import Any

import pytest

from daasbench.evidence import phases
from daasbench.model import SCHEMA, Case, Event, Outcome, Record, Samples

JOB = "001-site"


def record(first_call: float = 3.0, counted: list[float] | None = None, **more: float) -> Record:
    seconds = [9.0, *([1.0, 1.2, 0.8] if counted is None else counted)]
    seen = {"make": 5.0, "interpreter": 0.2, "import": 0.5, "read": 0.3, "put": 0.0, "setup": 0.1, **more}
    return Record(
        key="k", run="r", job=JOB, platform="here", process=0, outcome=Outcome.OK, schema=SCHEMA,
        case=Case(kernel="sums", implementation="numba", version="1"),
        samples=Samples(seconds=seconds, flags=[1] + [0] * (len(seconds) - 1)),
        phases={**seen, "first_call": first_call, "get": 0.01},
    )  # fmt: skip


def test_compile_and_compute_are_the_first_call_together() -> None:
    found = phases.of_process(record()).seconds
    assert found["compute"] == pytest.approx(1.0)
    assert found["compile"] == pytest.approx(2.0)


def test_a_first_call_quicker_than_a_steady_one_compiled_nothing() -> None:
    found = phases.of_process(record(first_call=0.4)).seconds
    assert (found["compile"], found["compute"]) == (0.0, 0.4)


def test_the_phases_of_a_process_add_up_to_its_first_result_without_the_making_of_its_inputs() -> None:
    assert phases.of_process(record()).total_s == pytest.approx(0.2 + 0.5 + 0.3 + 0.0 + 0.1 + 3.0 + 0.01)


def test_what_a_process_does_not_have_is_missing_with_its_reason_and_is_not_zero() -> None:
    found = phases.of_process(record())
    assert found.missing == {"start": "a single process computes", "context": "no GPU is used"}
    assert found.seconds.keys() | found.missing.keys() == phases.PROCESS.keys()
    assert phases.of_process(record(context=0.2)).seconds["context"] == 0.2


def test_a_first_call_without_a_steady_one_is_not_divided() -> None:
    found = phases.of_process(record(counted=[]))
    assert {"compile", "compute"} <= found.missing.keys()


def journal(**detail: Any) -> list[Event]:
    message = {
        "platform": "site", "queued_at": "2026-11-22T10:00:02Z", "started_at": "2026-11-22T10:10:02Z",
        "began_at": "2026-11-22T10:10:05.500Z", "ended_at": "2026-11-22T10:20:00Z",
    } | detail  # fmt: skip
    return [
        Event(at="2026-11-22T10:00:00Z", event="submitting", job=JOB),
        Event(at="2026-11-22T10:00:02Z", event="submitted", job=JOB),
        Event(at="2026-11-22T09:00:00Z", event="submitted", job="000-site"),
        Event(at="2026-11-22T10:20:04Z", event="accounted", job=JOB, detail=message),
    ]


def test_an_errand_is_stage_in_queue_boot_and_stage_out() -> None:
    found = phases.of_job(journal(), JOB)
    assert found.seconds == {"stage_in": 2.0, "queue": 600.0, "boot": 3.5, "stage_out": 4.0}
    assert not found.missing


def test_a_platform_without_a_queue_has_no_queue_phase_and_boots_when_the_job_is_submitted() -> None:
    found = phases.of_job(journal(queued_at=None, started_at=None), JOB)
    assert found.missing == {"queue": "the platform has no queue"}
    assert found.seconds["boot"] == pytest.approx(603.5)


def test_clocks_that_differ_give_no_phase() -> None:
    found = phases.of_job(journal(began_at="2026-11-22T10:09:00Z"), JOB)
    assert found.missing == {"boot": "the clocks of two machines differ: it would be -62 s"}


def test_a_node_whose_clock_is_ahead_does_not_make_a_boot_of_an_hour() -> None:
    hour = journal(began_at="2026-11-22T11:10:05.500Z", left_at="2026-11-22T11:19:59Z")
    assert phases.of_job(hour, JOB).missing == {"boot": "the clocks of two machines differ by 3599 s or more"}
    good = journal(left_at="2026-11-22T10:19:59Z")
    assert phases.of_job(good, JOB).seconds["boot"] == 3.5


def test_a_controller_whose_clock_is_off_does_not_make_a_stage_out_of_it() -> None:
    ahead = {"queued_at": "2026-11-22T09:00:02Z", "started_at": "2026-11-22T09:10:02Z"}
    found = phases.of_job(journal(**ahead, began_at="2026-11-22T09:10:05Z", ended_at="2026-11-22T09:20:00Z"), JOB)
    assert found.seconds == {"stage_in": 2.0, "queue": 600.0, "boot": 3.0}
    assert found.missing == {"stage_out": "the clocks of two machines differ by 3598 s or more"}


def test_a_job_that_ended_unseen_has_no_stage_out_of_a_persons_delay() -> None:
    there = journal(followed_since="2026-11-22T10:20:01Z")  # as clocks may differ
    assert phases.of_job(there, JOB).seconds["stage_out"] == 4.0
    found = phases.of_job(journal(followed_since="2026-11-22T10:20:03Z"), JOB)
    assert found.missing == {"stage_out": "the job ended while no controller ran, and was collected later"}


def test_what_a_scheduler_has_forgotten_is_no_boot_of_zero_seconds() -> None:
    began = "2026-11-22T10:10:05.500Z"  # the worker's own word, which stands for the start that nobody saw
    found = phases.of_job(journal(queued_at=None, started_at=began, handle="slurm:///17"), JOB)
    assert found.missing == {"queue": "it was not noted", "boot": "it was not noted"}
    unseen = phases.of_job(journal(queued_at=None, started_at=None, handle="slurm:///17"), JOB)
    assert unseen.missing == {"queue": "it was not noted", "boot": "it was not noted"}


def test_a_job_whose_end_was_not_noted_has_no_phase() -> None:
    found = phases.of_job(journal()[:2], JOB)
    assert not found.seconds
    assert found.missing.keys() == phases.JOB.keys()
    assert phases.of_job(journal(began_at="yesterday"), JOB).missing == {"boot": "it was not noted"}
