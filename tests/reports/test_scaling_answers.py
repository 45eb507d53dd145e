"""What the answer box of ``scaling`` says, and that a caveat voids a verdict everywhere on the page."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from daasbench.reports.scaling import report
from daasbench.reports.scaling.answer import AnswerBox, answer_box, by_question
from daasbench.reports.scaling.scaling_series import survey

from daasbench.evidence import Evidence, gather
from daasbench.evidence.claims import problem_results
from daasbench.evidence.entries import entries
from daasbench.model import Event
from daasbench.statistics.scaling_laws import Law
from tests.reports.test_scaling_report import STRONG, WEAK, add_series, lines, prose


def boxes(evidence: Evidence) -> list[AnswerBox]:
    """Return the answer boxes of the page."""
    series = survey(evidence, problem_results(entries(evidence))).series
    return [answer_box(evidence, text, mine) for text, mine in by_question(evidence, series).items()]


def said(made: Any) -> tuple[str, ...]:
    """Return the sentences of the only box; each has 25 words at most."""
    [box] = boxes(made.gather())
    assert all(len(sentence.split()) <= 25 for sentence in box.sentences)
    assert len(box.sentences) <= 3
    return box.sentences


def test_the_box_names_the_last_useful_number_of_ranks_and_what_more_of_them_give(folder: Any) -> None:
    first, second = said(add_series(folder(scenario=STRONG), serial=0.3, scatter=0.003))
    assert first == "Use 2 ranks."
    assert re.fullmatch(
        r"4 ranks are 1\.3\d times as fast as 2 \(1\.3\d to 1\.3\d\), at an efficiency of 5\d %;"
        r" communication takes 10 % of the time\.",
        second,
    )


def test_where_every_step_is_worth_it_the_box_says_use_the_most_that_was_measured(folder: Any) -> None:
    first, second = said(add_series(folder(scenario=STRONG), serial=0.01, scatter=0.003))
    assert first.startswith("Use 8 ranks, the most that were measured: they are 7.")
    assert re.fullmatch(r"Their efficiency is 9\d %; communication takes 10 % of the time\.", second)


def test_the_box_the_title_and_the_bars_show_the_same_speed_up(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), serial=0.3)
    evidence = add_series(made, name="numba", by="threads", scatter=0.03).gather()
    page = report.write(evidence, tmp_path, ["html"])[0].read_text()
    said = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    advised = re.search(r"for halo \(numba\): ([\d.]+) times", said)
    assert advised
    assert f"2.61 to {advised[1]} times" in said
    assert f"{advised[1]} × (" in said


def test_weak_scaling_is_answered_in_work_per_second(folder: Any) -> None:
    first, _ = said(add_series(folder(scenario=WEAK), Law.GUSTAFSON, serial=0.02, scatter=0.003))
    assert re.match(r"Use 8 ranks, the most that were measured: they do 7\.\d+ times the work of 1 per second", first)


def test_a_law_that_is_projected_says_beyond_how_many_ranks_more_gain_little(folder: Any, tmp_path: Path) -> None:
    few = prose(add_series(folder(scenario=STRONG), serial=0.3, scatter=0.003).gather(), tmp_path)
    assert "the gain of one more rank falls below 50 % beyond 2 ranks" in few
    well = prose(add_series(folder(scenario=STRONG), serial=0.01, scatter=0.003).gather(), tmp_path / "well")
    found = re.search(r"the gain of one more rank falls below 50 % beyond \d+ ranks \((\d+) to (\d+)\)", well)
    assert found
    assert int(found[1]) <= 98 <= int(found[2])  # ((1 - s) / 0.5 - 1) / s


def test_two_core_counts_give_a_ratio_and_no_trend(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), points=(1, 2))
    first, *_, last = said(made)
    assert re.fullmatch(r"2 ranks are 1\.9\d? times as fast as 1 \([12]\.\d+ to [12]\.\d+\)\.", first)
    assert last == "Two core counts cannot show a trend; measure at least three."
    assert "No prediction: measure at least 3 core counts." in prose(made.gather(), tmp_path)
    row = lines(made.gather(), tmp_path)[1]
    assert row["speed_up"]
    assert (row["projected_serial_fraction"], row["projected_beyond"]) == ("", "")
    assert "two points fit any law" in row["projection_missing_because"]


@pytest.mark.parametrize(
    ("serial", "answer"),
    [
        (-0.03, "Yes: 2 threads are "),
        (0.7, "A little: 2 threads are 1.18 times as fast as 1"),
        (1.0, "No: 2 threads are about as fast as 1, 1.00 times ("),
        (6.4, "No: 2 threads are slower than 1, 0.271 times the speed."),
    ],
)
def test_a_question_of_yes_or_no_is_answered_with_one_of_them(folder: Any, serial: float, answer: str) -> None:
    text = 'question = "Does a second thread help?"\nintent = "strong"\n'
    made = add_series(folder(scenario=text), points=(1, 2), by="threads", name="numba", serial=serial, scatter=0.002)
    assert said(made)[0].startswith(answer)


def test_a_loss_is_a_factor_and_no_negative_share(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), points=(1, 2), by="threads", name="numba", serial=6.4, scatter=0.002)
    page = prose(made.gather(), tmp_path)
    assert "| none 0.271 times the speed |" in page
    assert not re.search(r"-\d+(\.\d+)? %", page)


def test_series_with_the_same_advice_share_a_sentence(folder: Any) -> None:
    made = add_series(folder(scenario=STRONG), points=(1, 2), scatter=0.003)
    add_series(made, points=(1, 2), name="numba", by="threads", scatter=0.003)
    add_series(made, points=(1, 2), name="dask", by="threads", serial=2.0, scatter=0.003)
    [box] = boxes(made.gather())
    first, second = box.sentences
    assert re.fullmatch(
        r"Use 2 cores for halo \((mpi|numba)\) and halo \((mpi|numba)\): 1\.9\d? times as fast as 1\.", first
    )
    assert re.fullmatch(r"Use 1 core for halo \(dask\): more give 0\.6\d+ times the speed\.", second)
    assert "two core counts each: no trend" in box.trust


def busy(made: Any) -> Any:
    """Let other programs use half of the machine during every repeat."""
    made.records["here"] = [
        msgspec.structs.replace(
            one, samples=msgspec.structs.replace(one.samples, foreign=[0.5] * len(one.samples.seconds))
        )
        for one in made.records["here"]
    ]
    return made


def shared(made: Any) -> Any:
    """Let the machine have one core, so that every other point has ranks that share it."""
    made.machines["here"] = msgspec.structs.replace(made.machines["here"], usable_cores=1)
    return made


@pytest.mark.parametrize(
    ("change", "facts", "why"),
    [
        (None, {"sets": 1}, "from one process: too few for an interval"),
        (None, {"sets": 2}, "from 2 processes: too few for an interval"),
        (None, {"scatter": 1.0}, "Too uncertain to compare"),
        (busy, {}, "Other work disturbed most of the processes"),
        (shared, {}, "Only one core count can be used: the others have more ranks than the machine has cores"),
        (None, {"points": (1, 2), "serial": 1.1, "scatter": 0.2}, "Whether 2 are worth it instead of 1 is not clear"),
    ],
)
def test_a_verdict_that_a_caveat_voids_is_not_printed(
    folder: Any, tmp_path: Path, change: Any, facts: dict[str, Any], why: str
) -> None:
    made = add_series(folder(scenario=STRONG), **facts)
    evidence = (change(made) if change else made).gather()
    [box] = boxes(evidence)
    assert box.sentences == ()
    assert why in box.missing
    page = prose(evidence, tmp_path)
    assert "**Cannot be told yet.**" in page
    assert not re.search(r"Use (at least |at most )?\d|ranks are [\d.]+ times|ranks are slower", page)


def test_what_is_missing_ends_with_the_command_that_the_run_began_with(folder: Any) -> None:
    made = add_series(folder(scenario=STRONG), sets=2)
    path = made.write()
    created = Event(at="2026-11-22T10:00:00Z", event="created", detail={"command": "daasbench run ./cores.toml"})
    (path / "runs" / made.run / "journal.jsonl").write_bytes(msgspec.json.encode(created) + b"\n")
    [box] = boxes(gather(path))
    assert box.missing.endswith("Measure in 5 processes: daasbench run ./cores.toml --set repeat.processes=5")


def test_a_step_that_is_not_clear_is_named_with_the_command_that_clears_it(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), serial=0.12, scatter=0.02)
    first, second = said(made)
    assert first == "Use at least 4 ranks."
    assert re.match(r"Whether 8 ranks are worth it cannot be told yet: they are 1\.\d+ times as fast as 4 \(", second)
    assert re.search(
        r"Whether 8 are worth it instead of 4 is not clear: [\d.]+ to [\d.]+ times the speed\. Measure in 5 processes"
        r" on a quiet machine: daasbench run \S+ --set repeat\.processes=5",
        prose(made.gather(), tmp_path),
    )


def test_points_with_more_ranks_than_cores_are_counted_in_the_trust_line(folder: Any) -> None:
    made = add_series(folder(scenario=STRONG))
    made.machines["here"] = msgspec.structs.replace(made.machines["here"], usable_cores=4)
    [box] = boxes(made.gather())
    assert "1 point with more ranks than cores: listed, not used" in box.trust
    assert box.sentences[0].startswith("Use 4 ranks, the most that were measured")


def test_each_question_has_a_box_of_its_own(folder: Any) -> None:
    strong = add_series(folder(scenario=STRONG), scatter=0.003).write()
    other = folder(scenario=WEAK)
    other.run = "20261123-100000-cd34"
    weak = add_series(other, Law.GUSTAFSON, scatter=0.003).write()
    series = survey(gather(strong, weak), problem_results(entries(gather(strong, weak)))).series
    assert list(by_question(gather(strong, weak), series)) == ["How much sooner?", "How much more?"]


def test_a_page_of_several_problems_has_one_row_for_each_analysis(folder: Any, tmp_path: Path) -> None:
    made = add_series(folder(scenario=STRONG), scatter=0.003)
    add_series(made, points=(1, 2), size="medium", scatter=0.003)
    page = report.write(made.gather(), tmp_path, ["html"])[0].read_text()
    why = page.partition('id="why"')[2].partition("</section>")[0]
    assert why.count("<tr>") == 3
    assert "at least 8 ranks" in why
    assert page.count('id="s2"') == 1
