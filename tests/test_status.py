"""``daasbench status`` and ``collect``: runs by a part of their name, and jobs as people name them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daasbench.cli import jobs
from daasbench.records.layout import RUNS_FOLDER

JOB = {"job": "001-site", "platform": "site", "native": "", "why": ""}
HANDLE = "slurm://root@login.site/34418292_0?folder=/data/me&name=x&ssh=-F&ssh=/tmp/config"


@pytest.fixture
def queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets a run have queued jobs in these states."""
    run = tmp_path / "results" / RUNS_FOLDER / "20261201T010203Z-threads-abcdef"
    run.mkdir(parents=True)
    event = {"at": "2026-12-01T01:02:03.000Z", "event": "created", "detail": {"name": "threads", "measurements": 2}}
    (run / "journal.jsonl").write_text(json.dumps(event) + "\n")

    def have(*states: str, handle: str = HANDLE) -> None:
        rows = [{**JOB, "handle": handle, "state": state, "native": state.upper()} for state in states]
        monkeypatch.setattr(jobs, "_jobs_of", lambda folder: rows)

    have()
    return have


@pytest.mark.parametrize(
    ("handle", "shown"),
    [
        (HANDLE, "34418292_0 on login.site"),
        ("slurm:///1234?folder=/data", "1234"),
        ("psij://pbs/12.server#/results/runs/x/jobs/1", "12.server on pbs"),
        ("a handle of another runner", "a handle of another runner"),
        ("", ""),
    ],
)
def test_a_job_is_shown_by_its_number_and_host(handle: str, shown: str) -> None:
    assert jobs.short_handle(handle) == shown


def test_the_full_handle_is_shown_on_demand_and_in_json(say: Any, queued: Callable[..., None]) -> None:
    queued("pending")
    assert "34418292_0 on login.site" in say("status").out
    assert HANDLE not in say("status").out
    assert HANDLE in say("status", "-v").out
    assert json.loads(say("status", "--json").out)["runs"][0]["jobs"][0]["handle"] == HANDLE


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        (["done"], "\n1 job has ended; to fetch the records: daasbench collect\n"),
        (["done", "failed", "running"], "\n2 jobs have ended; to fetch the records: daasbench collect\n"),
    ],
)
def test_jobs_that_have_ended_are_to_be_collected(
    say: Any, queued: Callable[..., None], states: list[str], sentence: str
) -> None:
    queued(*states)
    assert say("status").out.endswith(sentence)


@pytest.mark.parametrize("states", [[], ["pending"], ["running", "unknown"]])
def test_while_no_job_has_ended_nothing_is_to_be_collected(
    say: Any, queued: Callable[..., None], states: list[str]
) -> None:
    queued(*states)
    assert "daasbench collect" not in say("status").out


def test_the_command_to_collect_names_the_results_folder(say: Any, queued: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "results").rename(tmp_path / "my results")
    queued("done")
    assert "daasbench collect --results 'my results'\n" in say("status", "--results", "my results").out


@pytest.mark.parametrize("name", ["threads", "2026", "20261201T010203Z-threads-abcdef", "abcdef"])
def test_a_part_of_the_name_of_a_run_is_enough(say: Any, queued: Callable[..., None], name: str) -> None:
    said = say("status", name)
    assert said.code == 0
    assert "20261201T010203Z-threads-abcdef" in said.out
    assert say("collect", name).code == 3
