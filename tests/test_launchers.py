"""What starts ranks: its words filled in, wrong ones refused."""

from __future__ import annotations

import pytest

from daasbench.errors import ScenarioError
from daasbench.host.launchers import check_options, launch_command
from daasbench.model import Case

CASE = Case(kernel="k", implementation="mpi", version="1", nodes=2, ranks=6, threads=3)


@pytest.mark.parametrize(
    ("ranks", "nodes", "filled"),
    [(6, 2, ["run", "-N", "2", "-ppn", "3", "-n", "6"]), (5, 2, ["run", "-N", "2", "-ppn", "3", "-n", "5"])],
)
def test_a_launcher_receives_the_number_of_ranks_per_node(ranks: int, nodes: int, filled: list[str]) -> None:
    case = Case(kernel="k", implementation="mpi", version="1", nodes=nodes, ranks=ranks)
    assert launch_command({"launcher": "run -N {nodes} -ppn {ranks_per_node}"}, case) == filled


def test_an_unknown_placeholder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match=r"x: options\.launcher: no word in braces 'rank_per_node'; did you mean"):
        check_options({"launcher": "run -ppn {rank_per_node}"}, "x: options", runner="local")


def test_a_container_and_a_launcher_can_be_given_together() -> None:
    check_options({"launcher": "run", "container": {"engine": "bwrap"}}, "x: options", runner="local")
    assert launch_command({"container": {"engine": "bwrap"}}, CASE)[-2:] == ["-n", "6"]
