"""Shared memory that killed processes leave: found while they live, removed when no other process has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daasbench.host.processes import kill_tree
from daasbench.host.shared_memory import SHARED, remove_unused, segments

pytestmark = pytest.mark.skipif(not Path(SHARED).is_dir(), reason="absent: /dev/shm, which Linux has")

HOLD = """
import sys
from multiprocessing import resource_tracker, shared_memory
resource_tracker.register = lambda *_: None  # or it would tidy up
part = shared_memory.SharedMemory(sys.argv[1] or None, create=not sys.argv[1], size=4096)
part.buf[0] = 1
print(part.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold() -> Iterator[Callable[[str], tuple[subprocess.Popen[str], str]]]:
    """Give what starts a process that maps a segment: a new one, or one that is there."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str = "") -> tuple[subprocess.Popen[str], str]:
        one = subprocess.Popen(
            [sys.executable, "-c", HOLD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(one)
        assert one.stdout
        return one, SHARED + one.stdout.readline().strip()

    yield start
    for one in started:
        one.kill()
        one.communicate()


def test_what_a_killed_process_mapped_is_removed_when_no_other_process_maps_it(hold) -> None:
    first, path = hold("")
    other, same = hold(path.removeprefix(SHARED))
    assert path == same
    found = segments([first.pid])
    assert path in found
    kill_tree(first.pid)
    assert remove_unused(found, [first.pid]) == []
    assert Path(path).exists()
    kill_tree(other.pid)
    assert remove_unused(found, [first.pid, other.pid]) == [path]
    assert not Path(path).exists()
    assert remove_unused(found, [first.pid]) == []  # once is enough


def test_the_dead_and_those_without_segments_have_none(hold) -> None:
    dead, path = hold("")
    found = segments([dead.pid])
    dead.kill()
    dead.wait()
    assert segments([dead.pid]) == set()
    assert remove_unused([], []) == []
    assert remove_unused(found, []) == [path]
