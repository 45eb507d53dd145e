"""The suite's commit: which source code is at work."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from daasbench.host.source_commit import suite_commit


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write a recorded file tree below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small checkout with one commit."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
    root = write_tree(tmp_path, {"daasbench/a.py": "1\n", "daasbench/b.py": "1\n", "docs/page.md": "text\n"})
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def test_a_clean_checkout_is_named_by_its_commit(repository: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    assert suite_commit(repository) == head.stdout[:12]
    (repository / "docs/page.md").write_text("other text\n")  # measures nothing
    assert suite_commit(repository) == head.stdout[:12]


def test_every_local_change_has_a_name_of_its_own(repository: Path) -> None:
    names = [suite_commit(repository)]
    for change in (
        lambda: (repository / "daasbench/a.py").write_text("2\n"),
        lambda: (repository / "daasbench/a.py").write_text("3\n"),
        lambda: write_tree(repository, {"kernels/mine/é new.py": "1\n"}),
        lambda: write_tree(repository, {"kernels/mine/é new.py": "2\n"}),
        lambda: (repository / "daasbench/b.py").unlink(),
    ):
        change()
        names.append(suite_commit(repository))
    assert len(set(names)) == len(names)
    assert {name[:13] for name in names[1:]} == {f"{names[0]}+"}
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    assert suite_commit(repository) == names[-1]  # staging changes no content


def test_without_git_the_version_names_the_suite(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daasbench import __version__

    assert suite_commit(repository / "daasbench") == __version__  # installed below the checkout of another project
    monkeypatch.setenv("PATH", "")
    assert suite_commit(repository) == __version__
