"""The tidy table and the evidence: one row a case, platform and process, and nothing that is not known."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

import daasbench
from daasbench.errors import LedgerError, MissingRequirement, UsageError
from daasbench.evidence import columns, gather, parallel_read, rows
from daasbench.evidence.table import COLUMNS, load, ordered_rows, read_columns, table_of, write_csv, write_parquet
from daasbench.model import (
    SCHEMA,
    Case,
    Job,
    Limits,
    Line,
    Machine,
    Outcome,
    Planned,
    Platform,
    Price,
    Reason,
    Record,
    Repeat,
    Round,
    Samples,
    Work,
)
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.statistics.intervals import median_interval

SAMPLE = Path(__file__).parent / "data" / "records_v1.jsonl"  # made once by make_records_v1.py, and frozen
CASE = Case(kernel="sum", implementation="numpy", version="2", size="small", seed=0, threads=4)
PRICE = Price(amount="3.60", currency="EUR", per="core-hour", date=datetime.date(2026, 11, 1), source="own books")


def record(case: Case = CASE, minute: int = 0, **facts: object) -> Record:
    shared = {
        "key": f"{case.id}-{facts.get('process', 0)}", "run": "r", "job": "here-1", "platform": "here", "process": 0,
        "outcome": Outcome.OK, "started_at": f"2026-11-22T19:{minute:02}:00Z", "schema": SCHEMA, "commit": "abc",
        "samples": Samples(seconds=[9.0, 2.0, 2.0], flags=[1, 0, 0]), "work": Work(unit="frame", units=4.0),
    }  # fmt: skip
    return Record(case=case, **(shared | facts))  # type: ignore[arg-type]  # by name


def job(*planned: Planned, price: Price | None = None, run: str = "r") -> Job:
    platform = Platform(runner="local", price=price)
    return Job(
        id="here-1",
        run=run,
        platform_name="here",
        platform=platform,
        planned=list(planned),
        repeat=Repeat(),
        commit="c",
    )


def write(results: Path, *lines: Line, made: Job | None = None, name: str = "here-1") -> Path:
    folder = results / "runs" / "r" / "jobs" / name
    with Ledger(folder / "records.jsonl") as ledger:
        for line in lines:
            ledger.append(line)
    (folder / "job.json").write_bytes(msgspec.json.encode(made or job()))
    (folder.parent.parent / "scenario.toml").write_text('question = "why?"\n')
    return results


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    (tmp_path / "records.jsonl").write_bytes(SAMPLE.read_bytes())
    return tmp_path


def test_the_columns_are_those_of_the_design_in_its_order(frozen: Path) -> None:
    design = (
        "run case platform kernel implementation version size seed input options nodes ranks threads gpus process "
        "attempt outcome reason message verified_by error tolerance repeats stop_reason median_s low_s high_s "
        "first_call_s make_s put_s get_s unit units units_per_s limit_name limit_fraction foreign_cpu "
        "peak_memory_bytes energy_j energy_basis basis started_at host cpu gpu commit cost currency cost_per_unit "
        "price_date price_basis"
    )
    assert list(COLUMNS) == design.split()
    assert list(load(frozen).columns) == design.split()


def test_every_column_is_documented(checkout: Path) -> None:
    page = (checkout / "docs" / "reference" / "table.md").read_text()
    assert [name for name in COLUMNS if f"| `{name}` |" not in page] == []


def test_the_frozen_sample_of_schema_1_loads_with_its_cells(frozen: Path) -> None:
    table = load(frozen)
    assert table["outcome"].to_list() == ["failed", "skipped", "ok", "wrong", "failed", "ok", "timeout"]
    row = table[table["implementation"] == "numba"].iloc[0]
    interval = median_interval([2.0, 2.5, 2.25])
    expected = {
        "run": "20261122T190000Z-sample", "platform": "here", "kernel": "tomography", "implementation": "numba",
        "version": "0.63.1",
        "size": "small", "seed": 0, "nodes": 1, "ranks": 1, "threads": 2, "gpus": 0, "process": 0, "attempt": 1,
        "outcome": "ok", "verified_by": "truth", "error": 0.01, "tolerance": 0.05, "repeats": 3,
        "stop_reason": "interval", "median_s": 2.25, "low_s": interval.low, "high_s": interval.high,
        "first_call_s": 4.5, "make_s": 1.5, "put_s": 0.25, "get_s": 0.125, "unit": "slice", "units": 4.0,
        "units_per_s": 4 / 2.25, "limit_name": "memory_triad", "limit_fraction": 0.1 / 2.25, "foreign_cpu": 0.01,
        "peak_memory_bytes": 123456789, "energy_j": 42.5, "energy_basis": "measured", "basis": "measured",
        "started_at": "2026-11-22T19:01:00Z", "host": "node07", "cpu": "AMD EPYC 7543 32-Core Processor",
        "gpu": "NVIDIA H100", "commit": "0123456789ab",
    }  # fmt: skip
    for name, value in expected.items():
        assert row[name] == (pytest.approx(value) if isinstance(value, float) else value), name
    empty = set(COLUMNS) - expected.keys() - {"case"}
    assert all(pd.isna(row[name]) for name in empty), empty
    assert len(row["case"]) == 16


def test_a_measured_file_shows_its_name_and_its_options(frozen: Path) -> None:
    row = load(frozen).query("kernel == 'azimuthal_integration'").iloc[0]
    assert (row["input"], row["options"]) == ("ceo2.tif", "bins=1000 geometry=ceo2.poni mode=split")
    assert pd.isna(row["size"])
    assert pd.isna(row["seed"])
    assert (row["outcome"], row["reason"], row["repeats"]) == ("failed", "kernel", 0)


def test_a_wrong_record_shows_its_time_and_enters_no_comparison(tmp_path: Path) -> None:
    right, wrong = record(process=0), record(process=1, outcome=Outcome.WRONG, reason=Reason.KERNEL)
    table = load(write(tmp_path, right, wrong, made=job(price=PRICE)))
    assert table["median_s"].to_list() == [2.0, 2.0]
    for name in ("units_per_s", "cost", "cost_per_unit", "currency", "price_date"):
        assert table[name].notna().to_list() == [True, False], name


def test_a_killed_attempt_shows_no_median(frozen: Path) -> None:
    row = load(frozen).query("reason == 'interrupted'").iloc[0]
    assert (row["outcome"], row["repeats"], row["process"]) == ("failed", 2, 2)
    assert pd.isna(row["median_s"])
    assert row["host"] == "node07"


def test_the_last_attempt_of_a_case_platform_and_process_is_shown(tmp_path: Path) -> None:
    lines = [
        record(minute=5, attempt=2),
        record(minute=1, outcome=Outcome.FAILED, reason=Reason.INTERRUPTED),
        record(minute=2, process=1),
        record(minute=7, platform="there"),
        Round(
            key="killed", process=2, attempt=1, case=CASE, started_at="2026-11-22T19:09:00Z",
            samples=Samples(seconds=[1.0], flags=[0]),
        ),
    ]  # fmt: skip
    write(tmp_path, *lines)
    last, every = load(tmp_path), load(tmp_path, attempts=True)
    shown = [tuple(row) for row in last[["platform", "process", "attempt", "outcome"]].itertuples(index=False)]
    assert shown == [("here", 0, 2, "ok"), ("here", 1, 1, "ok"), ("here", 2, 1, "failed"), ("there", 0, 1, "ok")]
    assert every["outcome"].to_list() == ["failed", "ok", "ok", "failed", "ok"]


def test_the_later_of_two_attempts_is_found_by_the_clock_and_not_by_the_alphabet(tmp_path: Path) -> None:
    whole, fraction = record(started_at="2026-11-22T19:00:05Z"), record(started_at="2026-11-22T19:00:05.250+00:00")
    later = msgspec.structs.replace(fraction, stop_reason="limit")
    assert load(write(tmp_path, later, whole))["stop_reason"].to_list() == ["limit"]


def test_the_rows_of_two_folders_stay_apart(tmp_path: Path) -> None:
    base, new = write(tmp_path / "base", record(minute=9)), write(tmp_path / "new", record(minute=1))
    assert len(load(base, new)) == 2
    assert len(load(base, base / "runs" / "r")) == 1  # the same files


def test_the_table_does_not_depend_on_the_order_of_the_lines(tmp_path: Path) -> None:
    cases = [msgspec.structs.replace(CASE, size=size, seed=seed) for size in ("large", "tiny") for seed in (1, 0)]
    lines = [record(case, process=process) for case in cases for process in (1, 0)]
    one, other = load(write(tmp_path / "a", *lines)), load(write(tmp_path / "b", *reversed(lines)))
    pd.testing.assert_frame_equal(one, other)
    assert one["size"].to_list() == ["tiny"] * 4 + ["large"] * 4
    assert one["process"].to_list() == [0, 1] * 4


def test_batches_give_the_table_that_one_batch_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    lines = [
        record(process=i, samples=Samples(seconds=chance.random(i).tolist(), flags=chance.integers(0, 3, i).tolist()))
        for i in range(23)
    ]
    whole = load(write(tmp_path, *lines))
    monkeypatch.setattr(columns, "BATCH", 4)
    pd.testing.assert_frame_equal(load(tmp_path), whole)
    for i, line in enumerate(lines):
        assert line.samples is not None
        counted = line.samples.counted()
        assert whole["repeats"][i] == len(counted)
        if counted:
            assert whole["median_s"][i] == pytest.approx(median_interval(counted).value)


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    lines: list[Line] = [line for line in read_lines(SAMPLE).lines if isinstance(line, (Machine, Limits))]
    for i in range(12):
        rounds = Samples(seconds=[1.0 + i, 2.0], flags=[0, 0])
        one = record(process=i, samples=rounds, machine="b0a1c2d3e4f50617", limits="c0ffee0000000002")
        message = Round(key=one.key, process=i, attempt=1, case=CASE, started_at=one.started_at, samples=rounds)
        lines += [message, message] if i % 5 == 4 else [message, message, one]  # some were killed
    file = write(write(tmp_path, *lines), record(process=40), name="here-2") / "runs/r/jobs/here-1/records.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"turn"', b'"torn', 1) + b'{"type":"rec')
    alone, words = read_columns(tmp_path), list[int]()
    monkeypatch.setattr(parallel_read, "ALONE_UP_TO", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(processes)))

    def count(self: columns.Reader, part: columns.PartialColumns) -> None:
        words.append(len(part.started_at))
        take(self, part)

    take = columns.Reader.absorb
    monkeypatch.setattr(columns.Reader, "absorb", count)
    together = read_columns(tmp_path)
    assert len(words) == processes
    assert sum(words) == 11
    assert together.warnings == alone.warnings != []
    tables = [table_of(one, ordered_rows(one, attempts=True)) for one in (alone, together)]
    assert tables[0]["reason"].eq("interrupted").sum() == 2
    assert tables[0]["host"].notna().sum() == 12
    pd.testing.assert_frame_equal(*tables)


def test_a_newer_schema_is_refused_by_several_processes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, record(), msgspec.structs.replace(record(), schema=SCHEMA + 1))
    monkeypatch.setattr(parallel_read, "ALONE_UP_TO", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    with pytest.raises(LedgerError, match="upgrade"):
        load(tmp_path)


def test_where_no_other_process_can_be_started_this_one_reads_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(write(tmp_path, record(), record(process=1)))
    monkeypatch.setattr(parallel_read, "ALONE_UP_TO", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    pd.testing.assert_frame_equal(load(tmp_path), whole)


def test_torn_and_invalid_lines_are_excluded_with_a_warning(tmp_path: Path) -> None:
    uneven = record(process=5, samples=Samples(seconds=[1.0, 2.0], flags=[0]))
    path = write(tmp_path, record(), uneven) / "runs" / "r" / "jobs" / "here-1" / "records.jsonl"
    bad_case = msgspec.json.encode(record(process=6)).replace(b'"threads":4', b'"threads":"many"')
    bad_elsewhere = msgspec.json.encode(record(process=7, blocks=3)).replace(b'"blocks":3', b'"blocks":"few"')
    path.write_bytes(path.read_bytes() + bad_case + b"\n" + bad_elsewhere + b"\n" + b'{"type":"rec')
    found = gather(tmp_path)
    assert len(found.table) == len(found.records) == 1
    assert [
        warning for warning in found.warnings if "4 incomplete or invalid lines excluded (lines 2, 3, 4, 5)" in warning
    ]


@pytest.mark.parametrize("seconds", ['[2.0,"two",2.0]', "[2.0,[2.0],2.0]", '["2.0","2.0","2.0"]', "null", "[2.0,{},1]"])
def test_samples_that_are_no_numbers_are_excluded_with_a_warning(tmp_path: Path, seconds: str) -> None:
    path = write(tmp_path, record(), record(process=1)) / "runs" / "r" / "jobs" / "here-1" / "records.jsonl"
    whole = msgspec.json.encode(record(process=2))
    bad = whole.replace(b'"seconds":[9.0,2.0,2.0]', b'"seconds":' + seconds.encode())
    assert bad != whole
    path.write_bytes(path.read_bytes() + bad + b"\n" + b"{torn\n" + msgspec.json.encode(record(process=3)) + b"\n")
    warnings = read_columns(tmp_path).warnings
    assert load(tmp_path)["process"].tolist() == [0, 1, 3]
    assert [warning for warning in warnings if "2 incomplete or invalid lines excluded (lines 3, 4)" in warning]


def test_money_is_the_price_of_one_repeat(tmp_path: Path) -> None:
    row = load(write(tmp_path, record(), made=job(price=PRICE))).iloc[0]
    assert row["cost"] == pytest.approx(2.0 * 4 * 3.60 / 3600)  # 2 s on 4 cores
    assert row["cost_per_unit"] == pytest.approx(row["cost"] / 4)
    assert (row["currency"], row["price_date"], row["price_basis"]) == ("EUR", "2026-11-01", "quote")


def test_a_case_without_gpus_has_no_cost_where_only_gpus_have_a_price(tmp_path: Path) -> None:
    price = msgspec.structs.replace(PRICE, per="gpu-hour")
    row = load(write(tmp_path, record(), made=job(price=price))).iloc[0]
    assert pd.isna(row["cost"])
    assert pd.isna(row["currency"])


def test_each_rank_pays_for_its_gpus(tmp_path: Path) -> None:
    price = msgspec.structs.replace(PRICE, per="gpu-hour")
    case = msgspec.structs.replace(CASE, ranks=4, gpus=1)
    row = load(write(tmp_path, record(case=case), made=job(price=price))).iloc[0]
    assert row["cost"] == pytest.approx(2.0 * 4 * 3.60 / 3600)  # 2 s on 4 GPUs


def test_evidence_holds_what_a_report_needs(tmp_path: Path) -> None:
    done, gap = (Planned(key=f"{CASE.id}-{i}", case=CASE, process=i) for i in (0, 1))
    lines = [record(minute=1), record(minute=2, message="again"), record(process=4)]
    found = gather(write(tmp_path, *lines, made=job(done, gap)))
    assert [(one.process, one.message) for one in found.records] == [(0, "again"), (4, "")]
    assert found.table["message"].fillna("").to_list() == ["again", ""]
    assert [(one.run, one.job, one.platform, one.planned) for one in found.planned_missing] == [
        ("r", "here-1", "here", gap)
    ]
    assert found.scenarios == {"r": 'question = "why?"\n'}
    assert list(found.jobs) == ["r/here-1"]
    assert found.warnings == []


def test_evidence_of_the_frozen_sample_joins_machines_and_limits(frozen: Path) -> None:
    found = gather(frozen)
    (ok,) = [one for one in found.records if one.key == "k-ok"]
    assert found.machines[ok.machine or ""].host == "node07"
    assert found.limits[ok.limits or ""].values["triad"].value == 1e10
    keys = "k-failed k-skipped k-ok k-wrong k-killed k-rehearsed k-timeout"
    assert [one.key for one in found.records] == keys.split()


def test_a_job_that_never_started_is_a_gap_and_not_an_error(tmp_path: Path) -> None:
    later = Planned(key="later", case=CASE, process=9)
    write(tmp_path, record(), made=job(later))  # the first job was to bring it too
    waiting = msgspec.structs.replace(job(later), id="here-2")
    folder = tmp_path / "runs" / "r" / "jobs" / "here-2"
    folder.mkdir()
    (folder / "job.json").write_bytes(msgspec.json.encode(waiting))
    assert [(one.job, one.planned) for one in gather(tmp_path).planned_missing] == [("here-2", later)]


def test_any_folder_with_records_somewhere_below_is_read(tmp_path: Path) -> None:
    write(tmp_path, record())
    run = tmp_path / "runs" / "r"
    for folder in (tmp_path, run, run / "jobs" / "here-1", run / "jobs" / "here-1" / "records.jsonl"):
        assert len(daasbench.load(folder)) == 1
        assert gather(folder).scenarios == {"r": 'question = "why?"\n'}


def test_a_torn_job_file_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, record()) / "runs" / "r" / "jobs" / "here-1" / "job.json"
    path.write_bytes(path.read_bytes()[:40])
    assert "not a whole job file" in gather(tmp_path).warnings[0]


def test_a_newer_schema_is_refused_by_the_table_too(tmp_path: Path) -> None:
    write(tmp_path, msgspec.structs.replace(record(), schema=SCHEMA + 1))
    with pytest.raises(LedgerError, match="upgrade"):
        load(tmp_path)


def test_a_folder_without_records_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="measure first"):
        load(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        gather(tmp_path / "nowhere")


def test_csv_has_empty_cells_for_what_is_missing(frozen: Path) -> None:
    write_csv(load(frozen), frozen / "out" / "table.csv")
    lines = (frozen / "out" / "table.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 8
    assert not {"nan", "NaN", "None", "<NA>", "NaT"} & set(",".join(lines[1:]).split(","))
    with pytest.raises(UsageError, match="cannot be written"):
        write_csv(load(frozen), Path("/proc/daasbench/table.csv"))


def test_parquet_gives_the_table_back(frozen: Path, needs: object) -> None:
    needs("pyarrow")  # type: ignore[operator]  # a fixture that is a function
    table = load(frozen)
    write_parquet(table, frozen / "table.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(frozen / "table.parquet"), table)


def test_parquet_without_pyarrow_says_how_to_get_it(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = load(frozen)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingRequirement, match=r"-m pip install .*\[parquet\]"):
        write_parquet(table, frozen / "table.parquet")


def test_the_narrow_row_knows_every_outcome_and_no_field_that_a_record_has_not() -> None:
    row = rows.TableRow
    assert set(row.__struct_fields__) <= set(Record.__struct_fields__)
    outcome = next(field for field in msgspec.inspect.type_info(row).fields if field.name == "outcome")
    assert set(outcome.type.values) == set(Outcome)


def test_a_ledger_with_a_machine_and_no_measurement_is_one_sentence_and_not_a_crash(tmp_path: Path) -> None:
    whole = (Path(__file__).parent / "data" / "records_v1.jsonl").read_bytes().splitlines()
    machine = next(line for line in whole if line.startswith(b'{"type":"machine"'))
    (tmp_path / "records.jsonl").write_bytes(machine + b"\n")
    with pytest.raises(UsageError, match="no records; name another folder"):
        daasbench.load(tmp_path)
