"""Files that were asked for: whole or not at all, and a sentence with the fix where they cannot be written."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from daasbench.errors import OutputError, UsageError
from daasbench.evidence.table import write_csv
from daasbench.host.output_files import fix_of, write_texts

PAGES = {"page.html": "<p>frame</p>\n", "page.md": "frame\n"}


def names(folder: Path) -> list[str]:
    """Return what is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def locked_folder(tmp_path: Path) -> Path:
    """Return a folder that this user may not write: root may write all but the kernel's own."""
    if os.geteuid() == 0:
        return Path("/sys/daasbench")
    (tmp_path / "locked").mkdir(mode=0o500)
    return tmp_path / "locked" / "report"


def test_files_are_written_in_their_order_and_nothing_else_is_left(tmp_path: Path) -> None:
    paths = write_texts(tmp_path / "deep" / "out", PAGES)
    assert [path.name for path in paths] == list(PAGES)
    assert [path.read_text() for path in paths] == list(PAGES.values())
    assert names(tmp_path / "deep" / "out") == sorted(PAGES)


def test_a_file_in_the_path_of_the_folder_is_a_usage_error_with_the_fix() -> None:
    with pytest.raises(OutputError) as caught:
        write_texts(Path("/dev/null/x"), PAGES)
    assert str(caught.value) == (
        "/dev/null/x: cannot be written (Not a directory); nothing of the report was written, the records are"
        " untouched; a file has the name of a folder: rename it, or name another path with --out"
    )
    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 2


def test_a_folder_that_may_not_be_written_is_refused_with_the_fix(tmp_path: Path) -> None:
    refused = "|".join(map(os.strerror, (errno.EACCES, errno.EPERM, errno.EROFS)))
    with pytest.raises(OutputError, match=rf"cannot be written \(({refused})\); nothing .* with --out"):
        write_texts(locked_folder(tmp_path), PAGES)


def test_a_folder_in_the_place_of_a_file_is_named_and_so_is_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "page.md").mkdir()
    with pytest.raises(
        OutputError, match=r"page\.md: .*; only page\.html of the report could be written, .* with --out"
    ):
        write_texts(tmp_path, PAGES)
    assert names(tmp_path) == ["page.html", "page.md"]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from daasbench.errors import OutputError
from daasbench.host.output_files import write_texts
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    write_texts(Path(sys.argv[1]), {"page.html": "new", "page.csv": 3000 * "x"})
except OutputError as error:
    print(error)
"""


def test_a_file_that_grows_too_large_leaves_the_older_report_as_it_was(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.fail("this test needs an unlimited file size")
    (tmp_path / "page.html").write_text("old")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert f"{tmp_path}/page.csv: cannot be written (File too large); nothing of the report was written" in ended.stdout
    assert "ulimit -f" in ended.stdout
    assert names(tmp_path) == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"


def test_a_full_disk_asks_for_space() -> None:
    with pytest.raises(OutputError, match=r"/dev/full: .*No space left on device.*; free some space$"):
        write_csv(pd.DataFrame({"kernel": ["xpcs"]}), Path("/dev/full"))


def test_a_table_goes_through_a_link_and_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write_csv(pd.DataFrame({"kernel": ["xpcs"]}), tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "kernel\nxpcs\n"
    assert names(tmp_path) == ["link.csv", "real.csv"]


def test_every_failure_of_the_operating_system_has_a_fix() -> None:
    for number in errno.errorcode:
        fix = fix_of(OSError(number, os.strerror(number)), "--out")
        assert fix
        assert "{" not in fix


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "this file system is read-only: name another path with --out"),
        (errno.EACCES, "you may not write there: name another path with --out, or get permission to write"),
        (errno.EEXIST, "a file has the name of a folder: rename it, or name another path with --out"),
        (errno.EISDIR, "a folder has the name of a file: rename it, or name another path with --out"),
        (errno.ENAMETOOLONG, "use a shorter name with --out"),
        (errno.ENOSPC, "free some space"),
    ],
)
def test_the_fix_is_the_one_that_helps(number: int, words: str) -> None:
    assert fix_of(OSError(number, os.strerror(number)), "--out") == words


def test_a_name_that_is_too_long_asks_for_a_shorter_one(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"File name too long.*; use a shorter name with --csv$"):
        write_csv(pd.DataFrame({"kernel": ["xpcs"]}), tmp_path / (300 * "x"))
