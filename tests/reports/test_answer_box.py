"""The answer box: it answers in the question's own terms, says how far to trust it, or what is missing."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from daasbench.reports.blocks.answer import AnswerBox, caution, trust_line
from daasbench.reports.blocks.questions import questions
from daasbench.reports.summary import report
from daasbench.reports.summary.answer_figure import answer_figure
from daasbench.reports.summary.answers import answer_box

from daasbench.evidence import gather
from daasbench.evidence.claims import problem_results
from daasbench.evidence.entries import entries
from daasbench.model import Event, Outcome, Work

FIVE = (1.0, 1.01, 0.99, 1.02, 0.98)
SLICES = Work(unit="slice", units=16, flop=16 * 9e8, bytes=16 * 2e6, input_bytes=16 * 2e6, output_bytes=16 * 1e6)
FRAMES = Work(unit="frame", units=16, unit_size="211 x 197 pixels")
NO_GPU = {"reason": "capacity", "message": "no NVIDIA GPU in this machine"}
VERDICTS = ("times as fast", "is the fastest", "Fastest code", "faster", "slower")


def times(seconds: float, count: int = 5) -> list[float]:
    """Return medians of processes that differ by a percent or two."""
    return [seconds * factor for factor in itertools.islice(FIVE, count)]


def box(made: Any) -> AnswerBox:
    evidence = made.gather()
    (asked,) = questions(evidence, problem_results(entries(evidence)))
    return answer_box(asked, evidence)


def ask(folder: Callable[..., Any], question: str) -> Any:
    return folder(scenario=f'question = "{question}"\n')


@pytest.fixture
def quickstart(folder: Callable[..., Any]) -> Any:
    """Return two kernels with a GPU that this machine does not have."""
    made = ask(folder, "How fast does this machine integrate frames and reconstruct tomograms?")
    made.add("numba", times(0.1)).add("numpy", times(1.4), threads=1)
    made.add("cupy", [None] * 5, outcome=Outcome.SKIPPED, gpus=1, facts=NO_GPU)
    tomography = {"kernel": "tomography", "size": "medium", "work": SLICES}
    made.add("nufft", times(0.36), **tomography).add("numpy", times(8.0), threads=1, **tomography)
    return made


def test_the_headline_says_how_fast_the_machine_is_with_unit_size_and_share_of_the_limit(quickstart: Any) -> None:
    first, second, third = box(quickstart).sentences
    start = r"This machine integrates 159 frames/s of 2167 x 2070 pixels \(156 to 162\), [\d.]+ % of what its memory"
    assert re.match(f"{start} allows\\.$", first)
    assert re.match(
        r"It reconstructs 44\.\d slices/s of 512 x 512 pixels \(.*\), [\d.]+ % of what its arithmetic", second
    )
    assert third == "Fastest code: numba, nufft."


def test_the_trust_line_counts_what_is_correct_and_what_was_not_possible(quickstart: Any) -> None:
    said = box(quickstart.calm()).trust
    assert said == "All 20 measurements correct; 5 not possible here (no GPU); 5 processes each; quiet machine"


def test_sentences_are_at_most_three_and_have_at_most_25_words(quickstart: Any, fill: Any, tmp_path: Path) -> None:
    for made in (quickstart, fill(tmp_path)):
        sentences = box(made).sentences
        assert 1 <= len(sentences) <= 3
        assert [s for one in sentences for s in re.split(r"(?<=\.) (?=[A-Z0-9])", one) if len(s.split()) > 25] == []


def test_a_question_about_threads_is_answered_by_their_ratio(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Does a second thread help to integrate frames here?")
    made.add("numpy", times(0.3), threads=1)
    made.add("numba", times(0.018), threads=1).add("numba", [0.0104, 0.0098, 0.0101, 0.0097, 0.0103], threads=2)
    first, second = box(made).sentences
    assert re.match(r"Yes: 2 threads are 1\.\d+ times as fast as 1 thread \(1\.\d+ to 1\.\d+\)\.$", first)
    assert second.startswith("numba reaches 88")
    assert second.endswith(" with 2 threads: frames of 2167 x 2070 pixels.")


def test_a_second_thread_that_slows_down_is_a_no_with_a_factor_above_zero(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Does a second thread help?")
    slow = [0.034, 0.033, 0.035, 0.032, 0.036]
    made.add("numba", times(0.010), threads=1).add("numba", slow, threads=2)
    first = box(made).sentences[0]
    assert re.match(
        r"No: 2 threads are slower than 1 thread: 0\.29\d? times the speed \(0\.2\d+ to 0\.3\d*\)\.$", first
    )
    assert "-" not in first


def test_threads_that_change_nothing_clearly_are_neither_yes_nor_no(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Does a second thread help?")
    noisy = [0.0101, 0.0097, 0.0104, 0.0096, 0.0103]
    made.add("numba", times(0.010), threads=1).add("numba", noisy, threads=2)
    first = box(made).sentences[0]
    assert first.startswith("No clear difference between 2 threads and 1 thread: ")


def test_platforms_are_compared_if_they_are_what_differs(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Is the cluster faster?")
    for platform, seconds in (("here", 0.02), ("cluster", 0.01)):
        made.add("numba", times(seconds), platform=platform)
    first, second = box(made).sentences
    assert first.startswith("cluster is 2") or first.startswith("Cluster is 2")
    assert "times as fast as this machine" in first
    assert "on this machine and" in second


def test_a_question_about_money_is_answered_by_a_cost_with_its_interval(folder: Callable[..., Any], price: Any) -> None:
    made = ask(folder, "What does it cost us to integrate a million frames?")
    made.prices["here"] = price
    made.add("numba", times(0.0117)).add("numpy", times(0.27), threads=1)
    said = box(made)
    start = (
        r"0\.17\d? EUR \(0\.1\d+ to 0\.1\d+\) per million frames of 2167 x 2070 pixels, with numba on this machine\."
    )
    assert re.match(start, said.sentences[0])
    assert said.trust.endswith("price of 2026-11-01 (own books)")


def test_a_price_elsewhere_is_said_beside_the_lowest(folder: Callable[..., Any], price: Any) -> None:
    made = ask(folder, "What does it cost?")
    for platform, seconds in (("here", 0.02), ("cluster", 0.01)):
        made.prices[platform] = price
        made.add("numba", times(seconds), platform=platform)
    first, second = box(made).sentences
    assert first.endswith("with numba on cluster.")
    assert re.match(r"It costs [\d.]+ EUR \(.*\) on this machine\.$", second)


def test_a_question_about_the_gpu_is_not_answered_by_the_processor(folder: Callable[..., Any]) -> None:
    made = ask(folder, "How much faster is the GPU?").add("numba", times(0.01))
    made.add("cupy", [None] * 5, outcome=Outcome.SKIPPED, gpus=1, facts=NO_GPU)
    said = box(made)
    assert said.sentences == ()
    assert said.missing == "No GPU was measured: no NVIDIA GPU in this machine"
    both = ask(folder, "How much faster is the GPU?").add("numba", times(0.01)).add("cupy", times(0.001), gpus=1)
    assert box(both).sentences[0].startswith("The GPU is 9.98 times as fast as the processor (9.94 to 10.0)")


@pytest.mark.parametrize(
    "question", ["Which is the fastest?", "Does a second thread help?", "How does the GPU compare?"]
)
def test_no_verdict_is_printed_from_fewer_than_three_processes(folder: Callable[..., Any], question: str) -> None:
    made = ask(folder, question)
    made.add("numba", times(0.02, 2), threads=1).add("numba", times(0.01, 2), threads=2)
    if "GPU" in question:
        made.add("cupy", times(0.001, 2), gpus=1)
    said = box(made)
    assert said.sentences == ()
    assert "--set repeat.processes=5" in said.missing
    assert not any(verdict in said.missing for verdict in VERDICTS)
    assert said.trust.startswith(("All 4 ", "All 6 "))
    assert "2 processes each: too few for an interval" in said.trust


def test_a_speed_that_is_too_uncertain_is_not_stated(folder: Callable[..., Any]) -> None:
    made = ask(folder, "How fast is it?").add("numba", [0.001, 0.004, 0.011])
    said = box(made)
    assert said.sentences == ()
    assert re.match(r"The speed is too uncertain to state: between \d+ and .* frames/s in 3 processes\.", said.missing)
    assert said.missing.endswith("scenario.toml --set repeat.processes=5")


def test_figures_claim_no_more_than_the_answer(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Does a second thread help?")
    made.add("numba", times(0.02, 2), threads=1).add("numba", times(0.01, 2), threads=2)
    evidence = made.gather()
    (asked,) = questions(evidence, problem_results(entries(evidence)))
    drawn = answer_figure(asked, {})
    assert drawn is not None
    assert not any(verdict in drawn.title for verdict in VERDICTS)


def test_a_busy_machine_is_a_caution_and_not_called_quiet(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Which?").add("numba", times(0.01)).add("numpy", times(0.2), threads=1).disturb(0.4)
    said = box(made)
    assert said.caution.startswith("Caution: this machine was busy with other work (100% of the samples") or (
        said.caution.startswith("Caution: this machine was busy with other work (100 % of the samples")
    )
    assert "quiet" not in said.trust


def test_wrong_failed_and_stopped_measurements_are_counted_apart(fill: Any, tmp_path: Path) -> None:
    evidence = fill(tmp_path).gather()
    problems = problem_results(entries(evidence))
    said = trust_line(evidence, problems)
    assert said.startswith(
        "10 of 15 measurements correct; 3 wrong; 1 failed; 1 stopped at the time limit; 1 not yet run;"
    )
    assert caution(evidence, problems) == ""


def keep_disturbed(made: Any, repeats: int) -> Any:
    """Let other programs disturb so many of the counted repeats of every process."""
    for platform, records in made.calm().records.items():
        made.records[platform] = [
            msgspec.structs.replace(
                record,
                samples=msgspec.structs.replace(
                    record.samples,
                    foreign=[0.4 if 1 <= at <= repeats else 0.0 for at in range(len(record.samples.seconds))],
                ),
            )
            for record in records
        ]
    return made


def test_a_few_disturbed_repeats_in_every_process_void_no_answer_and_their_share_is_the_same_everywhere(
    folder: Callable[..., Any], tmp_path: Path
) -> None:
    def measured(repeats: int) -> Any:
        made = ask(folder, "Does a second thread help?")
        made.add("numba", times(0.02), threads=1).add("numba", times(0.01), threads=2)
        return keep_disturbed(made, repeats)

    few = box(measured(1))  # of 11 that count: 9 % of the samples
    assert few.sentences[0].startswith("Yes: ")
    assert (few.caution, few.missing) == ("", "")
    assert "9 % of the samples disturbed" in few.trust
    half = box(measured(6))
    assert half.sentences == ()
    assert "Other work disturbed most of the processes" in half.missing
    made = measured(2)
    page = " ".join(html.unescape(report.write(made.gather(), tmp_path, ["html"])[0].read_text()).split())
    assert "18 % of the samples disturbed" in box(made).trust
    assert "Other programs disturbed 20 of 110 samples (18 %). 20 of them are counted" in page
    assert "Other programs disturbed 18 % of the samples" in page


def test_nothing_correct_is_said_with_the_command_that_shows_the_log(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Which?").add("crash", [None], outcome=Outcome.FAILED)
    said = box(made)
    assert said.sentences == ()
    assert said.missing == (
        "No implementation has a correct result: 1 case failed. The log has the reason:"
        " daasbench show log 20261122-100000-ab12"
    )


def test_a_wrong_result_is_printed_as_above_its_tolerance(fill: Any, tmp_path: Path) -> None:
    page, text, _ = report.write(fill(tmp_path / "results").gather(), tmp_path / "out")[:3]
    for path in (page, text):
        said = html.unescape(path.read_text())
        assert "0.70 > 10⁻⁵" in said
        assert "0.70 ≤" not in said


def test_box_table_and_figure_show_the_same_value(quickstart: Any, tmp_path: Path) -> None:
    page = report.write(quickstart.gather(), tmp_path, ["html"])[0].read_text()
    text = re.sub(r"<[^>]*>", " ", page)
    assert set(re.findall(r"\b(1[56]\d(?:\.\d+)?) frames/s", text)) == {"159"}
    assert len(re.findall(r"\b159 frames/s", text)) >= 4


def journal(made: Any, **detail: Any) -> Any:
    """Return the evidence of a folder whose journal begins with these details."""
    path = made.write()
    created = Event(at="2026-11-22T10:00:00Z", event="created", detail=detail)
    (path / "runs" / made.run / "journal.jsonl").write_bytes(msgspec.json.encode(created) + b"\n")
    return gather(path)


def test_measurements_of_jobs_that_never_began_are_counted_as_not_yet_run(folder: Callable[..., Any]) -> None:
    made = ask(folder, "Which?").add("numba", times(0.01)).add("numpy", times(0.2), threads=1)
    evidence = journal(made, command="daasbench run quickstart", measurements=36)
    said = trust_line(evidence, problem_results(entries(evidence)))
    assert said.startswith("All 10 measurements correct; 26 not yet run;")


@pytest.mark.parametrize(
    ("given", "busy_command", "few_command"),
    [
        ("", "--again", "--set repeat.processes=5"),
        (
            " --set repeat.processes=12 --only numba",
            "--set repeat.processes=12 --only numba --again",
            "--only numba --set repeat.processes=5",
        ),
        (
            " --set 'repeat.processes=[3, 12]' --again",
            "--set 'repeat.processes=[3, 12]' --again",
            "--set repeat.processes=5",
        ),
    ],
)
def test_the_command_that_mends_keeps_what_was_asked(
    folder: Callable[..., Any], given: str, busy_command: str, few_command: str
) -> None:
    for seconds, share, ended in (((0.2, 0.1), 0.4, busy_command), ((0.2, 0.1), 0.0, few_command)):
        made = ask(folder, "Does a second thread help?")
        count = 5 if share else 2
        made.add("numba", times(seconds[0], count), threads=1).add("numba", times(seconds[1], count), threads=2)
        evidence = journal(made.disturb(share), command=f"daasbench run ./mine.toml{given}")
        (asked,) = questions(evidence, problem_results(entries(evidence)))
        assert answer_box(asked, evidence).missing.endswith(f": daasbench run ./mine.toml {ended}")


def two_processes(made: Any) -> None:
    made.add("numba", times(0.02, 2), threads=1).add("numba", times(0.01, 2), threads=2)
    made.add("numpy", times(0.3, 2), threads=1)


def too_wide(made: Any) -> None:
    made.add("numba", [0.01, 0.05, 0.02, 0.2], threads=1).add("numba", [0.02, 0.01, 0.3, 0.04], threads=2)
    made.add("numpy", [0.9, 0.1, 0.3, 0.05], threads=1)


def busy(made: Any) -> None:
    made.add("numba", times(0.02), threads=1).add("numba", times(0.01), threads=2)
    made.add("numpy", times(0.3), threads=1).disturb(0.4)


@pytest.mark.parametrize(
    "question", ["Which is the fastest?", "Does a second thread help?", "How fast is this machine?"]
)
@pytest.mark.parametrize("spoil", [two_processes, too_wide, busy])
def test_a_verdict_that_a_caveat_voids_is_nowhere_on_the_page(
    folder: Callable[..., Any], tmp_path: Path, spoil: Callable[[Any], None], question: str
) -> None:
    made = ask(folder, question)
    spoil(made)
    page, text = report.write(made.gather(), tmp_path / "out", ["html", "md"])
    for said in (page.read_text(), text.read_text()):
        for verdict in ("is the fastest of", "times as fast as numpy", "Fastest code:", "clearly", "Yes:", "No:"):
            assert verdict not in said, verdict


def test_on_a_busy_machine_a_speed_is_a_lower_and_a_cost_an_upper_limit(folder: Callable[..., Any], price: Any) -> None:
    fast = ask(folder, "How fast is this machine?").add("numba", times(0.01)).disturb(0.4)
    assert box(fast).sentences[0].startswith("This machine integrates at least 15")
    dear = ask(folder, "What does it cost?")
    dear.prices["here"] = price
    dear.add("numba", times(0.01)).disturb(0.4)
    assert box(dear).sentences[0].startswith("At most 0.1")


def test_a_speed_of_processes_that_differ_too_much_names_its_frames_before_its_range(
    folder: Callable[..., Any],
) -> None:
    made = ask(folder, "How fast is this machine?").add("numba", [0.16, 0.08, 0.3], work=FRAMES)
    made.add("nufft", times(0.36), kernel="tomography", size="medium", work=SLICES)
    quiet = box(made.calm()).sentences[0]
    assert quiet == "This machine integrates between 53 and 200 frames/s of 211 x 197 pixels (in 3 processes)."
    busy_ = box(made.disturb(0.4)).sentences[0]
    assert busy_ == "This machine integrates at least 53 frames/s of 211 x 197 pixels (the slowest of 3 processes)."


def test_the_line_of_a_bar_is_what_its_text_says(folder: Callable[..., Any]) -> None:
    made = ask(folder, "How fast?").add("numba", [0.01, 0.02, 0.05, 0.011]).add("numpy", times(0.1), threads=1)
    evidence = made.gather()
    (asked,) = questions(evidence, problem_results(entries(evidence)))
    drawn = answer_figure(asked, {})
    assert drawn is not None
    assert re.search(r"between 3\d\d and 15\d\d frames/s in 4 processes", drawn.svg)
    left = float(re.findall(r'class="interval" style="left:([\d.]+)%', drawn.svg)[0])
    assert 15 < left < 25  # 310 to 1570 frames/s of a scale up to 1570
    assert "it is their range" in drawn.caption


def test_an_implementation_that_leads_twice_is_named_once_in_the_finding(folder: Callable[..., Any]) -> None:
    made = ask(folder, "How fast does this machine integrate frames and reconstruct tomograms?")
    tomography: dict[str, Any] = {"kernel": "tomography", "size": "medium", "work": SLICES}
    made.add("numba", times(0.01)).add("numpy", times(0.1), threads=1)
    made.add("numba", times(0.02), **tomography).add("numpy", times(0.1), threads=1, **tomography)
    evidence = made.gather()
    (asked,) = questions(evidence, problem_results(entries(evidence)))
    drawn = answer_figure(asked, {})
    assert drawn is not None
    assert drawn.title == "numba is 10.0 and 5.00 times as fast as numpy"
