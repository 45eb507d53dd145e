"""The contract of reports: the tests that every report must pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from daasbench.contracts import Report
from daasbench.errors import OutputError


class ReportContract:
    """Subclass it, set `report`, and provide the fixture ``evidence``."""

    report: ClassVar[Report]

    def test_it_says_what_it_is(self) -> None:
        """Name, title and formats are what the command line lists."""
        assert self.report.name
        assert self.report.title
        assert self.report.formats

    def test_the_same_evidence_gives_the_same_bytes(self, evidence: Any, tmp_path: Path) -> None:
        """The same bytes, so that a report can be written again and compared."""
        written = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            paths = self.report.write(evidence, tmp_path / name, self.report.formats)
            written.append({path.name: path.read_bytes() for path in paths})
        assert written[0] == written[1]
        assert len(written[0]) >= len(self.report.formats)

    def test_each_format_can_be_had_alone(self, evidence: Any, tmp_path: Path) -> None:
        """The first file is the main file, and has the format that was requested."""
        for form in self.report.formats:
            (tmp_path / form).mkdir()
            paths = self.report.write(evidence, tmp_path / form, [form])
            assert paths[0].suffix == f".{form}"
            assert paths[0].stat().st_size

    def test_a_folder_that_cannot_be_written_is_an_output_error(self, evidence: Any, tmp_path: Path) -> None:
        """The command line then ends with exit code 2 and says what to do."""
        (tmp_path / "file").write_text("")
        sentence = "it was written"
        try:
            self.report.write(evidence, tmp_path / "file" / "out", self.report.formats)
        except OutputError as error:
            sentence = str(error)
        assert "--out" in sentence
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]
