"""Another machine over ssh: a real sshd, one connection, nothing lost and nothing twice when it is cut."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daasbench.runners.slurm import connection
from daasbench.runners.slurm.merging import OVERLAP_BYTES
from daasbench.runners.slurm.ssh import SshTransport

from daasbench.errors import LedgerError, Unreachable

from ..waiting import until
from .sshd import LoginNode, login, sshd

__all__ = ["login", "sshd"]
NASTY = 'it\'s a "frame" of 5 µm; $HOME & more.h5'


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACK_OFF_S", (0.05, 0.1, 0.2))


@pytest.fixture
def transport(login: LoginNode) -> Iterator[SshTransport]:
    """Return the transport to the login node."""
    place = SshTransport(login.host, login.options)
    yield place
    place.close()


def later(seconds: float, act: Callable[[], object]) -> threading.Timer:
    """Do something while a command runs."""
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


# --- one connection, words that survive -----------------------------------------------------------------------


def test_all_commands_and_copies_share_one_connection(
    login: LoginNode, transport: SshTransport, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(os.urandom(300_000))
    for _ in range(3):
        assert transport.run(["true"]).code == 0
    transport.write({"1/job.json": "{}"}, f"{tmp_path}/there")
    transport.put(tmp_path / "big", f"{tmp_path}/there/big")
    transport.read([f"{tmp_path}/there/1/job.json"])
    transport.fetch(["job.json"], f"{tmp_path}/there/1", tmp_path / "here")
    assert login.sessions() > 6
    assert login.connections() == 1


def test_a_command_has_the_arguments_input_and_exit_code_that_it_has_on_this_machine(transport: SshTransport) -> None:
    answer = transport.run(["sh", "-c", 'cat; echo "$1" >&2; exit 42', "sh", NASTY], stdin="line\n")
    assert (answer.code, answer.out, answer.err) == (42, "line\n", NASTY + "\n")
    assert transport.run(["printf", "%s|", NASTY, "", "*"]).out == f"{NASTY}||*|"
    assert transport.run(["sh", "-c", "exit 255"]).code == 255  # which is also ssh's own word
    assert transport.run(["no-such-program"]).code == 127


def test_times_are_queried_in_utc(transport: SshTransport) -> None:
    assert transport.run(["sh", "-c", "echo $TZ $SLURM_TIME_FORMAT"]).out == "UTC standard\n"


def test_the_greeting_of_a_login_shell_is_not_part_of_an_output(login: LoginNode, transport: SshTransport) -> None:
    (login.home / ".bashrc").write_text("echo Welcome to our cluster; echo 3 jobs waiting >&2\n")
    answer = transport.run(["echo", "42"])
    assert (answer.out, answer.err) == ("42\n", "")


def test_programs_on_the_path_of_a_login_shell_are_found(login: LoginNode, transport: SshTransport) -> None:
    (login.home / "slurm").mkdir()
    (login.home / "slurm" / "sbatch-of-ours").write_text("#!/bin/sh\necho $1\n")
    (login.home / "slurm" / "sbatch-of-ours").chmod(0o755)
    for name in (".profile", ".bash_profile"):
        (login.home / name).write_text('echo hello; PATH="$HOME/slurm:$PATH"; export PATH\n')
    assert transport.run(["sbatch-of-ours", "7"]).out == "7\n"


def test_files_with_blanks_and_quotes_in_their_names_are_copied_both_ways(
    transport: SshTransport, tmp_path: Path
) -> None:
    folder = f"{tmp_path}/{NASTY}"
    assert transport.write({f"{NASTY}/job.json": "one", "x": "two"}, folder) == 6
    assert transport.read([f"{folder}/{NASTY}/job.json", f"{folder}/x", f"{folder}/absent"]) == {
        f"{folder}/{NASTY}/job.json": "one", f"{folder}/x": "two",
    }  # fmt: skip
    (tmp_path / NASTY / "records.jsonl").write_text("{}\n")
    assert transport.fetch(["records.jsonl", "absent"], folder, tmp_path / "here") == 3
    assert (tmp_path / "here" / "records.jsonl").read_text() == "{}\n"
    (tmp_path / f"{NASTY}.cbf").write_text("pixels")
    assert transport.put(tmp_path / f"{NASTY}.cbf", f"{folder}/files/{NASTY}") == 6
    assert (tmp_path / NASTY / "files" / NASTY).read_text() == "pixels"
    left = [path.name for path in (tmp_path / NASTY).rglob("*") if ".part" in path.name]
    assert left == []


def test_a_thousand_files_are_written_and_read_by_two_commands(
    login: LoginNode, transport: SshTransport, tmp_path: Path
) -> None:
    files = {f"{number:04d}-site/job.json": f'{{"number": {number}}}' for number in range(1000)}
    transport.write(files, str(tmp_path / "jobs"))
    before = login.sessions()
    assert transport.read([f"{tmp_path}/jobs/{name}" for name in files]) == {
        f"{tmp_path}/jobs/{name}": text for name, text in files.items()
    }
    assert login.sessions() == before + 1


def test_neither_repr_nor_error_shows_the_arguments_of_ssh(login: LoginNode) -> None:
    transport = SshTransport("login.site", [*login.options, "-o", "SetEnv=TOKEN=secret", "-p", "1"])
    with pytest.raises(Unreachable) as message:
        transport.run(["true"])
    assert "secret" not in repr(transport) + str(message.value)


# --- a connection that is cut ---------------------------------------------------------------------------------


def test_a_query_is_repeated_after_the_connection_was_lost(
    login: LoginNode, transport: SshTransport, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    login.program("squeue", f'echo x >>"{asked}"; [ $(wc -l <"{asked}") -gt 1 ] || sleep 100; echo answer')
    transport.run(["true"])
    cut = threading.Thread(target=lambda: (until(asked.exists, "asked"), login.cut()))
    cut.start()
    assert transport.run(["squeue"]).out == "answer\n"
    cut.join()
    assert login.connections() == 2


def test_a_submission_whose_answer_was_lost_is_not_sent_again(
    login: LoginNode, transport: SshTransport, tmp_path: Path
) -> None:
    sent = tmp_path / "sent"
    login.program("sbatch", f'echo x >>"{sent}"; sleep 100; echo 1234')
    transport.run(["true"])
    cut = threading.Thread(target=lambda: (until(sent.exists, "sent"), login.cut()))
    cut.start()
    with pytest.raises(Unreachable, match=r"may have happened or not$"):
        transport.run(["sbatch", "--parsable"])
    cut.join()
    assert transport.run(["true"]).code == 0  # a new connection
    assert sent.read_text() == "x\n"


def test_a_submission_that_was_certainly_not_sent_is_sent(
    login: LoginNode, transport: SshTransport, tmp_path: Path
) -> None:
    login.program("sbatch", f'echo x >>"{tmp_path}/sent"; echo 1234')
    transport.run(["true"])
    assert login.cut() > 0
    assert transport.run(["sbatch", "--parsable"]).out == "1234\n"
    assert (tmp_path / "sent").read_text() == "x\n"


def test_a_host_that_comes_back_is_waited_for(
    login: LoginNode, transport: SshTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACK_OFF_S", (0.2,) * 600)
    transport.run(["true"])
    login.stop()
    back = later(0.5, login.start)
    assert transport.run(["echo", "back"]).out == "back\n"
    back.join()


def test_a_command_that_does_not_answer_is_given_up(transport: SshTransport) -> None:
    transport.run(["true"])
    with pytest.raises(Unreachable, match=r"did not answer within 0\.5 s"):
        transport.run(["sleep", "20"], timeout_s=0.5)
    assert transport.run(["echo", "well"]).out == "well\n"


def test_an_interrupted_copy_continues_where_it_stopped(
    login: LoginNode, transport: SshTransport, tmp_path: Path
) -> None:
    content = os.urandom(40_000_000)
    (tmp_path / "frames.h5").write_bytes(content)
    there = tmp_path / "there" / "frames.h5"
    # the first time, the rest comes when the connection is gone
    login.program("cat", f'/usr/bin/head -c 2000000; touch {tmp_path}/began; [ -e {tmp_path}/once ] || '
                 f'{{ touch {tmp_path}/once; sleep 100; }}; exec /bin/cat')  # fmt: skip
    transport.run(["true"])

    def cut() -> None:
        until((tmp_path / "began").exists, "a part of the copy")
        login.cut()

    cutting = threading.Thread(target=cut)
    cutting.start()
    sent = transport.put(tmp_path / "frames.h5", str(there))
    cutting.join()
    assert hashlib.sha256(there.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert login.connections() >= 2
    assert sent < 40_000_000  # of the last attempt: the rest had arrived
    assert transport.put(tmp_path / "frames.h5", str(there)) == 0
    assert [path.name for path in there.parent.iterdir()] == ["frames.h5"]


# --- records that come ----------------------------------------------------------------------------------------


def size(file: Any) -> int:
    """Return the bytes of an open file; of one that was closed 0."""
    return 0 if file.closed else os.fstat(file.fileno()).st_size


def lines(first: int, count: int, width: int = 90) -> bytes:
    """Return lines as a ledger has them, each different."""
    return b"".join(b'{"number": %d, "fill": "%s"}\n' % (n, b"x" * width) for n in range(first, first + count))


def test_only_new_bytes_of_a_growing_ledger_are_fetched(transport: SshTransport, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    (there / "records.jsonl").write_bytes(lines(0, 5000) + b'{"torn": ')
    assert transport.fetch(["records.jsonl"], str(there), here) == len(lines(0, 5000)) + 9
    assert (here / "records.jsonl").read_bytes() == lines(0, 5000)
    (there / "records.jsonl").write_bytes(lines(0, 5001))
    assert transport.fetch(["records.jsonl"], str(there), here) == OVERLAP_BYTES + len(lines(5000, 1))
    assert (here / "records.jsonl").read_bytes() == lines(0, 5001)
    assert transport.fetch(["records.jsonl"], str(there), here) <= OVERLAP_BYTES
    assert (here / "records.jsonl").read_bytes() == lines(0, 5001)


def test_an_interrupted_fetch_is_completed_and_has_nothing_twice(
    login: LoginNode, transport: SshTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    whole = lines(0, 20_000, width=2000)
    (there / "records.jsonl").write_bytes(whole)
    # the second half comes, the first time, when the connection is gone
    login.program("head", f'/usr/bin/head "$@" >{tmp_path}/got; s=$(wc -c <{tmp_path}/got); '
                 f'/usr/bin/head -c $((s/2)) {tmp_path}/got; touch {tmp_path}/half; '
                 f'[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; sleep 100; }}; '
                 f'tail -c +$((s/2+1)) {tmp_path}/got')  # fmt: skip
    transport.run(["true"])
    kept: list[Any] = []  # the files into which comes what is asked for

    def keep(**how: Any) -> Any:
        kept.append(whole_file(**how))
        return kept[-1]

    whole_file = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", keep)

    def cut() -> None:
        until((tmp_path / "half").exists, "half of it")
        until(lambda: any(size(one) >= len(whole) // 2 for one in kept), "half of it here")
        login.cut()

    cutting = threading.Thread(target=cut)
    cutting.start()
    came = transport.fetch(["records.jsonl"], str(there), here)
    cutting.join()
    assert (here / "records.jsonl").read_bytes() == whole
    assert login.connections() >= 2
    assert came < 1.2 * len(whole)  # the half that had come was not asked for again


def test_a_fetched_ledger_is_never_shortened(transport: SshTransport, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for folder, count in ((there, 3), (here, 30)):
        folder.mkdir()
        (folder / "records.jsonl").write_bytes(lines(0, count))
        (folder / "log").write_bytes(lines(0, count))
    transport.fetch(["records.jsonl", "log"], str(there), here)
    assert (here / "records.jsonl").read_bytes() == lines(0, 30)
    assert (here / "log").read_bytes() == lines(0, 30)


def test_a_ledger_with_lines_of_both_sides_is_merged(transport: SshTransport, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for folder, content in ((there, lines(0, 30)), (here, lines(0, 10) + lines(900, 3))):
        folder.mkdir()
        (folder / "records.jsonl").write_bytes(content)
    for _ in range(2):
        transport.fetch(["records.jsonl"], str(there), here)
        found = (here / "records.jsonl").read_bytes().splitlines()
        assert sorted(found) == sorted((lines(0, 30) + lines(900, 3)).splitlines())


def test_a_file_that_becomes_visible_late_is_fetched_then(transport: SshTransport, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    assert transport.fetch(["records.jsonl", "ended.json"], str(there), here) == 0
    assert transport.read([f"{there}/ended.json"]) == {}
    there.mkdir()
    (there / "ended.json").write_text("{}")
    transport.fetch(["records.jsonl", "ended.json"], str(there), here)
    assert [path.name for path in here.iterdir()] == ["ended.json"]
    (there / "records.jsonl").write_bytes(lines(0, 3))
    transport.fetch(["records.jsonl", "ended.json"], str(there), here)
    assert (here / "records.jsonl").read_bytes() == lines(0, 3)


# --- one sentence with the cure -------------------------------------------------------------------------------


def refusal(transport: SshTransport) -> str:
    """Return the message of a host that cannot be reached."""
    with pytest.raises(Unreachable) as message:
        transport.run(["squeue"])
    text = str(message.value)
    assert "\n" not in text
    assert text.startswith("login.site cannot be reached: ")
    assert "; nothing more was sent: " in text
    return text


def test_an_unknown_host_key_is_refused_and_the_message_says_how_to_accept_it(
    login: LoginNode, transport: SshTransport
) -> None:
    (login.folder / "known_hosts").write_text("")
    message = refusal(transport)
    assert "Host key verification failed" in message
    assert "run `ssh login.site` once by hand" in message


def test_a_changed_host_key_is_refused_and_the_message_says_how_to_replace_it(
    login: LoginNode, transport: SshTransport
) -> None:
    other = (login.folder / "user.pub").read_text().split()
    (login.folder / "known_hosts").write_text(f"[127.0.0.1]:{login.port} {other[0]} {other[1]}\n")
    assert "ssh-keygen -R" in refusal(transport)


def test_a_refused_key_names_the_agent(login: LoginNode, transport: SshTransport) -> None:
    (login.folder / "authorized_keys").write_text("")
    message = refusal(transport)
    assert "Permission denied" in message
    assert "ssh-add" in message


def test_a_host_that_is_down_is_reported_after_a_few_attempts(login: LoginNode, transport: SshTransport) -> None:
    login.stop()
    message = refusal(transport)
    assert "Connection refused" in message
    assert "it is down" in message


def test_an_unknown_name_is_reported(login: LoginNode) -> None:
    with pytest.raises(Unreachable, match="correct the option host"):
        SshTransport("no-such-host.invalid", login.options).run(["true"])


def test_a_full_disk_is_reported_and_nothing_is_half_written(
    transport: SshTransport, small_disk: Path, tmp_path: Path
) -> None:
    transport.write({"job.json": "kept"}, str(small_disk))
    with pytest.raises(LedgerError, match=r"No space left.*nothing was submitted: free some space"):
        transport.write({"job.json": "x" * 4_000_000, "other": "y"}, str(small_disk))
    assert [path.name for path in small_disk.iterdir()] == ["job.json"]
    assert (small_disk / "job.json").read_text() == "kept"
    (tmp_path / "big").write_bytes(bytes(4_000_000))
    with pytest.raises(LedgerError, match="No space left"):
        transport.put(tmp_path / "big", f"{small_disk}/files/big")
    assert not (small_disk / "files" / "big").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        from ..conftest import absent

        absent("the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_folder_that_cannot_be_made_is_reported(transport: SshTransport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"cannot be written: .*or name another by the option folder"):
        transport.make_folder(f"{tmp_path}/file/folder")


def test_the_connection_is_closed_with_its_transport(login: LoginNode) -> None:
    place = SshTransport(login.host, login.options)
    place.run(["true"])
    place.close()
    until(lambda: "Disconnected from" in login.log(), "closed")
