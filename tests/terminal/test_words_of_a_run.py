"""The sentences and lines of a run, without running anything."""

from __future__ import annotations

import msgspec
import pytest

from daasbench.cli import figures
from daasbench.cli.names import first_line, options_of, resources, skip_reason
from daasbench.cli.progress import Detail, Shown
from daasbench.cli.terminal import filled
from daasbench.evidence.disturbance import busy_caution, disturbed_share, medians_disturbed, was_busy
from daasbench.jobs.news import News, Phase
from daasbench.model import SCHEMA, Case, Outcome, Record, Samples, Work
from daasbench.scenario.answering_report import report_of
from daasbench.study import RunSummary

CASE = Case(kernel="tomography", implementation="numba", version="1", size="small", threads=2)


REFUSED = "0 of 2 measurements done. The scheduler refused jobs: correct what it names, and run the same command again."


def record(case: Case = CASE, **facts: object) -> Record:
    fields = {
        "key": "k", "run": "r", "job": "j", "platform": "here", "process": 1, "case": case, "outcome": Outcome.OK,
        "verified_by": "oracle", "schema": SCHEMA, "work": Work(unit="slice", units=16.0),
        "samples": Samples(seconds=[0.029, 0.029, 0.03], flags=[0, 0, 0], foreign=[0.0, 0.0, 0.0]),
    }  # fmt: skip
    return Record(**{**fields, **facts})


def shown(*news: News | Phase, capsys: pytest.CaptureFixture[str], **how: object) -> str:
    with Shown(quiet=False, **how) as progress:
        for one in news:
            progress.tell(one)
    return capsys.readouterr().err


def test_a_line_says_what_was_measured_by_which_process_and_how_fast(capsys):
    line = shown(News(job="j", done=2, total=22, record=record()), capsys=capsys, processes="3")
    assert line == "[2/22] tomography · numba (2 threads) · small · process 2 of 3: 29.0 ms, 552 slices/s, ok\n"


def test_a_line_names_the_platform_if_there_are_several_and_the_options(capsys):
    case = Case(kernel="probes", implementation="system", version="1", size="tiny", options={"probe": "start_bwrap"})
    news = News(job="j", done=1, total=2, record=record(case, samples=None, work=None))
    line = shown(news, capsys=capsys, with_platform=True)
    assert line == "[1/2] probes · system (1 thread) · tiny · probe=start_bwrap · here · process 2: ok\n"


def test_no_line_is_dropped(capsys):
    news = [News(job="j", done=number, total=50, record=record()) for number in range(1, 51)]
    assert shown(*news, capsys=capsys).count("\n") == 50


def test_a_measured_start_shows_the_time_until_its_first_result(capsys):
    from msgspec.structs import replace

    start = record(replace(CASE, start="warm"), phases={"interpreter": 0.4, "import": 1.0, "first_call": 3.0})
    line = shown(News(job="j", done=1, total=1, record=start), capsys=capsys)
    assert "warm start" in line
    assert "first result after 4.40 s, ok" in line


def test_a_skipped_measurement_says_why_and_with_v_how_to_get_it(capsys):
    missing = record(
        outcome=Outcome.SKIPPED, message="CuPy is not installed; install it: pip install cupy", samples=None
    )
    news = News(job="j", done=1, total=1, record=missing)
    assert shown(news, capsys=capsys).endswith(": skipped, CuPy is not installed\n")
    assert "; install it: pip install cupy" in shown(news, capsys=capsys, detail=Detail.FULL)
    assert shown(news, capsys=capsys, detail=Detail.QUIET) == ""


def test_a_log_says_what_is_done_before_the_first_measurement_and_only_then(capsys):
    phase = Phase(text="measuring the limits of this machine (2 threads)")
    text = shown(phase, News(job="j", done=1, total=2, record=record()), phase, capsys=capsys)
    assert text.startswith("measuring the limits of this machine (2 threads)\n[1/2] ")
    assert text.count("measuring the limits") == 1


