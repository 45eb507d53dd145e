"""Real Dask clusters of every kind: measured right, of as many workers as asked, without the user's own settings."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from daasbench.errors import Unreachable
from daasbench.measure.dask import found
from daasbench.measure.dask.found import address_in, identity
from daasbench.model import Outcome, Reason, Record

from ..waiting import PATIENCE_S, left_of

pytestmark = pytest.mark.slow
WAYS = {"azimuthal_integration": ["dask"], "xrf_mapping": ["numba", "dask"]}


def check_records(records: dict[tuple[str, str], Record], kind: str) -> None:
    """See that two kernels were measured on two workers each, and that other implementations were skipped."""
    assert records.keys() == {("azimuthal_integration", "dask"), ("xrf_mapping", "dask"), ("xrf_mapping", "numba")}
    skipped = records.pop(("xrf_mapping", "numba"))
    assert skipped.outcome == Outcome.SKIPPED
    assert "runs only implementations for Dask, and numba is not one" in skipped.message
    for record in records.values():
        assert record.outcome == Outcome.OK, record.message
        assert record.verified_by
        assert record.samples is not None
        assert len(record.samples.counted()) >= 3
        assert record.phases["start"] > 0
        assert len(record.workers) == record.case.ranks == 2
        assert [one.threads for one in record.workers] == [1, 1]
        assert [one.slots for one in record.workers] == [1, 1]
        assert record.settings["cluster"] == kind
        if kind != "running":
            places = [(one.host, cpu) for one in record.workers for cpu in one.cpus]
            assert len(places) == len(set(places)) == 2, "workers share a processor"
            assert record.settings["distributed.scheduler.allowed-failures"] == 0
            assert record.settings["distributed.scheduler.work-stealing"] is False
            assert {one.memory_limit_bytes for one in record.workers} == {None}


@pytest.mark.parametrize("kind", ["local", "mpi"])
def test_two_kernels_are_measured_on_a_cluster_of_our_own(site: Any, kind: str, needs: Callable[[str], None]) -> None:
    needs("dask_mpi")
    site.write(f'cluster = "{kind}"', **WAYS)
    site.run()
    check_records(site.records(), kind)
    assert not (site.folder / "preloaded").exists(), "the user's settings reached a worker"


def test_two_kernels_are_measured_on_a_cluster_that_runs_already_and_stays(
    site: Any, running_scheduler: tuple[str, list[psutil.Process]]
) -> None:
    file, processes = running_scheduler
    site.write(f'scheduler_file = "{file}"', **WAYS)
    site.run()
    records = site.records()
    assert records["xrf_mapping", "dask"].settings["distributed.scheduler.allowed-failures"] == 3
    assert {one.limits for one in records.values()} == {None}
    check_records(records, "running")
    assert all(one.is_running() for one in processes)

    address = address_in(site.folder / "scheduler.json")
    site.write(f'scheduler = "{address}"', ranks=3, sums=["worked"])
    site.run()
    (record,) = [one for one in site.records().values() if one.case.ranks == 3]
    assert record.outcome == Outcome.SKIPPED
    assert f"has 2 workers, the case requests 3; start 1 more: dask worker {address}" in record.message


@pytest.mark.parametrize("victim", ["worker", "scheduler"])
def test_a_process_of_a_running_cluster_that_dies_is_reported_and_not_awaited(
    site: Any, running_scheduler: tuple[str, list[psutil.Process]], victim: str
) -> None:
    file, processes = running_scheduler
    site.write(f'scheduler_file = "{file}"', sleep_s=0.05, repeats=2000, sums=["worked"])
    controller = site.start()
    site.wait_for("round", controller)
    processes[0 if victim == "scheduler" else 1].send_signal(signal.SIGKILL)
    controller.communicate(timeout=PATIENCE_S)
    record = site.record()
    assert record.outcome == Outcome.FAILED  # and no TIMEOUT: nobody waited for the limit of the case
    if victim == "worker":
        assert record.reason == Reason.KERNEL
        assert "one of 2, ended in the middle of its work" in record.message
    else:
        assert record.reason == Reason.SCHEDULER
        assert "died or does not answer" in record.message


def test_a_scheduler_that_answers_no_more_is_noticed(
    running_scheduler: tuple[str, list[psutil.Process]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    monkeypatch.setattr(found, "SILENT_S", 0.5)
    file, processes = running_scheduler
    with Client(scheduler_file=file) as client:
        assert len(identity(client)["workers"]) == 2
        processes[0].suspend()
        with pytest.raises((TimeoutError, OSError)):
            identity(client)
        processes[0].resume()


def test_a_scheduler_that_does_not_run_is_unreachable(site: Any) -> None:
    site.write('scheduler = "tcp://127.0.0.1:9"', sums=["worked"])
    assert site.run() == 3
    record = site.record()
    assert (record.outcome, record.reason) == (Outcome.FAILED, Reason.SCHEDULER)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in record.message
    with pytest.raises(Unreachable, match="cannot be read: No such file or directory; start the scheduler"):
        address_in(site.folder / "absent.json")
    (site.folder / "torn.json").write_text('{"addr')
    with pytest.raises(Unreachable, match="is not the file of a Dask scheduler"):
        address_in(site.folder / "torn.json")


@pytest.mark.parametrize(
    ("implementation", "sentence"),
    [("killed", "one of 2, ended in the middle of its work"), ("raises", "ValueError: the detector is upside down")],
)
def test_no_task_is_computed_twice_when_it_fails_or_kills_its_worker(
    site: Any, implementation: str, sentence: str
) -> None:
    site.write('cluster = "mpi"', sums=[implementation])
    site.run()
    record = site.record()
    assert (record.outcome, record.reason, sentence in record.message) == (Outcome.FAILED, Reason.KERNEL, True)
    tasks = (site.folder / "tasks").read_text().split()
    assert tasks == sorted(tasks)
    assert [tasks.count(one) for one in sorted(set(tasks))] == [2] * 4, "one task of each worker a call"


def test_a_killed_controller_leaves_no_rank(site: Any, kill_controller: Callable[..., list[psutil.Process]]) -> None:
    site.write('cluster = "mpi"', sleep_s=0.05, repeats=2000, sums=["worked"])
    controller = site.start()
    site.wait_for("round", controller)
    processes = kill_controller(controller)
    assert len(processes) >= 6  # the worker, the input process, the measuring process, the launcher, its ranks
    assert left_of(processes) == []


def test_ranks_of_another_mpi_are_named_with_their_fix(site: Any) -> None:
    launcher = site.folder / "foreign"
    launcher.write_text('#!/bin/sh\nshift 2\n"$@" & "$@" & wait\n')  # what another MPI's does: each a world of its own
    launcher.chmod(0o755)
    site.write(f'cluster = "mpi"\nlauncher = "{launcher}"', sums=["worked"])
    site.run()
    assert site.record().outcome == Outcome.SKIPPED
    assert "was to start 3 ranks, and each sees only itself: it belongs to another MPI" in site.record().message


def test_a_launcher_that_fails_is_reported(site: Any) -> None:
    site.write('cluster = "mpi"\nlauncher = "false"', sums=["worked"])
    assert site.run() == 3
    assert site.record().reason == Reason.SCHEDULER
    assert "the launcher false ended with exit code 1 before the Dask workers had registered" in site.record().message
