"""The node probe: facts of a node before anything is measured on it; ``python -m daasbench.inspection.node QUESTION``.

The question is one JSON text. The answer is one line that begins with `ANSWER`, because the set-up of a site may print
other lines around it. The same probe runs on this machine, on a node of a cluster, and in a container.
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

ANSWER = "daasbench node: "
RANK = "daasbench rank "
RANKS = 2
RANKS_S = 60.0  # time limit for the start of two ranks: the file system of a cluster is slow at first
_RANK = re.compile(rf"{RANK}(\d+) of (\d+)")


class NodeQuestion(Noun, frozen=True, kw_only=True):
    """What a node is asked to check."""

    options: dict[str, Option] = {}  # of the platform: how ranks are started
    folder: str | None = None  # that this machine shares with the node
    token: str = ""  # name of a file that this machine wrote into the folder
    ranks: int = 0  # ranks to start; 0: none


class NodeFacts(Noun, frozen=True, kw_only=True):
    """The answer of a node."""

    host: str
    python: str
    daasbench: str
    commit: str
    content: str = ""  # fingerprint of the installed code (daasbench.host.code_fingerprint)
    cores: int  # that this process may use
    memory_gb: float  # of the node, in units of 10**9 bytes
    gpus: list[str] = []
    at: str  # time of its clock
    folder: str = ""  # what is wrong with the folder; empty if it can be read and written
    mpi: str = ""
    sizes: list[int] = []  # the number of ranks according to each rank
    missing: str = ""  # why ranks could not be started
    fix: str = ""


def node_question(options: dict[str, Option], folder: Path | None, ranks: int = RANKS) -> NodeQuestion:
    """Return a question with a new token, which is the name of a separate file."""
    path = None if folder is None else str(folder.resolve())
    return NodeQuestion(options=options, folder=path, token=f".daasbench-{secrets.token_hex(6)}", ranks=ranks)


def probe_command(question: NodeQuestion, python: str = sys.executable) -> list[str]:
    """Return the command that answers a question on the node where it runs."""
    return [python, "-m", "daasbench.inspection.node", msgspec.json.encode(question).decode()]


def parse_answer(output: str) -> NodeFacts | None:
    """Return the answer in the output of a node; None if there is none."""
    for line in reversed(output.splitlines()):
        if line.startswith(ANSWER):
            try:
                return msgspec.json.decode(line.removeprefix(ANSWER), type=NodeFacts)
            except msgspec.DecodeError:  # cut short
                return None
    return None


def probe(question: NodeQuestion, run: Callable[[list[str]], str]) -> tuple[NodeFacts | None, str]:
    """Return the answer of a node, None without an answer, and its whole output.

    `run` runs a command on the node and returns its output. The folder holds the token during the probe only.
    """
    if question.folder is None:
        output = run(probe_command(question))
        return parse_answer(output), output
    token = Path(question.folder) / question.token
    token.write_text(question.token)
    try:
        output = run(probe_command(question))
        facts = parse_answer(output)
        if facts is not None and not facts.folder and not token.with_suffix(".seen").exists():
            message = f"files that {facts.host} writes into {question.folder} do not appear on this machine"
            facts = msgspec.structs.replace(facts, folder=message)
        return facts, output
    finally:
        token.unlink(missing_ok=True)
        token.with_suffix(".seen").unlink(missing_ok=True)


# --- on the node ----------------------------------------------------------------------------------------------


def observe_node(question: NodeQuestion) -> NodeFacts:
    """Return the facts of this node."""
    now = utc_now()
    seen = machine.observe(commit=machine.suite_commit(), observed_at=now)
    sizes, missing = _ranks(question) if question.ranks else ([], None)
    try:
        mpi = backends.library_name(backends.mpi_version_text())
    except MissingRequirement:
        mpi = ""
    return NodeFacts(
        host=seen.host,
        python=platform.python_version(),
        daasbench=__version__,
        commit=seen.commit,
        content=suite_content(),
        cores=seen.usable_cores,
        memory_gb=seen.memory_bytes / 1e9,
        gpus=[str(gpu.get("name", "GPU")) for gpu in seen.gpus],
        at=now,
        folder=_folder_problem(question),
        mpi=mpi,
        sizes=sizes,
        missing=missing.what if missing else "",
        fix=missing.fix if missing else "",
    )


def _folder_problem(question: NodeQuestion) -> str:
    """Return what is wrong with the shared folder on this node; empty if it can be read and written."""
    if question.folder is None:
        return ""
    token = Path(question.folder) / question.token
    try:
        if token.read_text() != question.token:
            return f"{question.folder} is another folder on the node"
        token.with_suffix(".seen").write_text(question.token)
    except FileNotFoundError:
        return f"{question.folder} does not exist on the node, or is another folder"
    except OSError as error:
        return f"{question.folder}: {error.strerror}"
    return ""


def _ranks(question: NodeQuestion) -> tuple[list[int], MissingRequirement | None]:
    """Return the number of ranks according to each rank that the launcher starts, or why none starts."""
    case = Case(kernel="node-probe", implementation="mpi", version="0", ranks=question.ranks)
    try:
        backends.mpi_version_text()
        require_launcher(question.options)
    except MissingRequirement as missing:
        return [], missing
    command = [*launch_command(question.options, case), sys.executable, "-m", "daasbench.inspection.node", "--rank"]
    with tempfile.TemporaryFile("w+") as file:  # not a pipe: processes of the launcher may keep it open
        ranks = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = ranks.wait(RANKS_S)
        except subprocess.TimeoutExpired:
            kill_tree(ranks.pid)
            ranks.wait()
            return [], _useless(command, f"did not start {question.ranks} ranks within {RANKS_S:g} s")
        file.seek(0)
        output = file.read()
    sizes = [int(size) for _, size in _RANK.findall(output)]
    if not sizes:
        last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it printed nothing")
        return [], _useless(command, f"started no rank and ended with exit code {code}: {last[:200]}")
    return sizes, None


def _useless(command: list[str], message: str) -> MissingRequirement:
    fix = "correct the option launcher, or remove it to use the mpiexec of this Python environment"
    return MissingRequirement(f"the launcher {command[0]!r} {message}", fix)


def main(arguments: list[str]) -> int:
    """Print the answer to the question in the first argument; as a rank, print the number of ranks."""
    if arguments == ["--rank"]:
        from daasbench.measure.groups import world

        group = world()
        sys.stdout.write(f"{RANK}{group.rank} of {group.size}\n")
        return 0
    facts = observe_node(msgspec.json.decode(arguments[0], type=NodeQuestion))
    sys.stdout.write(f"\n{ANSWER}{msgspec.json.encode(facts).decode()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