@pytest.mark.parametrize(
    ("summary", "code", "sentence"),
    [
        ({"outcomes": {"ok": 21, "skipped": 9}, "left": 0, "planned": 30}, 0,
         "30 measurements done: 21 correct, 9 skipped."),
        ({"outcomes": {}, "left": 2, "planned": 2}, 3,
         "0 of 2 measurements done. Run the same command again to continue."),
        ({"outcomes": {"ok": 1, "wrong": 1}, "left": 0, "planned": 2}, 1, "2 measurements done: 1 correct, 1 wrong."),
        ({"outcomes": {}, "left": 2, "planned": 2, "refused": 2}, 3,
         REFUSED),
        ({"outcomes": {}, "left": 2, "planned": 2, "under_way": 2, "detached": True}, 0,
         "0 of 2 measurements done. 2 are in submitted jobs."),
        ({"outcomes": {}, "left": 2, "planned": 2, "under_way": 1, "refused": 1, "detached": True}, 3,
         REFUSED),
        ({"outcomes": {}, "left": 2, "planned": 2, "under_way": 2}, 3,
         "0 of 2 measurements done. 2 are in submitted jobs."),
    ],
)  # fmt: skip
def test_the_last_line_says_what_is_done_and_what_to_do(summary, code, sentence):
    ended = RunSummary(run="r", folder="f", measured=0, **summary)
    assert (ended.exit_code, ended.sentence) == (code, sentence)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0117, "11.7 ms"), (1.0, "1.00 s"), (0.0009999, "1000 µs"), (123.4, "123 s"), (3.2e-8, "32.0 ns")],
)
def test_a_time_has_three_digits_and_a_unit(value, text):
    assert figures.duration(value) == text


def test_a_rate_and_a_share_have_no_exponent():
    assert figures.rate(98380, "frames") == "98 400 frames/s"
    assert figures.rate(1.234e6, "spectra") == "1.23 million spectra/s"
    assert (figures.share(0.117), figures.share(0.0075), figures.share(0.02)) == ("12 %", "0.75 %", "2 %")
    assert (figures.share(11.27), figures.share(2.14), figures.share(9.994)) == ("1130 %", "214 %", "999 %")


def test_the_resources_and_options_of_a_case_are_words():
    case = Case(kernel="k", implementation="mpi", version="1", nodes=2, ranks=4, threads=2, options={"mode": "split"},
                files={"geometry": "/a/g.json"}, cache=True)  # fmt: skip
    assert resources(case) == "2 nodes x 4 ranks x 2 threads"
    assert options_of(case) == "geometry=g.json, mode=split, within the cache"
    assert resources(Case(kernel="k", implementation="cupy", version="1", gpus=1)) == "1 GPU"


def test_one_footnote_says_what_a_gpu_would_need_and_others_collect_their_command():
    fixes: dict[str, None] = {}
    assert (
        skip_reason("no NVIDIA GPU in this machine; use a machine that has one", fixes)
        == "no NVIDIA GPU in this machine"
    )
    assert not fixes
    assert skip_reason("mpi4py is not installed; install it: pip install mpi4py", fixes) == "mpi4py is not installed"
    assert list(fixes) == ["install it: pip install mpi4py"]
    assert first_line("\nFailed in nopython mode\nNo implementation of function") == "Failed in nopython mode ..."


def disturbed(*foreign: float, flag: int = 0) -> Record:
    count = len(foreign)
    return record(samples=Samples(seconds=[1.0] * count, flags=[flag] * count, foreign=list(foreign)))


