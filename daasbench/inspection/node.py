"""What a node says of itself before anything is measured there: ``python -m daasbench.inspection.node QUESTION``.

The question is one JSON text; the answer is one line that begins with `SAID`, because the set-up of a site may
print whatever it likes around it. The same question is asked of this machine, of a node of a cluster, and from
inside of a container.
"""

from __future__ import annotations

import platform
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from daasbench.compute import backends
from daasbench.errors import MissingRequirement
from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.host.code_fingerprint import suite_content
from daasbench.host.launchers import launch_command, require_launcher
from daasbench.host.processes import kill_tree
from daasbench.model import Case, Noun, Option
from daasbench.version import __version__

SAID = "daasbench presence: "
RANK = "daasbench rank "
RANKS = 2
RANKS_S = 60.0  # for two ranks to start: a cold file system of a cluster is slow
_RANK = re.compile(rf"{RANK}(\d+) of (\d+)")


class NodeQuestion(Noun, frozen=True, kw_only=True):
    """What a node is asked."""

    options: dict[str, Option] = {}  # of the platform: how ranks are started
    folder: str | None = None  # that the asking machine shares with the node
    token: str = ""  # name of the file that it wrote there
    ranks: int = 0  # to start; 0: none


class Presence(Noun, frozen=True, kw_only=True):
    """What it answers."""

    host: str
    python: str
    daasbench: str
    commit: str
    content: str = ""  # of the code (daasbench.host.code_fingerprint)
    cores: int  # that this process may use
    memory_gb: float  # of the node, in units of 10**9 bytes
    gpus: list[str] = []
    at: str  # its clock
    folder: str = ""  # what is wrong with the folder; nothing if it can be read and written
    mpi: str = ""
    sizes: list[int] = []  # what each rank says of how many they are
    missing: str = ""  # why ranks could not be started
    fix: str = ""


def question(options: dict[str, Option], folder: Path | None, ranks: int = RANKS) -> NodeQuestion:
    """Return a question whose token names a file of its own."""
    where = None if folder is None else str(folder.resolve())
    return NodeQuestion(options=options, folder=where, token=f".daasbench-{secrets.token_hex(6)}", ranks=ranks)


def command(asked: NodeQuestion, python: str = sys.executable) -> list[str]:
    """Return the words that ask the node on which they run."""
    return [python, "-m", "daasbench.inspection.node", msgspec.json.encode(asked).decode()]


def heard(said: str) -> Presence | None:
    """Return the answer in what a node printed; None if there is none."""
    for line in reversed(said.splitlines()):
        if line.startswith(SAID):
            try:
                return msgspec.json.decode(line.removeprefix(SAID), type=Presence)
            except msgspec.DecodeError:  # cut short
                return None
    return None


def ask(asked: NodeQuestion, run: Callable[[list[str]], str]) -> tuple[Presence | None, str]:
    """Ask a node by `run`, which returns what the words printed there; return the answer, and all that was printed.

    The folder holds the token meanwhile, and nothing of it afterwards.
    """
    if asked.folder is None:
        said = run(command(asked))
        return heard(said), said
    token = Path(asked.folder) / asked.token
    token.write_text(asked.token)
    try:
        said = run(command(asked))
        found = heard(said)
        if found is not None and not found.folder and not token.with_suffix(".seen").exists():
            message = f"what {found.host} writes into {asked.folder} is not seen here"
            found = msgspec.structs.replace(found, folder=message)
        return found, said
    finally:
        token.unlink(missing_ok=True)
        token.with_suffix(".seen").unlink(missing_ok=True)


# --- on the node ----------------------------------------------------------------------------------------------


def answer(asked: NodeQuestion) -> Presence:
    """Return what this node says of itself."""
    now = utc_now()
    seen = machine.observe(commit=machine.suite_commit(), observed_at=now)
    sizes, missing = _ranks(asked) if asked.ranks else ([], None)
    try:
        mpi = backends.library_name(backends.mpi_version_text())
    except MissingRequirement:
        mpi = ""
    return Presence(
        host=seen.host,
        python=platform.python_version(),
        daasbench=__version__,
        commit=seen.commit,
        content=suite_content(),
        cores=seen.usable_cores,
        memory_gb=seen.memory_bytes / 1e9,
        gpus=[str(one.get("name", "GPU")) for one in seen.gpus],
        at=now,
        folder=_folder(asked),
        mpi=mpi,
        sizes=sizes,
        missing=missing.what if missing else "",
        fix=missing.fix if missing else "",
    )


def _folder(asked: NodeQuestion) -> str:
    """Return what is wrong with the folder that this node is said to share."""
    if asked.folder is None:
        return ""
    token = Path(asked.folder) / asked.token
    try:
        if token.read_text() != asked.token:
            return f"{asked.folder} is another folder here"
        token.with_suffix(".seen").write_text(asked.token)
    except FileNotFoundError:
        return f"{asked.folder} is not there, or is another folder"
    except OSError as error:
        return f"{asked.folder}: {error.strerror}"
    return ""


def _ranks(asked: NodeQuestion) -> tuple[list[int], MissingRequirement | None]:
    """Return what each of the ranks that the launcher starts says of their number, or why none does."""
    case = Case(kernel="presence", implementation="mpi", version="0", ranks=asked.ranks)
    try:
        backends.mpi_version_text()
        require_launcher(asked.options)
    except MissingRequirement as missing:
        return [], missing
    words = [*launch_command(asked.options, case), sys.executable, "-m", "daasbench.inspection.node", "--rank"]
    with tempfile.TemporaryFile("w+") as message:  # no pipe: a launcher's helpers may keep it open
        ranks = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=message, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = ranks.wait(RANKS_S)
        except subprocess.TimeoutExpired:
            kill_tree(ranks.pid)
            ranks.wait()
            return [], _useless(words, f"did not start {asked.ranks} ranks within {RANKS_S:g} s")
        message.seek(0)
        said = message.read()
    sizes = [int(size) for _, size in _RANK.findall(said)]
    if not sizes:
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it printed nothing")
        return [], _useless(words, f"started no rank and ended with exit code {code}: {last[:200]}")
    return sizes, None


def _useless(words: list[str], message: str) -> MissingRequirement:
    fix = "correct the option launcher, or leave it out to use the mpiexec beside this Python"
    return MissingRequirement(f"the launcher {words[0]!r} {message}", fix)


def main(arguments: list[str]) -> int:
    """Say the answer to the question in the first argument; as a rank, how many there are."""
    if arguments == ["--rank"]:
        from daasbench.measure.groups import world

        team = world()
        sys.stdout.write(f"{RANK}{team.rank} of {team.size}\n")
        return 0
    found = answer(msgspec.json.decode(arguments[0], type=NodeQuestion))
    sys.stdout.write(f"\n{SAID}{msgspec.json.encode(found).decode()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