def test_a_machine_is_busy_if_a_fifth_of_the_samples_or_half_of_the_processes_are_disturbed():
    quiet, kept, repeated = disturbed(0.0, 0.01), disturbed(0.0, 0.3), disturbed(0.3, 0.3, flag=2)
    assert disturbed_share([]) is None
    assert disturbed_share([record(samples=None)]) is None
    assert (disturbed_share([quiet]), was_busy([quiet])) == (0.0, False)
    assert was_busy([kept])
    assert was_busy([repeated, quiet])
    assert not was_busy([kept, *[quiet] * 9])
    assert disturbed_share([disturbed(0.3, 0.3, flag=1), quiet]) == 0.0  # warm-ups do not count
    assert busy_caution([quiet]) == ""
    caution = "this machine was busy with other work (50 % of the samples were disturbed)"
    assert busy_caution([repeated, quiet]) == f"Caution: {caution}. Measure again on a quiet machine."


def test_a_median_is_disturbed_only_if_half_of_its_repeats_are_and_most_processes_have_such_a_median():
    some, half, quiet = disturbed(0.3, *[0.0] * 9), disturbed(0.3, 0.0), disturbed(0.0, 0.0)
    assert not medians_disturbed([some] * 5)  # a process that kept one disturbed repeat of ten
    assert not medians_disturbed([half, half, quiet, quiet])
    assert medians_disturbed([half, half, quiet])
    repeated = record(samples=Samples(seconds=[1.0] * 4, flags=[2, 2, 2, 0], foreign=[0.3, 0.3, 0.3, 0.0]))
    assert not medians_disturbed([repeated])  # what was repeated is not in the median


def test_quiet_cases_do_not_outvote_a_disturbed_one():
    slow = msgspec.structs.replace(disturbed(0.3, 0.3), platform="there")
    assert medians_disturbed([slow, *[disturbed(0.0, 0.0)] * 9])


@pytest.mark.parametrize(
    ("platforms", "busy"), [(["site", "site"], "the machine of site was busy"), (["here", "site"], "the machines were")]
)
def test_the_caution_about_a_busy_machine_does_not_blame_this_machine_for_another(platforms, busy):
    records = [record(platform=name, samples=Samples(seconds=[1.0], flags=[2], foreign=[0.3])) for name in platforms]
    assert busy_caution(records).startswith(f"Caution: {busy}")


@pytest.mark.parametrize(
    ("scenario", "report"),
    [
        ("quickstart", "summary"),
        ("peers", "summary"),
        ("strong_scaling", "scaling"),
        ("weak_scaling", "scaling"),
        ("time_to_science", "time_to_science"),
        ("container_overhead", "container_overhead"),
    ],
)
def test_the_next_command_names_the_report_of_the_scenario(scenario, report):
    from daasbench.cli.scenario_options import ScenarioRequest

    assert report_of(ScenarioRequest(scenario).plan()) == report


def test_a_command_that_is_printed_works_where_it_is_read(monkeypatch, tmp_path):
    import sys
    from pathlib import Path

    from daasbench.cli.names import command, program

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["daasbench"])
    assert command("report", "summary", results=Path("results")) == "daasbench report summary"
    assert command("collect", "r", results=Path("my results")) == "daasbench collect r --results 'my results'"
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv" / "bin" / "daasbench")])
    assert program() == ".venv/bin/daasbench"
    monkeypatch.setattr("sys.argv", ["/elsewhere/bin/daasbench"])
    assert program() == "/elsewhere/bin/daasbench"
    monkeypatch.setattr("sys.argv", ["/x/daasbench/__main__.py"])
    assert program() == f"{sys.executable} -m daasbench"


@pytest.mark.parametrize("width", range(8, 60))
def test_the_end_of_a_line_parts_no_number_from_its_thousands_or_its_percent_sign(width):
    lines = filled("process 1 of 1: 270 µs, 14 800 frames/s, 100 % of the samples", width).split("\n")
    assert all(len(line) <= width for line in lines if " " in line and line not in ("14 800", "100 %"))
    assert any("14 800" in line for line in lines)
    assert any("100 %" in line for line in lines)
    assert " ".join(lines) == "process 1 of 1: 270 µs, 14 800 frames/s, 100 % of the samples"


def test_a_message_before_the_number_of_measurements_is_known_has_no_count(capsys):
    assert shown(News(job="", done=0, total=0, message="more processes"), capsys=capsys) == "more processes\n"
